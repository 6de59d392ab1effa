"""Reports: areas of classes, of a run and of zones, as pages and tables."""
