"""Writes raster layers that the engine cannot open to temporary GeoTIFFs."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsDistanceArea,
    QgsPointXY,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRasterBlockFeedback,
    QgsRasterDataProvider,
    QgsRasterFileWriter,
    QgsRasterPipe,
    QgsRasterRange,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.layer_nodata import nuller, open_source
from dubai_landcover_plugin.processing.web_requests import WebRequests, check_blank
from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.protocol.translation import joined, tr

MAX_DRAWN_PIXELS = 400_000_000
_DEFAULT_ELLIPSOID = "EPSG:7030"


@dataclass(frozen=True)
class RasterInput:
    """Path or provider of a layer, to read it later outside the main thread.

    Args:
        name: The layer's name.
        source: The layer's source, as QGIS writes it.
        path: Path for the engine; empty where the layer must be drawn or copied first.
        reason: Why it must be copied; empty where there is a path.
        provider: A clone of the layer's provider for drawing; None where there is a path.
        crs: The layer's CRS.
        crs_override: CRS that the engine uses instead of the file's, which is missing or another one; empty otherwise.
        nodata: No data value set on the layer that the engine uses in addition to the file's; None otherwise.
        ranges: No data values set on the layer, by band.
        notes: Messages on settings of the layer that the run uses.
        extent: The layer's extent in its CRS.
        flipped: Whether QGIS counts rows downwards from 0 (no georeference) where the engine counts upwards.
        bands: Number of bands.
        has_names: Whether a copy gets the class names of the source.
    """

    name: str
    source: str
    path: str
    reason: str
    provider: QgsRasterDataProvider | None
    crs: QgsCoordinateReferenceSystem
    crs_override: str
    nodata: float | None
    ranges: Mapping[int, Sequence[QgsRasterRange]]
    notes: tuple[str, ...]
    extent: QgsRectangle
    flipped: bool
    bands: int
    has_names: bool = True

    def engine_extent(self, extent: QgsRectangle) -> tuple[float, float, float, float] | None:
        """Return an extent in the layer's CRS as the engine counts; None for an empty one, which means all."""
        if extent.isNull() or extent.isEmpty():
            return None
        if self.flipped:
            return extent.xMinimum(), -extent.yMaximum(), extent.xMaximum(), -extent.yMinimum()
        return extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()


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
        raise QgsProcessingException(
            tr("The extent does not touch the layer '{name}'.", name=source.name) + " " + tr("Choose another extent.")
        )
    step_x, step_y = pixel_size(source, area, gsd, transform_context)
    columns, rows = max(1, math.ceil(area.width() / step_x)), max(1, math.ceil(area.height() / step_y))
    if columns * rows > MAX_DRAWN_PIXELS and not has_pixels(provider):
        raise QgsProcessingException(
            tr(
                "The layer '{name}' would be drawn with {columns} × {rows} px, more than {limit} million. Choose a "
                "smaller extent or a coarser resolution for web layers.",
                name=source.name,
                columns=columns,
                rows=rows,
                limit=round(MAX_DRAWN_PIXELS / 1e6),
            )
        )
    area = QgsRectangle(
        area.xMinimum(), area.yMaximum() - rows * step_y, area.xMinimum() + columns * step_x, area.yMaximum()
    )
    feedback.pushInfo(
        tr(
            "Writing '{name}' to a temporary GeoTIFF of {columns} × {rows} px: {reason}.",
            name=source.name,
            columns=columns,
            rows=rows,
            reason=source.reason,
        )
    )
    path = QgsProcessingUtils.generateTempFilename(f"{_file_name(source.name)}.tif")
    try:
        _write(source, path, columns, rows, area, transform_context, feedback)
        if source.has_names:
            _copy_class_names(source.source, path)
    except BaseException:
        remove_copy(path)
        raise
    return path


def remove_copy(path: str) -> None:
    """Delete a temporary GeoTIFF and its sidecar."""
    for name in (path, f"{path}.aux.xml"):
        Path(name).unlink(missing_ok=True)


def _file_name(text: str) -> str:
    """Return a text as part of a file name, without characters that some systems refuse."""
    return re.sub(r"[^\w-]+", "_", text)[:60].strip("_") or "layer"


def has_pixels(provider: QgsRasterDataProvider) -> bool:
    """Return whether a layer has a resolution of its own; web layers that are drawn have none."""
    return bool(provider.xSize() > 0 and provider.ySize() > 0)


def _copy_class_names(source: str, path: str) -> None:
    """Copy names and colours of classes to a copy of a classified raster, which QGIS does not do.

    Those of a virtual raster are in its files.
    """
    original = open_source(source)
    if original is None:
        return
    tags = [_class_tags(original)]
    if original.GetDriver().ShortName == "VRT" and not tags[0]:
        tags = [_class_tags(part) for part in map(open_source, original.GetFileList() or ()) if part is not None]
    named = [found for found in tags if found]
    if any(found != named[0] for found in named):
        raise QgsProcessingException(
            tr("The files of '{source}' have different classes.", source=source)
            + " "
            + tr("Choose a class scheme, or clear the settings of the layer.")
        )
    copy = gdal.OpenEx(path, gdal.OF_RASTER | gdal.OF_UPDATE)
    if named:
        copy.SetMetadata({**copy.GetMetadata(), **named[0]})
    band, target = original.GetRasterBand(1), copy.GetRasterBand(1)
    if band is not None and band.GetDefaultRAT() is not None:
        target.SetDefaultRAT(band.GetDefaultRAT())
    if band is not None and band.GetCategoryNames():
        target.SetCategoryNames(band.GetCategoryNames())


def _class_tags(dataset: gdal.Dataset) -> dict[str, str]:
    tags = dataset.GetMetadata()
    return {key: tags[key] for key in tags if key.startswith("CLASS_") or key == "UNLABELED_CLASS"}


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
        raise QgsProcessingException(tr("The layer '{name}' cannot be read.", name=source.name))
    if source.ranges:
        pipe.insert(1, nuller(source.provider, source.ranges))
    writer = QgsRasterFileWriter(path)
    writer.setOutputFormat("GTiff")
    writer.setCreateOptions(["TILED=YES", "COMPRESS=DEFLATE", "BIGTIFF=IF_SAFER"])
    block_feedback = QgsRasterBlockFeedback()
    block_feedback.progressChanged.connect(feedback.setProgress)
    feedback.canceled.connect(block_feedback.cancel)
    with WebRequests(source.name, block_feedback) as requests:
        error = writer.writeRaster(pipe, columns, rows, area, source.crs, transform_context, block_feedback)
    if feedback.isCanceled():
        raise RunCancelled(tr("The run was cancelled; nothing was written."))
    requests.check(feedback)
    messages = joined(block_feedback.errors(), mark="; ")
    if error != QgsRasterFileWriter.WriterError.NoError or not os.path.exists(path):
        code = getattr(error, "value", error)
        text = tr("The layer '{name}' could not be drawn (error {code}).", name=source.name, code=code)
        raise QgsProcessingException(f"{text} {messages}".strip())
    if messages:
        feedback.pushWarning(tr("While drawing '{name}': {messages}", name=source.name, messages=messages))
    if not has_pixels(source.provider):
        check_blank(path, source.name, feedback)


def pixel_size(
    source: RasterInput, area: QgsRectangle, gsd: float, transform_context: QgsCoordinateTransformContext
) -> tuple[float, float]:
    """Return the width and height of a pixel in map units: the layer's own, else ``gsd`` at the centre of ``area``."""
    provider = source.provider
    if provider is not None and has_pixels(provider):
        return source.extent.width() / provider.xSize(), source.extent.height() / provider.ySize()
    return ground_size(source.crs, area, gsd, transform_context)


def ground_size(
    crs: QgsCoordinateReferenceSystem,
    area: QgsRectangle,
    length: float,
    transform_context: QgsCoordinateTransformContext,
) -> tuple[float, float]:
    """Return a length on the ground, m, in map units along both axes at the centre of ``area``."""
    if not crs.isValid():
        return length, length
    measure = QgsDistanceArea()
    measure.setSourceCrs(crs, transform_context)
    measure.setEllipsoid(crs.ellipsoidAcronym() or _DEFAULT_ELLIPSOID)
    centre = area.center()
    metres = []
    for dx, dy in ((area.width() / 100, 0.0), (0.0, area.height() / 100)):
        a, b = (
            QgsPointXY(centre.x() - dx / 2, centre.y() - dy / 2),
            QgsPointXY(centre.x() + dx / 2, centre.y() + dy / 2),
        )
        metres.append(measure.measureLine(a, b) / (dx or dy))
    return length / metres[0], length / metres[1]
