"""The check of all files that a request writes, before any work: nothing of the user's is replaced unasked."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dubai_landcover_plugin.core.io.attribute_table import is_legend
from dubai_landcover_plugin.core.io.files import check_name, link_target, sweep
from dubai_landcover_plugin.core.io.geopackage import layer_name, other_tables
from dubai_landcover_plugin.core.io.geoparquet import load_pyarrow
from dubai_landcover_plugin.core.io.layer_source import file_of
from dubai_landcover_plugin.core.io.outputs import (
    Outputs,
    data_sets_with,
    outputs_of,
    record_path,
    stale_vector_files,
    vector_files,
)
from dubai_landcover_plugin.core.io.qml import is_generated, is_raster_style
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.requests.tasks import paths, task_of
from dubai_landcover_plugin.protocol.translation import joined, tr

_OTHER_PLACE = "Move it elsewhere, or choose another output path."


def check_outputs(request: Request, class_files: Iterable[Path] = ()) -> None:
    """Refuse outputs that cannot be written; remove what killed runs left beside them.

    Args:
        request: Any request of the engine.
        class_files: Vector files of a :class:`.ClassFilesRequest`, see :func:`class_files`.

    Raises:
        OutputError: if an output is an input or another output, whatever the spelling, exists and may not be replaced,
            is open in another program or cannot have that name; or if its folder is missing or not writable. Also if
            it has more than an earlier result, such as other layers in a GeoPackage.
    """
    outputs = outputs_of(request, class_files)
    for path in outputs.named:
        check_name(path)
    task = task_of(request)
    overwrite = bool(getattr(getattr(request, "options", request), "overwrite", False))
    refuse_inputs(outputs, [file_of(path) for path in paths(request.option_values(), task.inputs)])
    everything = outputs.everything
    folders = {link_target(path).parent: path for path in everything}
    for folder in folders:
        if not folder.is_dir():
            raise OutputError(
                tr("The folder {folder} does not exist.", folder=folder), tr("Make it first, or choose another.")
            )
        sweep(folder)
    _check_sides(outputs)
    for path in map(Path, paths(vars(request), task.vectors)):
        _check_beside_link(path)
    for path in everything:
        if path in outputs.sides and is_style_of_raster(path):
            continue
        _check_file(path, overwrite or path in outputs.updated)
    for path in outputs.records:
        _check_record(path, outputs.rasters)
    for path in outputs.vectors:
        _check_vector(path)
    _check_collisions(everything, {folder: _check_folder(folder) for folder in folders})


def refuse_inputs(outputs: Outputs, inputs: Iterable[str]) -> None:
    """Refuse outputs that would replace an input.

    Args:
        outputs: Files that are written.
        inputs: Files that are read; those behind a virtual raster too.

    Raises:
        OutputError: if one of them is the same file, also through a link or with other letters.
    """
    for source in inputs:
        place = os.path.realpath(source)  # unlike Path.resolve(), it accepts links that lead to each other
        for path in outputs.everything:
            if os.path.realpath(path) == place or _is_same_file(path, source):
                raise OutputError(
                    tr("The output {path} is the input itself.", path=path), tr("Choose another output path.")
                )


def _is_same_file(path: Path, other: str) -> bool:
    """Return whether two paths lead to one file: by a hard link, or where the file system ignores case."""
    try:
        return path.samefile(other)
    except OSError:  # one does not exist
        return False


def _check_sides(outputs: Outputs) -> None:
    """Refuse to replace or remove side files that do not belong to an output.

    Those of an output that does not exist belong to another data set, such as the style of ``town.tif`` where
    ``town.shp`` is written, unless the record of an earlier run lists it.
    """
    written = outputs.written
    capitals = [(_in_capitals(side, path), side, path) for side, path in outputs.sides.items()]
    foreign = [(one, path) for one, side, path in capitals if one.exists() and not _is_same_file(one, str(side))]
    foreign += [(side, path) for side, path in outputs.sides.items() if not _belongs(side, path, written)]
    if foreign:
        made = _recorded(outputs.records)
        foreign = [(side, path) for side, path in foreign if path.exists() or os.path.realpath(path) not in made]
    for first, path in foreign:
        names = joined(side.name for side, other in foreign if other == path and side != first)
        raise OutputError(
            tr(
                "{first} exists and does not belong to {name}; nor do {names}.",
                first=first,
                name=path.name,
                names=names,
            )
            if names
            else tr("{first} exists and does not belong to {name}.", first=first, name=path.name),
            tr(_OTHER_PLACE),
        )


def _check_beside_link(path: Path) -> None:
    """Refuse a link to a layer if side files are beside the link that programs would read with the layer."""
    target = link_target(path)
    for side in (*vector_files(path)[1:], *stale_vector_files(path)) if target != path else ():
        if os.path.lexists(side) and not _is_same_file(side, str(target.with_suffix(side.suffix))):
            raise OutputError(
                tr("{first} exists and does not belong to {name}.", first=side, name=path.name), tr(_OTHER_PLACE)
            )


def _in_capitals(side: Path, path: Path) -> Path:
    """Return how a side file is named beside a file with a suffix in capitals; GDAL reads it with either."""
    start = path.name if side.name.startswith(path.name) else side.stem
    return side.with_name(start + side.name[len(start) :].upper())


def _belongs(side: Path, path: Path, written: Sequence[Path]) -> bool:
    """Return whether a side file belongs to an output, or does not exist."""
    if side.is_symlink():
        return False
    if not side.is_file():
        return True  # a folder is refused elsewhere
    if not path.exists():
        return (side.name.endswith(".aux.xml") and is_legend(_text(side))) or is_style_of_raster(side)
    others = [other for other in data_sets_with(side) if other != path and other not in written]
    if side.suffix == ".qml" and is_generated(_text(side)):
        others = [other for other in others if other.suffix != ".gpkg"]  # GeoPackages contain their styles
    if others:
        return False
    return side.suffix != ".qml" or "<rasterrenderer" not in _text(side) or is_style_of_raster(side)


def is_style_of_raster(path: Path) -> bool:
    """Return whether a file is the style of a raster that the engine has written; it is not replaced by others."""
    return path.suffix == ".qml" and is_raster_style(_text(path))


def _recorded(records: Iterable[Path]) -> set[str]:
    """Return the files that the requests in run records name; none for damaged ones."""
    made: set[str] = set()
    for record in records:
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            request = SegmentationRequest.from_json(json.loads(_text(record))["request"])
            made.update(map(os.path.realpath, outputs_of(request).written))
    return made


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _check_record(path: Path, rasters: Sequence[Path]) -> None:
    """Refuse to replace a file that is not a run record, or that of another raster."""
    text = _text(path)
    if not text.strip():
        return
    output = ""
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        output = os.path.basename(json.loads(text)["request"]["output"])
    if not output:
        raise OutputError(tr("{path} exists and is not a run record.", path=path), tr(_OTHER_PLACE))
    other = path.with_name(output)
    if other not in rasters and path.name == record_path(other).name and other.exists():
        raise OutputError(
            tr("{path} is the record of {output}.", path=path, output=output), tr("Choose another output path.")
        )


def _check_file(path: Path, overwrite: bool) -> None:
    path = link_target(path)
    if not path.exists():
        return
    if not path.is_file():
        raise OutputError(tr("{path} is not a file.", path=path), tr("Choose another output path."))
    if not overwrite:
        raise OutputError(tr("{path} exists.", path=path), tr("Choose another output path, or allow overwriting."))
    if not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise OutputError(
            tr("{path} is write-protected.", path=path), tr("Make it writable, or choose another output path.")
        )
    try:
        os.rename(path, path)  # Windows refuses where another program holds the file
    except OSError as error:
        raise OutputError(
            tr("{path} cannot be replaced: {error}.", path=path, error=error.strerror),
            tr("Close it in other programs, QGIS too, or choose another."),
        ) from error


def _check_vector(path: Path) -> None:
    place = str(path.absolute())
    if not _is_utf8(place) or (os.sep == "/" and "\\" in place):
        raise OutputError(
            tr("GDAL cannot write {path}: the path has a backslash or bytes that are not UTF-8.", path=path),
            tr("Choose another path."),
        )
    if path.suffix == ".gpkg":
        journal = path.with_suffix(".gpkg-wal")
        if journal.is_file() and journal.stat().st_size:  # changes that are not in the file yet
            raise OutputError(
                tr("{path} is open in another program.", path=path), tr("Close the layer there, in QGIS too.")
            )
        if path.exists():
            _check_geopackage(path)
    if path.suffix in (".parquet", ".fgb"):
        load_pyarrow()


def _check_geopackage(path: Path) -> None:
    """Refuse to replace a GeoPackage with other layers, tables or projects."""
    try:
        others = other_tables(path, layer_name(path.stem))
    except sqlite3.OperationalError as error:
        raise OutputError(
            tr("{path} is open in another program: {error}.", path=path, error=error),
            tr("Close the layer there, in QGIS too."),
        ) from error
    if others:
        raise OutputError(
            tr("{path} has other content, which would be lost: {names}.", path=path, names=joined(others)),
            tr("Choose another output path, or delete the file."),
        )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # undecodable bytes of a file name
        return False
    return True


def _check_folder(folder: Path) -> bool:
    """Refuse a folder that is not writable; return whether names in it ignore the case of letters."""
    try:
        probe = make_partial(folder / "probe")
    except OSError as error:
        raise OutputError(
            tr("The folder {folder} is not writable: {error}.", folder=folder, error=error.strerror),
            tr("Choose another folder."),
        ) from error
    ignores_case = probe.with_name(probe.name.swapcase()).exists()
    remove_partial(probe)
    return ignores_case


def _check_collisions(files: Sequence[Path], ignores_case: Mapping[Path, bool]) -> None:
    """Refuse files that are written twice, by one name or by links."""
    seen = set()
    for path in files:
        place = os.path.normcase(os.path.realpath(path))
        place = place.casefold() if ignores_case[link_target(path).parent] else place
        if place in seen:
            raise OutputError(
                tr("{path} would be written twice.", path=path), tr("Give each output a path of its own.")
            )
        seen.add(place)
