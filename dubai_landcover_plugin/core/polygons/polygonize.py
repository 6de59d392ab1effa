"""Polygons of a classified raster as vector files, written as they are completed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.core.io.files import make_folder
from dubai_landcover_plugin.core.io.outputs import check_outputs, class_files
from dubai_landcover_plugin.core.io.qml import class_style
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.polygons.polygonizer import PolygonMaker, Polygons, Shape
from dubai_landcover_plugin.core.polygons.tracer import IDS
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.polygons import (
    ClassFilesRequest,
    ClassFilesResult,
    PolygonizeRequest,
    PolygonizeResult,
)

Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


class _ClassFiles:
    """Vector files open for polygons, each for some classes."""

    def __init__(
        self, stack: ExitStack, source: ClassifiedSource, shape: Shape, files: Mapping[Path, set[int]]
    ) -> None:
        self._source, self._names = source, {entry.id: entry.name for entry in source.scheme.entries}
        self._unit = "px" if source.grid.crs is None else "m"
        self._shape = shape
        kind = "MultiPolygon" if shape.corners else "Polygon"
        style = class_style(source.scheme)
        self._files = [
            (stack.enter_context(VectorWriter(path, kind, source.grid.crs, self._kinds(), style)), wanted)
            for path, wanted in files.items()
        ]

    def _kinds(self) -> dict[str, Any]:
        sure = {"conf_mean": np.float64, "conf_p10": np.float64} if self._shape.confidence else {}
        return {
            "class_id": np.int32,
            "class": object,
            "area_m2" if self._unit == "m" else "area_px": np.float64,
            f"perim_{self._unit}": np.float64,
            "compact": np.float64,
            **sure,
            "source": object,
            "model": object,
        }

    def write(self, polygons: Polygons) -> None:
        """Write polygons to the files of their classes."""
        count = len(polygons.class_ids)
        columns = [
            polygons.class_ids.astype(np.int32),
            np.array([self._names.get(value, "") for value in polygons.class_ids.tolist()], object),
            polygons.areas,
            polygons.perimeters,
            polygons.compactness,
        ]
        if polygons.sureness is not None:
            columns += [polygons.sureness.mean, polygons.sureness.tenth]
        columns += [np.full(count, Path(self._source.path).name, object), np.full(count, self._source.model, object)]
        for file, wanted in self._files:
            own = np.isin(polygons.class_ids, list(wanted))
            fields = {name: column[own] for name, column in zip(self._kinds(), columns, strict=True)}
            file.write(polygons.geometries[own], fields)

    def finish(self) -> None:
        """Put all files in their places."""
        for file, _ in self._files:
            file.finish()


def write_polygons(
    source: ClassifiedSource, files: Mapping[Path, set[int]], shape: Shape, monitor: Monitor | None = None
) -> dict[str, Any]:
    """Write the polygons of a classified raster into files by class id.

    Returns:
        ``counts`` and ``area_m2`` (None without a CRS) by class name, ``conservation``, ``scheme``.

    Raises:
        LandCoverError: if the raster or its confidence cannot be read, or a file cannot be written.
    """
    counts, areas = np.zeros(IDS, np.int64), np.zeros(IDS)
    with ExitStack() as stack:
        stack.enter_context(limited_cache())
        sure = None
        if shape.confidence:
            sure = stack.enter_context(ConfidenceSource(shape.confidence, source.grid))
        writer = _ClassFiles(stack, source, shape, files)
        maker = PolygonMaker(source, shape, sure, monitor=monitor)
        source.check_ids(np.flatnonzero(maker.conservation().raster).tolist())
        for polygons in maker:
            counts += np.bincount(polygons.class_ids, minlength=IDS)
            areas += np.bincount(polygons.class_ids, polygons.areas, IDS)
            writer.write(polygons)
        writer.finish()
    wanted = set().union(*files.values())
    names = {entry.name: entry.id for entry in source.scheme.entries if entry.id in wanted}
    in_metres = {name: round(float(areas[value]), 3) for name, value in names.items()}
    return {
        "counts": {name: int(counts[value]) for name, value in names.items()},
        "area_m2": None if source.grid.crs is None else in_metres,
        "conservation": maker.conservation().to_json(source.scheme),
        "scheme": source.scheme.to_json(),
    }


def polygonize(request: PolygonizeRequest, monitor: Monitor | None = None) -> PolygonizeResult:
    """Write the polygons of a classified raster into one vector file.

    Raises:
        LandCoverError: if the raster is no class map, a class is unknown or the file cannot be written.
    """
    monitor = monitor or LoggingMonitor()
    with ClassifiedSource(request.input) as source:
        classes = [source.scheme.find(name) for name in request.classes] or source.scheme.entries
        check_outputs(request)
        shape = Shape(request.min_area, request.simplify, request.corners, request.confidence)
        outcome = write_polygons(source, {Path(request.output): {entry.id for entry in classes}}, shape, monitor)
    monitor.report(1, 1, "")
    return PolygonizeResult(file=request.output, **outcome)


def export_class_polygons(request: ClassFilesRequest, monitor: Monitor | None = None) -> ClassFilesResult:
    """Write one vector file for each chosen class.

    Raises:
        LandCoverError: if the raster is no class map, a class is unknown or a file cannot be written.
    """
    monitor = monitor or LoggingMonitor()
    with ClassifiedSource(request.input) as source:
        wanted = [source.scheme.find(name) for name in request.classes]
        folder = Path(request.output_folder)
        named = class_files(folder, request.suffix, source.scheme)
        paths = {entry: named[entry] for entry in wanted}
        make_folder(folder)
        check_outputs(request, paths.values())
        shape = Shape(request.min_area, request.simplify, request.corners, request.confidence)
        outcome = write_polygons(source, {path: {entry.id} for entry, path in paths.items()}, shape, monitor)
    notes = [
        f"No polygon of class {name} is as large as {request.min_area:g}: its file is empty."
        for name, count in outcome["counts"].items()
        if not count
    ]
    for note in notes:
        monitor.log("warning", note)
    monitor.report(1, 1, "")
    files = {entry.name: str(path) for entry, path in paths.items()}
    return ClassFilesResult(files=files, **outcome, warnings=tuple(notes))
