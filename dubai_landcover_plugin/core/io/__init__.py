"""Readers and writers of rasters, vectors, tables and styles."""
