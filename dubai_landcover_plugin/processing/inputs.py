"""Raster layers as the engine can open them: a path, or a temporary GeoTIFF written from the layer.

The engine is another process: it can open what its GDAL opens from a path, but no web service, no layer in QGIS's
memory, no format of QGIS's GDAL alone and no source that needs QGIS's passwords. Those are copied first, and so are
layers with settings that the engine has no option for, such as ranges of no data values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsMapLayer,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
    QgsProviderRegistry,
    QgsRasterLayer,
    QgsRectangle,
)

from dubai_landcover_plugin.processing.layer_nodata import (
    ignores_nodata,
    nodata_text,
    open_source,
    single_value,
    user_nodata,
    without_nodata,
)
from dubai_landcover_plugin.processing.raster_copies import RasterInput, draw_to_file, remove_copy
from dubai_landcover_plugin.protocol.raster_formats import is_engine_format
from dubai_landcover_plugin.protocol.translation import tr

_IMAGE_BANDS = 3  # red, green, blue


def raster_input(layer: QgsRasterLayer, has_options: bool = True) -> RasterInput:
    """Return how the engine reads ``layer``; call it in the main thread.

    Args:
        layer: A valid layer.
        has_options: Whether the request can override the file's CRS and add a no data value; without, a layer with
            such settings is copied.
    """
    path, source, provider = engine_path(layer), layer.source(), layer.dataProvider()
    reason = "" if path else tr("the engine cannot open its source")
    notes = []
    flipped = bool(path) and _has_no_transform(path)
    override, nodata = "", None
    if path and not flipped and layer.crs().isValid() and layer.crs() != provider.crs():
        override = layer.crs().authid() or layer.crs().toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED)
        reason = "" if has_options else tr("another CRS is set on the layer")
    ranges = user_nodata(provider)
    if ignores_nodata(provider):
        notes.append(tr("The no data value of '{name}' is not used, as set on the layer.", name=layer.name()))
        source = without_nodata(layer)
        wrapped = QgsRasterLayer(source, "")  # owns the provider
        path, provider = source if path else "", wrapped.dataProvider()
    if ranges:
        nodata = single_value(ranges, layer.bandCount())
        notes.append(
            tr(
                "No data values set on the layer '{name}' are used: {values}.",
                name=layer.name(),
                values=nodata_text(ranges),
            )
        )
        if path and (nodata is None or not has_options):
            reason = tr("no data values are set on the layer")
    path = "" if reason else path
    return RasterInput(
        name=layer.name(),
        source=source,
        path=path,
        reason=reason,
        provider=None if path else provider.clone(),
        crs=layer.crs(),
        crs_override=override if path else "",
        nodata=nodata if path else None,
        ranges=ranges,
        notes=tuple(notes),
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
    if not _engine_reads(source):
        return ""
    if parts.get("vsiPrefix") or parts.get("layerName") or not os.path.exists(path):
        return source  # inside an archive, on the web, a subdataset or a connection string
    return os.path.abspath(path)


def is_classified(layer: QgsRasterLayer) -> bool:
    """Return whether a layer is a classified raster that the engine has written, by its tags."""
    if layer.providerType() != "gdal" or layer.bandCount() != 1:
        return False
    dataset = open_source(layer.source())
    return dataset is not None and bool(dataset.GetMetadataItem("UNLABELED_CLASS"))


def proposed_image(project: QgsProject, active: QgsMapLayer | None) -> QgsMapLayer | None:
    """Return the layer that a run should start with: the active one if it can be classified, else the topmost image.

    Args:
        project: Holds the layers.
        active: The active layer of QGIS.

    Returns:
        None where no raster has three bands; results of the plugin and web maps are not proposed.
    """
    if isinstance(active, QgsRasterLayer) and not is_classified(active):
        return active
    for layer in project.layerTreeRoot().layerOrder():
        is_file = isinstance(layer, QgsRasterLayer) and layer.providerType() == "gdal"
        if is_file and layer.bandCount() >= _IMAGE_BANDS:
            return layer
    return None


def path_is_temporary(path: str) -> bool:
    """Return whether a file is in QGIS's folder of temporary files, where its name means nothing."""
    folder = os.path.realpath(QgsProcessingUtils.tempFolder())
    return os.path.realpath(path).startswith(folder + os.sep)


def _engine_reads(source: str) -> bool:
    """Return whether the engine's GDAL has the driver of a source, and of the files of a virtual raster."""
    dataset = open_source(source)
    if dataset is None:
        return True  # the engine says what is wrong with it
    if dataset.GetDriver().ShortName != "VRT":
        return is_engine_format(dataset.GetDriver().ShortName)
    drivers = [gdal.IdentifyDriver(path) for path in dataset.GetFileList() or () if not path.endswith(".aux.xml")]
    return all(driver is None or is_engine_format(driver.ShortName) for driver in drivers)


def _has_no_transform(path: str) -> bool:
    """Return whether a raster has neither transform nor ground control points."""
    dataset = open_source(path)
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
    for note in source.notes:
        feedback.pushInfo(note)
    if source.path:
        yield source.path, source.engine_extent(extent)
        return
    path = draw_to_file(source, extent, gsd, transform_context, feedback)
    try:
        yield path, None
    finally:
        remove_copy(path)
