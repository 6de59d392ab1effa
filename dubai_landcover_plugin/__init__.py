"""Dubai Land Cover: land-cover segmentation of aerial images for QGIS and the command line."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def classFactory(iface: Any) -> Any:
    """Return the plugin; QGIS calls this once. Imports here, so that the engine can import the package without QGIS."""
    from dubai_landcover_plugin.plugin import DubaiLandCoverPlugin

    return DubaiLandCoverPlugin(iface)
