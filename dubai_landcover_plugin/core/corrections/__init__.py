"""Edits of a classified raster, written to a new one: corrections and recoding."""
