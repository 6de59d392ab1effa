"""Runs requests on a Dask cluster: a folder as one task for each raster, a large raster as shards of tile rows.

Source: Rocklin 2015, Dask, https://doi.org/10.25080/Majora-7b98e3ed-013.
"""
