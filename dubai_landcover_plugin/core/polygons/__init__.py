"""Polygonization of classified rasters in strips: regions, boundary graph, simplification, rings, vector files."""
