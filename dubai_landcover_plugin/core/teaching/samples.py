"""Samples that a user draws on a raster, and the pixels that they cover."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import to_pixels
from dubai_landcover_plugin.core.grid.work_grid import WorkGrid
from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.requests.session import SampleSpec
from dubai_landcover_plugin.protocol.translation import tr

MAX_PIXELS = 200
"""Pixels of a sample that the fit uses; more of one place say little more."""
_LARGEST = 512  # cells along each side on which a large polygon is drawn

Cells = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Sample:
    """A point, line or polygon of one class.

    Args:
        id: Identifies the sample.
        class_id: Raster id of its class.
        geometry: Its geometry in pixel coordinates of the raster: columns and rows, from the upper-left corner.
        brush: Width of points and lines, px; 0 for the pixels that they touch.
        only: Raster id of the class that the model gives the pixels that count; 0 for all pixels.
    """

    id: str
    class_id: int
    geometry: BaseGeometry
    brush: float = 0.0
    only: int = 0

    @property
    def key(self) -> str:
        """Sorts samples by content, so that neither their order nor their ids matter."""
        return f"{self.class_id} {self.brush} {self.geometry.wkt} {self.only}"


def sample_of(spec: SampleSpec, transform: Affine) -> Sample:
    """Return a sample of a message, in pixel coordinates.

    Args:
        spec: The sample in map coordinates.
        transform: From pixel corners to map coordinates.

    Raises:
        RequestError: if its geometry is not WKT.
    """
    try:
        geometry = shapely.from_wkt(spec.geometry)
    except (ShapelyError, TypeError, ValueError) as error:
        raise RequestError(
            tr("The geometry of the sample '{name}' is not WKT: {error!s:.200}.", name=spec.id, error=error)
        ) from error
    return Sample(spec.id, spec.class_id, to_pixels(geometry, transform), spec.brush)


def class_of(value: Mapping[str, Any]) -> LandCoverClass:
    """Return a new class of a message.

    Raises:
        ClassSchemeError: if a part is missing or invalid.
    """
    try:
        return LandCoverClass(**value)
    except TypeError as error:
        raise ClassSchemeError(tr("A new class needs id, name and colour, got {value!s:.100}.", value=value)) from error


def work_cells(sample: Sample, grid: Grid, work: WorkGrid) -> Cells:
    """Return the working pixels that a sample covers as (N, 2) rows and columns, sorted, without repetition.

    Points and lines without a brush cover the pixels that they touch, other samples those with their centre inside, and
    at least those that they touch. Polygons of more than 512 px a side are drawn on coarser cells.

    Raises:
        RequestError: if the sample is empty or outside of the raster.
    """
    shape = sample.geometry
    is_area = shape.geom_type in ("Polygon", "MultiPolygon")
    if sample.brush > 0 and not is_area:
        shape, is_area = shape.buffer(sample.brush / 2), True
    if shape.is_empty or not np.isfinite(shape.bounds).all():
        raise RequestError(tr("The sample '{name}' has no geometry.", name=sample.id), tr("Draw it again."))
    left, top, right, bottom = shape.bounds
    first_col, first_row = max(math.floor(left), 0), max(math.floor(top), 0)
    last_col, last_row = min(math.floor(right) + 1, grid.width), min(math.floor(bottom) + 1, grid.height)
    if first_col >= last_col or first_row >= last_row:
        raise RequestError(
            tr(
                "The sample '{name}' is outside of the raster: it covers columns {left:.0f} to {right:.0f} and "
                "rows {top:.0f} to {bottom:.0f} of {width}×{height} px.",
                name=sample.id,
                left=left,
                right=right,
                top=top,
                bottom=bottom,
                width=grid.width,
                height=grid.height,
            ),
            tr("Draw it on the raster, in the raster's CRS."),
        )
    step = max(-(-max(last_col - first_col, last_row - first_row) // _LARGEST), 1)
    size = -(-(last_row - first_row) // step), -(-(last_col - first_col) // step)
    transform = Affine.translation(first_col, first_row) @ Affine.scale(step)
    burnt = np.zeros(size, np.uint8)
    for touched in (False, True) if is_area else (True,):
        if not burnt.any():
            burnt = rasterio.features.rasterize([shape], size, transform=transform, all_touched=touched, dtype="uint8")
    rows, cols = np.nonzero(burnt)
    if not len(rows):
        raise RequestError(
            tr("The sample '{name}' covers no pixel of the raster.", name=sample.id), tr("Draw it on the raster.")
        )
    # Centres of the raster's pixels, then the working pixels that contain them.
    rows = np.minimum(first_row + rows * step + step // 2, grid.height - 1)
    cols = np.minimum(first_col + cols * step + step // 2, grid.width - 1)
    rows = np.minimum(((rows + 0.5) / work.scale[0]).astype(np.intp), work.height - 1)
    cols = np.minimum(((cols + 0.5) / work.scale[1]).astype(np.intp), work.width - 1)
    return np.column_stack(np.divmod(np.unique(rows * work.width + cols), work.width))


def chosen(cells: Cells, most: int = MAX_PIXELS) -> Cells:
    """Return at most ``most`` of some cells, drawn at random with a fixed seed."""
    if len(cells) <= most:
        return cells
    return cells[np.sort(np.random.default_rng(0).choice(len(cells), most, replace=False))]
