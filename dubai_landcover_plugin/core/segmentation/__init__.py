"""Segmentation of a raster: reading, inference, blending and writing of the classified raster."""
