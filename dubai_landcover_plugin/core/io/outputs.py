"""Which files a request writes, and the check of all of them before any work.

A request names its main files; :func:`outputs_of` adds those beside them: the run record and the legend of a raster,
the parts of a shapefile, the style of a layer. The names of files that a request leaves to the engine (a folder of
rasters, a file for each class) are chosen here too.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.attribute_table import is_legend
from dubai_landcover_plugin.core.io.files import check_name, link_target, sweep
from dubai_landcover_plugin.core.io.geoparquet import load_pyarrow
from dubai_landcover_plugin.core.io.layer_source import file_of
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.segmentation import FolderRequest, SegmentationRequest
from dubai_landcover_plugin.protocol.requests.tasks import Task, paths, task_of

CLASSES_ENDING, CONFIDENCE_ENDING = "_landcover", "_confidence"
"""Endings of the names of classified and confidence rasters that a batch writes."""

_SHAPEFILE_PARTS = (".dbf", ".shx", ".prj", ".cpg")
_SHAPEFILE_INDICES = (".qix", ".sbn", ".sbx", ".idm", ".ind")
_GEOPACKAGE_JOURNALS = (".gpkg-wal", ".gpkg-shm", ".gpkg-journal")
_STYLE = ".qml"
_RASTER_SIDECARS = (".aux.xml", ".ovr", ".msk")
_SHARED_SIDES = {
    ".prj": (".asc", ".bil", ".bip", ".bsq", ".bmp", ".dem", ".flt", ".gif", ".grd", ".jp2", ".jpeg", ".jpg", ".png"),
    ".qml": (
        ".csv",
        ".dxf",
        ".fgb",
        ".geojson",
        ".gml",
        ".gpkg",
        ".json",
        ".kml",
        ".parquet",
        ".shp",
        ".sqlite",
        ".tab",
    ),
    ".ind": (".tab",),
}
"""Side files that are read with more than one format, and the suffixes of these."""


# Files beside a named file


def record_path(output: str | Path) -> Path:
    """Return the path of the run record of a classified raster."""
    output = Path(output)
    return output.with_name(f"{output.stem}.run.json")


def legend_path(path: str | Path) -> Path:
    """Return the path where GDAL looks for class names and colours of a raster."""
    return Path(f"{path}.aux.xml")


def raster_sidecars(path: str | Path) -> list[Path]:
    """Return the files that GDAL reads with a raster; those of an earlier raster do not fit a new one."""
    return [Path(f"{path}{suffix}") for suffix in _RASTER_SIDECARS]


def journal_folder(path: str | Path) -> Path:
    """Return the folder in which an interrupted run keeps the finished rows of a raster."""
    path = Path(path)
    return path.with_name(f".{path.name}.unfinished")


def vector_files(path: str | Path) -> list[Path]:
    """Return the files that a vector file may consist of, itself first."""
    path = Path(path)
    parts = {".shp": (*_SHAPEFILE_PARTS, _STYLE), ".gpkg": _GEOPACKAGE_JOURNALS}.get(path.suffix, (_STYLE,))
    return [path, *(path.with_suffix(part) for part in parts)]


def stale_vector_files(path: str | Path) -> list[Path]:
    """Return the files of an earlier vector file that would be read with a new one, but do not fit it."""
    path = Path(path)
    stale = {".shp": (*_SHAPEFILE_PARTS, *_SHAPEFILE_INDICES), ".gpkg": _GEOPACKAGE_JOURNALS}
    return [path.with_suffix(part) for part in stale.get(path.suffix, ())]


# Files of a request


@dataclass(frozen=True)
class Outputs:
    """Files that a request writes.

    Args:
        rasters: GeoTIFFs.
        files: Tables and pages.
        records: Run records.
        vectors: Vector files, without their parts.
        updated: Files that are replaced even where overwriting is not allowed.
    """

    rasters: tuple[Path, ...] = ()
    files: tuple[Path, ...] = ()
    records: tuple[Path, ...] = ()
    vectors: tuple[Path, ...] = ()
    updated: tuple[Path, ...] = ()

    @property
    def written(self) -> list[Path]:
        """All files that count as results, vector files with their parts."""
        vectors = (part for path in self.vectors for part in vector_files(path))
        return [*self.rasters, *self.files, *self.records, *vectors]

    @property
    def sides(self) -> dict[Path, Path]:
        """Files that are read with rasters and vector files, and which; those of earlier ones are removed."""
        found = {}
        for path in self.rasters:
            for name in (path, link_target(path)):
                found.update(dict.fromkeys(raster_sidecars(name), name))
        for path in self.vectors:
            found.update(dict.fromkeys([*vector_files(path)[1:], *stale_vector_files(path)], path))
        return found

    @property
    def everything(self) -> list[Path]:
        """All files that may be written or removed; one that is named twice is listed twice."""
        written = self.written
        return [*written, *(path for path in self.sides if path not in written), *self.updated]


def outputs_of(request: Request, class_files: Iterable[Path] = ()) -> Outputs:
    """Return the files that a request writes.

    Args:
        request: Any request of the engine.
        class_files: Vector files of a :class:`.ClassFilesRequest`, see :func:`class_files`.
    """
    if isinstance(request, FolderRequest):
        return Outputs(updated=manifest_paths(request.output_folder))
    named = named_outputs(task_of(request), vars(request))
    return replace(named, vectors=(*named.vectors, *class_files))


def named_outputs(task: Task, request: Mapping[str, Any]) -> Outputs:
    """Return the files that the fields of a request name, with the files beside them.

    Args:
        task: The task of the request.
        request: Its fields; those that are missing name nothing.
    """
    return Outputs(
        rasters=tuple(map(Path, paths(request, task.rasters))),
        files=tuple(map(Path, paths(request, task.pages))),
        records=(record_path(request["output"]),) if task.request is SegmentationRequest else (),
        vectors=tuple(map(link_target, paths(request, task.vectors))),
    )


# Names that the engine chooses


def manifest_paths(folder: str | Path) -> tuple[Path, Path]:
    """Return the CSV and the JSON manifest of a batch."""
    return Path(folder) / "landcover_manifest.csv", Path(folder) / "landcover_manifest.json"


def class_files(folder: str | Path, suffix: str, scheme: ClassScheme) -> dict[LandCoverClass, Path]:
    """Return a vector file for each class; ids distinguish names that give the same file name."""
    stems = {entry: re.sub(r"[^\w-]+", "_", entry.name.lower()) for entry in scheme.entries}
    times = Counter(stems.values())
    names = {entry: f"{stem}_{entry.id}" if times[stem] > 1 else stem for entry, stem in stems.items()}
    return {entry: Path(folder) / f"{name}{suffix}" for entry, name in names.items()}


def is_batch_output(path: Path) -> bool:
    """Return whether a raster is named as a batch names its results."""
    return path.stem.endswith((CLASSES_ENDING, CONFIDENCE_ENDING))


def raster_requests(request: FolderRequest, rasters: Sequence[Path]) -> Iterator[SegmentationRequest]:
    """Yield one request for each raster of a folder; outputs mirror the tree of the folder."""
    for path, base in zip(rasters, _bases(rasters, request)):
        yield SegmentationRequest(
            input=str(path),
            output=f"{base}{CLASSES_ENDING}.tif",
            options=replace(request.options, overwrite=request.options.overwrite or request.redo),
            confidence=f"{base}{CONFIDENCE_ENDING}.tif" if request.confidence else None,
            polygons=f"{base}{CLASSES_ENDING}{request.polygons}" if request.polygons else None,
            report=f"{base}{CLASSES_ENDING}.html" if request.report else None,
        )


def _bases(rasters: Sequence[Path], request: FolderRequest) -> list[Path]:
    """Return for each raster how its outputs' names begin; no two are equal, whatever the case of letters.

    ``a.tif`` and ``a.jp2`` in one folder give ``a_tif`` and ``a_jp2``.
    """
    stems = Counter(_folded(path.with_suffix("")) for path in rasters)
    taken = {stem for stem, count in stems.items() if count == 1}
    bases = []
    for path in rasters:
        base = path.with_suffix("")
        if stems[_folded(base)] > 1:
            base = _free(path.with_name(path.name.replace(".", "_")), taken)
        bases.append(Path(request.output_folder) / base.relative_to(request.folder))
    return bases


def _free(base: Path, taken: set[str]) -> Path:
    """Return ``base``, with a number where it is taken already; add it to those taken."""
    free, number = base, 2
    while _folded(free) in taken:
        free, number = base.with_name(f"{base.name}_{number}"), number + 1
    taken.add(_folded(free))
    return free


def _folded(path: Path) -> str:
    return str(path).casefold()


# The check


def check_outputs(request: Request, class_files: Iterable[Path] = ()) -> None:
    """Refuse outputs that cannot be written; remove what killed runs left beside them.

    Args:
        request: Any request of the engine.
        class_files: Vector files of a :class:`.ClassFilesRequest`, see :func:`class_files`.

    Raises:
        OutputError: if an output is an input or another output, whatever the spelling, exists and may not be replaced,
            is open in another program or cannot have that name; or if its folder is missing or not writable.
    """
    outputs = outputs_of(request, class_files)
    task = task_of(request)
    overwrite = bool(getattr(getattr(request, "options", request), "overwrite", False))
    refuse_inputs(outputs, [file_of(path) for path in paths(vars(request), task.inputs)])
    everything = outputs.everything
    folders = {link_target(path).parent: path for path in everything}
    for folder in folders:
        if not folder.is_dir():
            raise OutputError(f"The folder {folder} does not exist.", "Make it first, or choose another.")
        sweep(folder)
    _check_sides(outputs)
    for path in everything:
        _check_file(path, overwrite or path in outputs.updated)
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
                raise OutputError(f"The output {path} is the input itself.", "Choose another output path.")


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
    foreign = [(side, path) for side, path in outputs.sides.items() if not _belongs(side, path, written)]
    if foreign:
        made = _recorded(outputs.records)
        foreign = [(side, path) for side, path in foreign if path.exists() or os.path.realpath(path) not in made]
    for first, path in foreign:
        names = ", ".join(side.name for side, other in foreign if other == path and side != first)
        raise OutputError(
            f"{first} exists and does not belong to {path.name}{f'; nor do {names}' if names else ''}.",
            "Move it elsewhere, or choose another output path.",
        )


def _belongs(side: Path, path: Path, written: Sequence[Path]) -> bool:
    """Return whether a side file belongs to an output, or does not exist."""
    if side.is_symlink():
        return False
    if not side.is_file():
        return True  # a folder is refused elsewhere
    if not path.exists():
        return side.name.endswith(".aux.xml") and is_legend(_text(side))
    shared = _SHARED_SIDES.get(side.suffix, ())
    others = (side.with_suffix(one) for suffix in shared for one in (suffix, suffix.upper()))
    if any(other.exists() and other != path and other not in written for other in others):
        return False
    return side.suffix != _STYLE or "<rasterrenderer" not in _text(side)


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


def _check_file(path: Path, overwrite: bool) -> None:
    check_name(path)
    path = link_target(path)
    if not path.exists():
        return
    if not path.is_file():
        raise OutputError(f"{path} is not a file.", "Choose another output path.")
    if not overwrite:
        raise OutputError(f"{path} exists.", "Choose another output path, or allow overwriting.")
    try:
        os.rename(path, path)  # Windows refuses where another program holds the file
    except OSError as error:
        raise OutputError(
            f"{path} cannot be replaced: {error.strerror}.", "Close it in other programs, QGIS too, or choose another."
        ) from error


def _check_vector(path: Path) -> None:
    place = str(path.absolute())
    if not _is_utf8(place) or (os.sep == "/" and "\\" in place):
        raise OutputError(
            f"GDAL cannot write {path}: the path has a backslash or bytes that are not UTF-8.", "Choose another path."
        )
    if path.suffix == ".gpkg":
        journal = path.with_suffix(".gpkg-wal")
        if journal.is_file() and journal.stat().st_size:  # changes that are not in the file yet
            raise OutputError(f"{path} is open in another program.", "Close the layer there, in QGIS too.")
    if path.suffix == ".parquet":
        load_pyarrow()


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
            f"The folder {folder} is not writable: {error.strerror}.", "Choose another folder."
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
            raise OutputError(f"{path} would be written twice.", "Give each output a path of its own.")
        seen.add(place)
