"""Versions of everything that computes."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from dubai_landcover_plugin import __version__

PACKAGES = ("torch", "numpy", "rasterio", "shapely", "pyogrio", "safetensors")
"""What the engine cannot do without, as imported."""


def versions() -> dict[str, str]:
    """Return the versions of everything that computes."""
    import rasterio  # here: the list of packages must be at hand where one of them is broken

    found = {"dubai_landcover": __version__, "python": platform.python_version(), "gdal": rasterio.__gdal_version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    return found
