"""Change between two classified rasters: aligned, coded from–to, counted, drawn as polygons, reported."""
