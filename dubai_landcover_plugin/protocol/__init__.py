"""All that QGIS and the engine both know. Standard library only, Python 3.9; imports nothing else of the project."""
