"""Versions of the packages that results depend on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from dubai_landcover_plugin import __version__

PACKAGES = ("openvino", "torch", "numpy", "rasterio", "shapely", "pyogrio", "safetensors")
"""Import names of the packages that the engine requires."""
MISSING = "missing"
OPTIONAL = ("openvino", "torch")
"""Those that an engine may lack: OpenVINO on Intel Macs, and PyTorch, which shipped models do not need elsewhere."""


def versions() -> dict[str, str]:
    """Return the versions of this package, Python, GDAL and the required packages."""
    import rasterio  # not at module level: PACKAGES must be importable if rasterio is broken

    found = {"dubai_landcover": __version__, "python": platform.python_version(), "gdal": rasterio.__gdal_version__}
    listed = {package: _version(package) for package in PACKAGES}
    return {**found, **{name: number for name, number in listed.items() if name not in OPTIONAL or number != MISSING}}


@cache
def _version(package: str) -> str:
    """Return the version of an installed package; the search takes milliseconds."""
    try:
        return version(package)
    except PackageNotFoundError:
        return MISSING
