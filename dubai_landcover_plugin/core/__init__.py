"""The engine: everything that reads, classifies and writes. Never imports ``qgis``."""

PACKAGES = ("torch", "numpy", "rasterio", "shapely", "pyogrio", "safetensors")
"""What the engine cannot do without, as imported."""
