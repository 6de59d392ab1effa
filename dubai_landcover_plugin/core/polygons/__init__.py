"""Polygonization of class maps, strip by strip: regions, boundary graph, simplification, rings, vector files."""
