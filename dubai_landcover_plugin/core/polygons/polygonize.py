"""Classified Raster to Polygons and Export Class Polygons: vector files, written as polygons are completed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.confidence import ConfidenceSource
from dubai_landcover_plugin.core.io.files import make_folder
from dubai_landcover_plugin.core.io.memory_layer import MemoryLayer
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.outputs import class_files
from dubai_landcover_plugin.core.io.qml import class_style
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.polygons.polygonizer import Polygonizer, PolygonOptions, Polygons
from dubai_landcover_plugin.core.polygons.tracer import ID_COUNT
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.polygons import (
    ClassFilesRequest,
    ClassFilesResult,
    PolygonFields,
    PolygonizeRequest,
    PolygonizeResult,
)
from dubai_landcover_plugin.protocol.translation import tr

Geometries = npt.NDArray[np.object_]
Floats = npt.NDArray[np.float64]


class _ClassFiles:
    """Open vector files and layers in memory, each for the polygons of some classes."""

    def __init__(
        self,
        stack: ExitStack,
        source: ClassifiedSource,
        options: PolygonOptions,
        files: Mapping[Path, set[int]],
        overwrite: bool,
        layers: Mapping[int, MemoryLayer],
    ) -> None:
        self._source, self._names = source, {entry.id: entry.name for entry in source.scheme.entries}
        self._name = source.image_name
        self._unit = "px" if source.grid.crs is None else "m"
        self._options = options
        kind = "MultiPolygon" if options.corners else "Polygon"
        style, kinds = class_style(source.scheme), self._field_types()
        self._files: list[tuple[VectorWriter, set[int]]] = [
            (stack.enter_context(VectorWriter(path, kind, source.grid.crs, kinds, style, overwrite)), class_ids)
            for path, class_ids in files.items()
        ]
        self._layers = [(layer, {class_id}) for class_id, layer in layers.items()]

    def _field_types(self) -> dict[str, Any]:
        confidence = {"conf_mean": np.float64, "conf_p10": np.float64} if self._options.confidence else {}
        return {
            "class_id": np.int32,
            "class": object,
            "area_m2" if self._unit == "m" else "area_px": np.float64,
            f"perim_{self._unit}": np.float64,
            "compact": np.float64,
            **confidence,
            "source": object,
            "model": object,
        }

    def write(self, polygons: Polygons) -> None:
        """Append polygons to the files of their classes."""
        count = len(polygons.class_ids)
        columns = [
            polygons.class_ids.astype(np.int32),
            np.array([self._names.get(value, "") for value in polygons.class_ids.tolist()], object),
            polygons.areas.round(2),
            polygons.perimeters.round(2),
            polygons.compactness.round(3),
        ]
        if polygons.confidence is not None:
            columns += [polygons.confidence.mean.round(1), polygons.confidence.p10]
        columns += [np.full(count, self._name, object), np.full(count, self._source.model, object)]
        outputs: list[tuple[VectorWriter | MemoryLayer, set[int]]] = [*self._files, *self._layers]
        for file, class_ids in outputs:
            chosen = np.isin(polygons.class_ids, list(class_ids))
            fields = {name: column[chosen] for name, column in zip(self._field_types(), columns, strict=True)}
            file.write(polygons.geometries[chosen], fields)

    def finish(self, monitor: Monitor | None) -> None:
        """Move all files to their final paths.

        Raises:
            RasterReadError: if the raster was changed in the meantime.
        """
        self._source.check_unchanged()
        for file, _ in self._files:
            file.finish(monitor)


def write_polygons(
    source: ClassifiedSource,
    files: Mapping[Path, set[int]],
    options: PolygonOptions,
    monitor: Monitor | None = None,
    overwrite: bool = True,
    layers: Mapping[int, MemoryLayer] | None = None,
) -> dict[str, Any]:
    """Write the polygons of a classified raster to vector files.

    Args:
        source: The raster, open.
        files: Class ids whose polygons each file gets.
        options: See :class:`.PolygonOptions`.
        monitor: Receives progress; may cancel.
        overwrite: Whether existing files may be replaced.
        layers: Layers in memory that get the polygons of one class id each, too.

    Returns:
        Fields of the result: ``counts`` and ``area_m2`` (None without a CRS) by class name, ``conservation``,
        ``scheme``.

    Raises:
        LandCoverError: if the raster or its confidence cannot be read, or a file cannot be written.
    """
    counts, areas = np.zeros(ID_COUNT, np.int64), np.zeros(ID_COUNT)
    with ExitStack() as stack:
        stack.enter_context(limited_cache())
        confidence = None
        if options.confidence:
            confidence = stack.enter_context(ConfidenceSource(options.confidence, source.grid))
        writer = _ClassFiles(stack, source, options, files, overwrite, layers or {})
        polygonizer = Polygonizer(source, options, confidence, monitor=monitor)
        for polygons in polygonizer:
            counts += np.bincount(polygons.class_ids, minlength=ID_COUNT)
            areas += np.bincount(polygons.class_ids, polygons.areas, ID_COUNT)
            writer.write(polygons)
        writer.finish(monitor)
    written = set().union(*files.values())
    names = {entry.name: entry.id for entry in source.scheme.entries if entry.id in written}
    areas_m2 = {name: round(float(areas[value]), 3) for name, value in names.items()}
    return {
        "counts": {name: int(counts[value]) for name, value in names.items()},
        "area_m2": None if source.grid.crs is None else areas_m2,
        "conservation": polygonizer.conservation().to_json(source.scheme),
        "scheme": source.scheme.to_json(),
    }


def polygonize(request: PolygonizeRequest, monitor: Monitor | None = None) -> PolygonizeResult:
    """Write the polygons of a classified raster to one vector file.

    Raises:
        LandCoverError: if the raster is not a classified raster, a class is unknown or the file cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import polygonize
        >>> from dubai_landcover_plugin.protocol.requests import PolygonizeRequest
        >>> result = polygonize(PolygonizeRequest("landcover.tif", "polygons.gpkg", min_area=0))
        >>> result.counts["Building"]
        2
    """
    check_outputs(request)
    return polygonize_checked(request, monitor or LoggingMonitor())


def polygonize_checked(request: PolygonizeRequest, monitor: Monitor) -> PolygonizeResult:
    """Do as :func:`polygonize` where :func:`.check_outputs` has accepted the output."""
    with ClassifiedSource(request.input, request.scheme) as source:
        _log(source.notes, monitor)
        classes = [source.scheme.find(name) for name in request.classes] or source.scheme.entries
        outcome = write_polygons(
            source,
            {Path(request.output): {entry.id for entry in classes}},
            _options(request),
            monitor,
            request.overwrite,
        )
    monitor.report(1, 1, "")
    return PolygonizeResult(file=request.output, **outcome, warnings=tuple(source.notes))


def export_class_polygons(request: ClassFilesRequest, monitor: Monitor | None = None) -> ClassFilesResult:
    """Write one vector file for each chosen class.

    Raises:
        LandCoverError: if the raster is not a classified raster, a class is unknown or a file cannot be written.

    Example:
        >>> from dubai_landcover_plugin.core import export_class_polygons
        >>> from dubai_landcover_plugin.protocol.requests import ClassFilesRequest
        >>> request = ClassFilesRequest("landcover.tif", "classes", classes=("Building", "Road"), suffix=".gpkg")
        >>> sorted(export_class_polygons(request).files)
        ['Building', 'Road']
    """
    monitor = monitor or LoggingMonitor()
    with ClassifiedSource(request.input, request.scheme) as source:
        _log(source.notes, monitor)
        classes = [source.scheme.find(name) for name in request.classes]
        folder = Path(request.output_folder)
        named = class_files(folder, request.suffix, source.scheme)
        paths = {entry: named[entry] for entry in classes}
        make_folder(folder)
        check_outputs(request, paths.values())
        outcome = write_polygons(
            source,
            {path: {entry.id} for entry, path in paths.items()},
            _options(request),
            monitor,
            request.overwrite,
        )
        unit = tr("px" if source.grid.crs is None else "m²")
    notes = [
        tr(
            "No polygon of class {name} reaches the minimum area of {min_area:g} {unit}: its file is empty.",
            name=name,
            min_area=request.min_area,
            unit=unit,
        )
        for name, count in outcome["counts"].items()
        if not count
    ]
    _log(notes, monitor)
    monitor.report(1, 1, "")
    files = {entry.name: str(path) for entry, path in paths.items()}
    return ClassFilesResult(files=files, **outcome, warnings=(*source.notes, *notes))


def _log(notes: Iterable[str], monitor: Monitor) -> None:
    for note in notes:
        monitor.log("warning", note)


def _options(request: PolygonFields) -> PolygonOptions:
    """Return the options that both requests share."""
    return PolygonOptions(request.min_area, request.simplify, request.corners, request.confidence)
