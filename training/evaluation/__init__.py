"""How well a model agrees with the labels, through the path that QGIS uses."""
