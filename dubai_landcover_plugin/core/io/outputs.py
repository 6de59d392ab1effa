"""Which files a request writes.

A request names its main files; :func:`outputs_of` adds those beside them: the run record and the legend of a raster,
the parts of a shapefile, the style of a layer. The names of files that a request leaves to the engine (a folder of
rasters, a file for each class) are chosen here too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.files import link_target
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.requests.tasks import Task, paths, task_of

CLASSES_ENDING, CONFIDENCE_ENDING, NOVELTY_ENDING = "_landcover", "_confidence", "_novelty"
PROBABILITIES_ENDING, BUILDINGS_ENDING, ROADS_ENDING = "_probabilities", "_buildings", "_roads"
RESULT_TAGS = frozenset({"LANDCOVER_RUN", "UNLABELED_CLASS"})
"""A raster with one of these tags is a result of this tool."""
"""Endings of the names of classified, confidence, novelty and probability rasters that a batch writes."""

_SHAPEFILE_PARTS = (".dbf", ".shx", ".prj", ".cpg")
_SHAPEFILE_INDICES = (".qix", ".sbn", ".sbx", ".idm", ".ind", ".qpj")  # the last one is a CRS that QGIS reads
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


def data_sets_with(side: Path) -> list[Path]:
    """Return the files beside a side file that it is read with: a style with any layer of its name, for example."""
    suffixes = (one for suffix in _SHARED_SIDES.get(side.suffix, ()) for one in (suffix, suffix.upper()))
    return [path for path in map(side.with_suffix, suffixes) if path.exists()]


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
    def named(self) -> list[Path]:
        """Main files and records."""
        return [*self.rasters, *self.files, *self.records, *self.vectors, *self.updated]

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


def raster_requests(request: FolderRequest, rasters: Sequence[Path]) -> Iterator[SegmentationRequest]:
    """Yield one request for each raster of a folder; outputs mirror the tree of the folder."""
    for path, base in zip(rasters, _bases(rasters, request)):
        yield SegmentationRequest(
            input=str(path),
            output=f"{base}{CLASSES_ENDING}.tif",
            options=replace(request.options, overwrite=request.options.overwrite or request.redo),
            confidence=f"{base}{CONFIDENCE_ENDING}.tif" if request.confidence else None,
            novelty=f"{base}{NOVELTY_ENDING}.tif" if request.novelty else None,
            probabilities=f"{base}{PROBABILITIES_ENDING}.tif" if request.probabilities else None,
            polygons=f"{base}{CLASSES_ENDING}{request.polygons}" if request.polygons else None,
            buildings=f"{base}{BUILDINGS_ENDING}{request.buildings}" if request.buildings else None,
            roads=f"{base}{ROADS_ENDING}{request.roads}" if request.roads else None,
            building_class=request.building_class,
            road_class=request.road_class,
            report=f"{base}{CLASSES_ENDING}.html" if request.report else None,
            within=request.within,
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
