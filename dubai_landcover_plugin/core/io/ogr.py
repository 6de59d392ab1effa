"""Functions of pyogrio that pass paths to GDAL unchanged.

pyogrio parses a path as a URI: it takes ``!`` as the separator between an archive and its members, and drops what
follows ``;``. Both are legal in file names.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from types import FunctionType
from typing import Any

import pyogrio
import pyogrio.raw
from pyogrio.util import vsi_path

from dubai_landcover_plugin.protocol.errors import RasterOpenError
from dubai_landcover_plugin.protocol.translation import tr

_ARCHIVES = (".zip",)
_ZIPPED_FORMATS = (".shp.zip", ".gpkg.zip", ".gdb.zip", ".shz")  # archives that GDAL opens as layers


def gdal_name(path: str) -> str:
    """Return the name by which GDAL opens a vector file.

    A name that exists is a path, whatever characters it has; it becomes absolute, so that no part of it is taken for a
    prefix such as ``PG:``. Other names are URLs, members of archives and connection strings, as in pyogrio.

    Raises:
        RasterOpenError: if it is neither a file nor a folder, such as a named pipe; reading would wait forever.
    """
    if not os.path.exists(path):
        return str(vsi_path(path))
    if not (os.path.isfile(path) or os.path.isdir(path)):
        raise RasterOpenError(tr("{path} is neither a file nor a folder.", path=path), tr("Choose a file."))
    absolute = os.path.abspath(path)
    name = absolute.lower()
    if name.endswith(_ARCHIVES) and not name.endswith(_ZIPPED_FORMATS) and os.path.isfile(absolute):
        return f"/vsizip/{{{absolute}}}"
    return absolute


def _with_plain_paths(function: Any, **replaced: Any) -> Callable[..., Any]:
    """Return a copy of a function of pyogrio in which paths are not parsed."""
    names = {**function.__globals__, "vsi_path": str, "get_vsi_path_or_buffer": str, **replaced}
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


list_layers = _with_plain_paths(pyogrio.list_layers)
"""As :func:`pyogrio.list_layers`; the path is a :func:`gdal_name`."""
read_info = _with_plain_paths(pyogrio.read_info)
"""As :func:`pyogrio.read_info`; the path is a :func:`gdal_name`."""
read = _with_plain_paths(pyogrio.raw.read)
"""As :func:`pyogrio.raw.read`; the path is a :func:`gdal_name`."""
_write_path_driver = _with_plain_paths(pyogrio.raw._get_write_path_driver)
write = _with_plain_paths(pyogrio.raw.write, _get_write_path_driver=_write_path_driver)
"""As :func:`pyogrio.raw.write`; the path is absolute."""
write_arrow = _with_plain_paths(pyogrio.raw.write_arrow, _get_write_path_driver=_write_path_driver)
"""As :func:`pyogrio.raw.write_arrow`; the path is absolute."""
open_arrow = _with_plain_paths(pyogrio.raw.open_arrow)
"""As :func:`pyogrio.raw.open_arrow`; the path is a :func:`gdal_name`."""
