"""The rasters of a folder on which the area of interest has pixels; the others are left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, LandCoverError, RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.translation import tr

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.io.areas import Areas

_ROWS = 1024  # of a strip in which a pixel is searched


def in_area(
    jobs: Sequence[SegmentationRequest], monitor: Monitor
) -> tuple[list[SegmentationRequest], list[tuple[str, str]]]:
    """Return the requests whose raster has pixels in the area of interest, and path and reason of the others.

    A raster that cannot be opened stays: its run says why.

    Args:
        jobs: Requests for the rasters of a folder, all with the same area or none.
        monitor: May cancel.

    Raises:
        RequestError: if the layer has no polygons or an invalid one, or no raster has pixels in them.
        RasterOpenError: if the layer cannot be read.
        RunCancelled: if the monitor cancels.
    """
    kept, left_out = [], []
    for job in jobs:
        raise_if_cancelled(monitor)
        reason = "" if job.within is None else _reason(job, job.within)
        if reason:
            left_out.append((job.input, reason))
        else:
            kept.append(job)
    if left_out and not kept:
        path, reason = left_out[0]
        raise RequestError(
            tr(
                "No raster has pixels in the polygons of {layer}; {path}: {reason}.",
                layer=jobs[0].within,
                path=path,
                reason=reason,
            ),
            tr("Choose another layer, or check the CRS of the layer and of the rasters."),
        )
    return kept, left_out


def _reason(job: SegmentationRequest, within: str) -> str:
    """Return why a raster is left out; empty if it is not."""
    grid = _grid(job)
    if grid is None:
        return ""
    try:
        return "" if _has_pixels(within, grid) else tr("no pixel has its centre in one of the polygons")
    except GeoreferenceError as error:
        return error.message.rstrip(".")


def _grid(job: SegmentationRequest) -> Grid | None:
    """Return the grid of a raster; None if it cannot be opened."""
    options = SourceOptions(bands=(1,), crs=job.options.crs, pixel_space=job.options.pixel_space)
    try:
        with RasterSource(job.input, ("value",), options) as source:
            return source.grid
    except LandCoverError:
        return None


def _has_pixels(within: str, grid: Grid) -> bool:
    areas = _areas(within, grid)
    strips = (Window(row, 0, min(_ROWS, grid.height - row), grid.width) for row in range(0, grid.height, _ROWS))
    return any(areas.touch(strip) for strip in strips)


def _areas(within: str, grid: Grid) -> Areas:
    """Return the area of interest on a grid."""
    from dubai_landcover_plugin.core.io.areas import read_areas  # loads GDAL a second time; most runs need no polygons

    return read_areas(within, grid, refuse_invalid=True)[0]


def area_digest(job: SegmentationRequest) -> str | None:
    """Return the digest of the area of interest on a raster, as :attr:`.SegmentationResult.area_hash`; None without.

    Raises:
        LandCoverError: if raster or layer cannot be read.
    """
    if job.within is None:
        return None
    grid = _grid(job)
    return None if grid is None else _areas(job.within, grid).digest
