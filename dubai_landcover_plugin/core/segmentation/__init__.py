"""From a raster to a class map."""
