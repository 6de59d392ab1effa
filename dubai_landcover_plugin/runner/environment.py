"""Environment variables of the engine.

QGIS sets variables that point Python, GDAL and PROJ to QGIS's files. The engine has its own libraries, so these
variables are removed. ``os.environ`` itself is never changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from dubai_landcover_plugin.protocol.translation import VARIABLE, language

_FOREIGN_PREFIXES = ("PYTHON", "PROJ_", "GDAL_", "OGR_", "QGIS_", "QT_", "DYLD_", "CONDA_", "PIP_", "UV_")
_FOREIGN_NAMES = frozenset(
    {"LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "GRASS_PREFIX", "GISBASE", "__PYVENV_LAUNCHER__"}
)


def engine_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a copy of ``environment`` without the variables that refer to QGIS's libraries, and those of pip and uv.

    The language of QGIS is added, in which the engine writes its pages.

    Args:
        environment: Defaults to the environment of this process.
    """
    source = os.environ if environment is None else environment
    kept = {
        name: value
        for name, value in source.items()
        if not name.upper().startswith(_FOREIGN_PREFIXES) and name.upper() not in _FOREIGN_NAMES
    }
    if language():
        kept[VARIABLE] = language()
    if sys.platform == "win32":
        _drop_qgis_folders(kept, source)
    return kept


def _drop_qgis_folders(kept: dict[str, str], source: Mapping[str, str]) -> None:
    """Remove QGIS's folders from PATH, so that its DLLs are not loaded instead of the engine's."""
    root = source.get("OSGEO4W_ROOT", "").rstrip("\\/").casefold()
    for name in [name for name in kept if name.upper() == "PATH"]:
        folders = kept[name].split(os.pathsep)
        kept[name] = os.pathsep.join(item for item in folders if not root or not item.casefold().startswith(root))
