"""Teaching: corrects the last layers of a network from samples that a user draws on a raster."""
