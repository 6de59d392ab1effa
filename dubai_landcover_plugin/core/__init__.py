"""The engine: everything that reads, classifies and writes. Never imports ``qgis``."""
