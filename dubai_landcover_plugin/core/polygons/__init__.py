"""From a class map to polygons, in bands of rows: regions, their borders, simpler borders, polygons, files."""
