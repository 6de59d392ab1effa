"""Requests: what QGIS, the command line, a folder, a cluster or a test asks the engine for."""
