"""The files behind an input raster, and the check that they do not change while it is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dubai_landcover_plugin.core.io.file_identity import FileIdentity, holds_only_statistics, identify_files
from dubai_landcover_plugin.core.io.layer_source import file_of
from dubai_landcover_plugin.core.io.outputs import raster_sidecars
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.core.io.raster_references import is_remote
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.translation import tr

_ARCHIVES = "/vsi"  # beginning of paths inside archives, such as /vsizip//data/images.zip/a.tif
_VIRTUAL = b"<VRTDataset"


def raster_files(path: str) -> list[str]:
    """Return the local files behind a raster: sidecars, sources of virtual rasters, and archives.

    Raises:
        RasterOpenError: if GDAL cannot open the raster or a virtual raster behind it.
    """
    found: dict[str, None] = {}
    waiting = [] if is_remote(path) else [path]
    while waiting:
        with open_raster(waiting.pop()) as dataset:
            files = dataset.files
        for file in files:
            sidecars = map(str, raster_sidecars(file))  # GDAL does not list those of the sources of a virtual raster
            for name in (local for part in (file, *sidecars) if (local := _local_file(part)) is not None):
                if name not in found:
                    found[name] = None
                    if name == file and file != path and _is_virtual(file):
                        waiting.append(file)
    return list(found)


def identify_input(path: str) -> list[FileIdentity]:
    """Return the identities of the files behind a raster; none for one that is read over the network.

    Raises:
        RasterOpenError: if the raster cannot be opened or a file cannot be read.
    """
    try:
        return identify_files(raster_files(path))
    except OSError as error:
        if isinstance(error, RasterOpenError):
            raise
        raise RasterOpenError(
            tr("{path} cannot be read: {error}.", path=path, error=error), tr("Check the file and its permissions.")
        ) from error


def identify_layer(source: str) -> list[FileIdentity]:
    """Return the identity of the file of a vector layer; none if it is not a local file, which reading it tells."""
    path = file_of(source)
    return identify_files([path]) if os.path.isfile(path) else []


def is_same_input(paths: Iterable[str], files: Sequence[FileIdentity]) -> bool:
    """Return whether the files behind some rasters are those identified earlier, unchanged.

    Raises:
        RasterOpenError: if GDAL cannot open a raster.
    """
    names = [name for path in paths for name in raster_files(path)]
    now = {os.path.realpath(name) for name in names if not holds_only_statistics(name)}
    return bool(files) and now == {file.path for file in files} and all(file.is_unchanged() for file in files)


def check_unchanged(files: Iterable[FileIdentity]) -> None:
    """Check that no file behind an input has changed since it was identified.

    Raises:
        RasterReadError: if one has.
    """
    for file in files:
        if not file.is_unchanged():
            raise RasterReadError(
                tr(
                    "{path} was changed or replaced while it was read; the result would mix old and new content.",
                    path=file.path,
                ),
                tr("Run it again once no other program writes the file."),
            )


def _local_file(name: str) -> str | None:
    """Return a file, or the archive that contains it; None if there is no such local file."""
    if not name.startswith(_ARCHIVES):
        return name if os.path.isfile(name) else None
    inner = name
    while inner.startswith(_ARCHIVES):  # archives may be nested
        _, _, inner = inner[1:].partition("/")
    place = Path(inner.replace("{", "").replace("}", ""))
    return next((str(part) for part in (place, *place.parents) if part.is_file()), None)


def _is_virtual(name: str) -> bool:
    try:
        with open(name, "rb") as stream:
            return _VIRTUAL in stream.read(256)
    except OSError:
        return False
