"""Layers as the engine can open them: a path, or a temporary GeoTIFF written from the layer.

The engine is another process: it can open what GDAL opens from a path, but no web service, no layer in QGIS's memory
and no source that needs QGIS's passwords. Those are copied first.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsDistanceArea,
    QgsMapLayer,
    QgsPointXY,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProviderRegistry,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRasterFileWriter,
    QgsRasterLayer,
    QgsRasterPipe,
    QgsRectangle,
    QgsVectorLayer,
)

from dubai_landcover_plugin.processing.algorithm import tr
from dubai_landcover_plugin.protocol.errors import RequestError

MAX_DRAWN_PIXELS = 400_000_000
_DEFAULT_ELLIPSOID = "EPSG:7030"


@dataclass(frozen=True)
class RasterInput:
    """Path or provider of a layer, to read it later outside the main thread.

    Args:
        name: The layer's name.
        path: Path for the engine; empty where the layer must be drawn or copied first.
        provider: A clone of the layer's provider for drawing; None where there is a path.
        crs: The layer's CRS.
        crs_override: CRS that the engine uses instead of the file's, which is missing or another one; empty otherwise.
        extent: The layer's extent in its CRS.
        flipped: Whether QGIS counts rows downwards from 0 (no georeference) where the engine counts upwards.
        bands: Number of bands.
    """

    name: str
    path: str
    provider: QgsRasterDataProvider | None
    crs: QgsCoordinateReferenceSystem
    crs_override: str
    extent: QgsRectangle
    flipped: bool
    bands: int

    def engine_extent(self, extent: QgsRectangle) -> tuple[float, float, float, float] | None:
        """Return an extent in the layer's CRS as the engine counts; None for an empty one, which means all."""
        if extent.isNull() or extent.isEmpty():
            return None
        if self.flipped:
            return extent.xMinimum(), -extent.yMaximum(), extent.xMaximum(), -extent.yMinimum()
        return extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()


def raster_input(layer: QgsRasterLayer) -> RasterInput:
    """Return how the engine reads ``layer``; call it in the main thread."""
    path = engine_path(layer)
    provider = layer.dataProvider()
    flipped = bool(path) and _has_no_transform(path)
    own = provider.crs()
    override = ""
    if path and not flipped and layer.crs().isValid() and layer.crs() != own:
        override = layer.crs().authid() or layer.crs().toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED)
    return RasterInput(
        name=layer.name(),
        path=path,
        provider=None if path else provider.clone(),
        crs=layer.crs(),
        crs_override=override,
        extent=layer.extent(),
        flipped=flipped,
        bands=layer.bandCount(),
    )


def engine_path(layer: QgsRasterLayer) -> str:
    """Return the path or GDAL connection string of a layer, or nothing where another process cannot open it."""
    if layer.providerType() != "gdal":
        return ""
    source = layer.source()
    parts = QgsProviderRegistry.instance().decodeUri("gdal", source)
    path = str(parts.get("path") or "")
    if not path or "authcfg=" in source or parts.get("openOptions") or parts.get("credentialOptions"):
        return ""
    if source.startswith("/vsimem/"):
        return ""
    if parts.get("vsiPrefix") or parts.get("layerName") or not os.path.exists(path):
        return source  # inside an archive, on the web, a subdataset or a connection string
    return os.path.abspath(path)


def _has_no_transform(path: str) -> bool:
    """Return whether a raster has neither transform nor ground control points."""
    try:
        dataset = gdal.OpenEx(path, gdal.OF_RASTER)
    except RuntimeError:
        dataset = None
    if dataset is None:
        return False
    return dataset.GetGeoTransform(can_return_null=True) is None and dataset.GetGCPCount() == 0


@contextmanager
def opened_for_engine(
    source: RasterInput,
    extent: QgsRectangle,
    gsd: float,
    transform_context: QgsCoordinateTransformContext,
    feedback: QgsProcessingFeedback,
) -> Iterator[tuple[str, tuple[float, float, float, float] | None]]:
    """Yield the path and the extent for the request; a copy of the layer is deleted afterwards.

    Args and errors are those of :func:`draw_to_file`.
    """
    if source.path:
        yield source.path, source.engine_extent(extent)
        return
    path = draw_to_file(source, extent, gsd, transform_context, feedback)
    try:
        yield path, None
    finally:
        for name in (path, f"{path}.aux.xml"):
            Path(name).unlink(missing_ok=True)


def draw_to_file(
    source: RasterInput,
    extent: QgsRectangle,
    gsd: float,
    transform_context: QgsCoordinateTransformContext,
    feedback: QgsProcessingFeedback,
) -> str:
    """Write the part of a layer inside ``extent`` to a temporary GeoTIFF and return its path.

    Web layers come as the image that the server draws; other layers as their values, at their own resolution.

    Args:
        source: A layer without a path.
        extent: In the layer's CRS; an empty one takes the whole layer.
        gsd: Ground sampling distance at which a layer without a resolution is drawn, m/px.
        transform_context: The project's.
        feedback: Receives progress; may cancel.

    Raises:
        QgsProcessingException: if the extent is outside the layer, too large, or the layer cannot be read.
    """
    provider = source.provider
    area = source.extent if extent.isNull() or extent.isEmpty() else source.extent.intersect(extent)
    if provider is None or area.isEmpty():
        raise QgsProcessingException(f"The extent does not touch the layer '{source.name}'. Choose another extent.")
    step_x, step_y = _pixel_size(source, area, gsd, transform_context)
    columns, rows = max(1, math.ceil(area.width() / step_x)), max(1, math.ceil(area.height() / step_y))
    if columns * rows > MAX_DRAWN_PIXELS:
        raise QgsProcessingException(
            f"The layer '{source.name}' would be drawn with {columns} × {rows} px, more than "
            f"{MAX_DRAWN_PIXELS / 1e6:.0f} million. Choose a smaller extent or a coarser resolution for web layers."
        )
    area = QgsRectangle(
        area.xMinimum(), area.yMaximum() - rows * step_y, area.xMinimum() + columns * step_x, area.yMaximum()
    )
    feedback.pushInfo(f"Drawing '{source.name}' to a temporary GeoTIFF of {columns} × {rows} px.")
    path = QgsProcessingUtils.generateTempFilename("drawn_layer.tif")
    _write(source, path, columns, rows, area, transform_context, feedback)
    return path


def _write(
    source: RasterInput,
    path: str,
    columns: int,
    rows: int,
    area: QgsRectangle,
    transform_context: QgsCoordinateTransformContext,
    feedback: QgsProcessingFeedback,
) -> None:
    """Run QGIS's raster writer over a clone of the provider and check the result."""
    pipe = QgsRasterPipe()
    if source.provider is None or not pipe.set(source.provider.clone()):
        raise QgsProcessingException(f"The layer '{source.name}' cannot be read.")
    writer = QgsRasterFileWriter(path)
    writer.setOutputFormat("GTiff")
    writer.setCreateOptions(["TILED=YES", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"])
    block_feedback = QgsRasterBlockFeedback()
    block_feedback.progressChanged.connect(feedback.setProgress)
    feedback.canceled.connect(block_feedback.cancel)
    error = writer.writeRaster(pipe, columns, rows, area, source.crs, transform_context, block_feedback)
    if feedback.isCanceled():
        raise QgsProcessingException("The run was cancelled; nothing was written.")
    messages = "; ".join(block_feedback.errors())
    if error != QgsRasterFileWriter.WriterError.NoError or not os.path.exists(path):
        code = getattr(error, "value", error)
        raise QgsProcessingException(f"The layer '{source.name}' could not be drawn (error {code}). {messages}".strip())
    if messages:
        feedback.pushWarning(f"While drawing '{source.name}': {messages}")


def _pixel_size(
    source: RasterInput, area: QgsRectangle, gsd: float, transform_context: QgsCoordinateTransformContext
) -> tuple[float, float]:
    """Return the width and height of a pixel in map units: the layer's own, else ``gsd`` at the centre of ``area``."""
    provider = source.provider
    if provider is not None and provider.xSize() > 0 and provider.ySize() > 0:
        return source.extent.width() / provider.xSize(), source.extent.height() / provider.ySize()
    if not source.crs.isValid():
        return gsd, gsd
    measure = QgsDistanceArea()
    measure.setSourceCrs(source.crs, transform_context)
    measure.setEllipsoid(source.crs.ellipsoidAcronym() or _DEFAULT_ELLIPSOID)
    centre = area.center()
    metres = []
    for dx, dy in ((area.width() / 100, 0.0), (0.0, area.height() / 100)):
        a, b = (
            QgsPointXY(centre.x() - dx / 2, centre.y() - dy / 2),
            QgsPointXY(centre.x() + dx / 2, centre.y() + dy / 2),
        )
        metres.append(measure.measureLine(a, b) / (dx or dy))
    return gsd / metres[0], gsd / metres[1]


_FORMATS = ["gpkg", "shp", "geojson", "fgb"]


def vector_source(
    algorithm: QgsProcessingAlgorithm,
    parameters: Mapping[str, Any],
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> str:
    """Return a vector parameter as the engine reads it, ``path|layername=NAME``; empty where none was chosen.

    Layers in memory, selections and what the engine cannot open are written to a temporary file.
    """
    if not parameters.get(name):
        return ""
    path, layer = algorithm.parameterAsCompatibleSourceLayerPathAndLayerName(
        parameters, name, context, _FORMATS, "gpkg", feedback
    )
    if not path:
        return ""
    return f"{os.path.abspath(path)}|layername={layer}" if layer else os.path.abspath(path)


def raster_path(
    algorithm: QgsProcessingAlgorithm, parameters: Mapping[str, Any], name: str, context: QgsProcessingContext
) -> str:
    """Return the path of a raster parameter; empty where none was chosen.

    Raises:
        RequestError: if the layer is broken or no file.
    """
    layer: QgsRasterLayer | None = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        if not parameters.get(name):
            return ""
        raise RequestError(algorithm.invalidRasterError(parameters, name))
    path = engine_path(layer) if layer.isValid() else ""
    if not path:
        raise RequestError(
            tr("The layer '{name}' is not a raster file.").format(name=layer.name()), tr("Save it as GeoTIFF first.")
        )
    return path


def check_saved(value: Any, context: QgsProcessingContext) -> None:
    """Refuse a layer with edits that only QGIS knows: the engine reads the file.

    Raises:
        RequestError: naming the layer.
    """
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source.staticValue()
    layer: QgsMapLayer | None = value if isinstance(value, QgsMapLayer) else None
    if isinstance(value, str) and value:
        layer = QgsProcessingUtils.mapLayerFromString(value, context, False)
    if isinstance(layer, QgsVectorLayer) and layer.isModified():
        raise RequestError(
            tr("The layer '{name}' has edits that are not saved.").format(name=layer.name()),
            tr("Save them first (Save Layer Edits)."),
        )
