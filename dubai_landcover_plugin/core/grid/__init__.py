"""Pixel grids, windows, ground size of pixels, resampling."""
