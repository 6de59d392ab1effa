"""Plans a run before any window is computed: working resolution, windows, stretch, disk space."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import TileGrid, fitting_side
from dubai_landcover_plugin.core.grid.work_grid import MAX_UPSAMPLING, WorkGrid, is_near, is_too_coarse, work_grid
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.runtimes.runtime import VIEWS
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.core.segmentation.scaling import fixed_scaling
from dubai_landcover_plugin.core.segmentation.stretch_choice import choose_stretch
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.segmentation.area_of_interest import AreaOfInterest

SEAM = 24
"""Default overlap of windows, px; less if twice the receptive radius is less.

Measured with the shipped model on seven mosaics of Dubai: with 24 px as with 64 px, classes change across the middle of
the overlap as often as on parallel lines 16 px away (0.99 to 1.02 times); without overlap three times as often. The
accuracy on the labels is the same within 0.001.
"""
_PIXEL_M = (1e-4, 1e7)  # smallest and largest side of a pixel on the ground, m
_BYTES_PER_PIXEL = 0.35  # upper bound for compressed classified rasters with overviews


@dataclass(frozen=True)
class Plan:
    """The plan of a run.

    Args:
        work: The working pixels.
        tiles: The windows over them.
        stretch: Stretch of pixel values to 0..255, rounded to 8 bits or not.
        notes: Messages for the log.
        warnings: Warnings for the user.
        area: The polygons that are classified; None: the whole raster.
    """

    work: WorkGrid
    tiles: TileGrid
    stretch: Stretch
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    area: AreaOfInterest | None = None

    @property
    def windows(self) -> int:
        """Number of windows to compute, where the raster has data."""
        return len(self.tiles) if self.area is None else self.area.windows


@dataclass
class PlanMessages:
    """Messages and warnings collected while planning."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def make_plan(request: SegmentationRequest, source: RasterSource, metadata: BundleMetadata) -> Plan:
    """Return the plan of a run.

    Args:
        request: The request.
        source: The open raster.
        metadata: Metadata of the model.

    Raises:
        RequestError: if window, overlap or stretch do not fit the raster, or the area of interest has no valid polygon.
        GeoreferenceError: if the area of interest is not on the raster.
        TilingError: if the overlap is not smaller than the window.
        RasterReadError: if the sample for the stretch cannot be read.
    """
    options = request.options
    messages = PlanMessages()
    work = _work_grid(source.grid, metadata.gsd, options, messages)
    tiles = _tiles(work, metadata, options)
    area = None
    if request.within:
        # Imported here: other runs need no library for vectors.
        from dubai_landcover_plugin.core.segmentation.area_of_interest import area_of_interest

        area, notes, warnings = area_of_interest(request.within, source.grid, work, tiles)
        messages.notes += notes
        messages.warnings += warnings
    if metadata.scaling is None:
        chosen = choose_stretch(source, options, metadata.values)
    else:
        chosen = fixed_scaling(source, options, metadata, metadata.scaling)
    messages.notes += chosen.notes
    messages.warnings += chosen.warnings
    height, width = tiles.window_shape
    messages.notes.append(
        tr(
            "{raster_height}×{raster_width} px, {windows} windows of {height}×{width} px, overlap {overlap} px.",
            raster_height=source.grid.height,
            raster_width=source.grid.width,
            windows=len(tiles),
            height=height,
            width=width,
            overlap=tiles.overlap,
        )
    )
    if options.tta:
        messages.notes.append(tr("Test-time augmentation: every window is computed {views} times.", views=VIEWS))
    _check_disk(request, source.grid, metadata.spec.classes, messages)
    if not work.is_native:
        source.check_overviews(min(work.scale))
    looks_empty = source.nodata_warning()
    if looks_empty is not None:
        messages.warnings.append(looks_empty)
    return Plan(work, tiles, chosen.stretch, tuple(messages.notes), tuple(messages.warnings), area)


def _tiles(work: WorkGrid, metadata: BundleMetadata, options: SegmentOptions) -> TileGrid:
    """Return the windows: of the requested size, or of a size near the model's that fits the raster.

    They depend only on request, raster and model, so that the result does not depend on the machine.
    """
    # Overlap: twice the receptive radius, at most SEAM px and half a window.
    preferred = options.window or metadata.window
    overlap = options.overlap
    if overlap is None:
        radius = metadata.receptive_radius
        overlap = min(SEAM, preferred // 2) if radius is None else min(2 * radius, SEAM, preferred // 2)
    if overlap > preferred // 2:
        raise RequestError(
            tr(
                "The overlap must be at most half the window, {most} px, got {overlap} px.",
                most=preferred // 2,
                overlap=overlap,
            ),
            tr("Lower the overlap or increase the window."),
        )
    if options.window is not None:
        return TileGrid(work.height, work.width, preferred, overlap)
    sides = (fitting_side(length, preferred, overlap, metadata.stride) for length in (work.height, work.width))
    return TileGrid(work.height, work.width, tuple(sides), overlap)  # type: ignore[arg-type]


def _work_grid(grid: Grid, model_gsd: float, options: SegmentOptions, messages: PlanMessages) -> WorkGrid:
    """Return the working pixels: resampled if the raster's GSD differs from the model's by more than the tolerance."""
    native = WorkGrid(grid.height, grid.width)
    size = (options.gsd, options.gsd) if options.gsd is not None else grid.pixel_size_m()
    if size is None:
        messages.warnings.append(
            tr(
                "The pixel size is unknown: the raster is read at its own resolution, the model expects "
                "{model_gsd:g} m/px. Give the ground sampling distance if it differs.",
                model_gsd=model_gsd,
            )
        )
        return native
    if grid.measured_on == "ellipsoid":
        messages.notes.append(
            tr("Areas and lengths are measured on the WGS 84 ellipsoid, not in the plane of the CRS.")
        )
    if grid.scale_note:
        messages.notes.append(grid.scale_note)
    across, down = size
    if not all(_PIXEL_M[0] <= side <= _PIXEL_M[1] for side in size):
        raise GeoreferenceError(
            tr(
                "The raster has pixels of {across:g}×{down:g} m, outside {low:g}..{high:g} m.",
                across=across,
                down=down,
                low=_PIXEL_M[0],
                high=_PIXEL_M[1],
            ),
            tr("Georeference it again, or give its ground sampling distance (--gsd)."),
        )
    text = tr(
        "The raster has {across:.3g}×{down:.3g} m/px, the model expects {model_gsd:g} m/px",
        across=across,
        down=down,
        model_gsd=model_gsd,
    )
    if is_near(size, model_gsd):
        messages.notes.append(tr("{text}: the raster is read at its own resolution.", text=text))
        return native
    if options.gsd_mode == "never":
        messages.warnings.append(
            tr("{text}: the raster is read at its own resolution because resampling is switched off.", text=text)
        )
        return native
    if is_too_coarse(size, model_gsd):
        messages.warnings.append(
            tr(
                "{text}: a raster more than {factor:g} times coarser does not show the objects that the model "
                "was trained on. It is read at its own resolution; the classes are not reliable.",
                text=text,
                factor=MAX_UPSAMPLING,
            )
        )
        return native
    work = work_grid(grid.height, grid.width, size, model_gsd)
    messages.notes.append(
        tr(
            "{text}: it is resampled to {model_gsd:g} m/px ({height}×{width} px); the classes are written at "
            "the raster's own resolution.",
            text=text,
            model_gsd=model_gsd,
            height=work.height,
            width=work.width,
        )
    )
    return work


def _check_disk(request: SegmentationRequest, grid: Grid, classes: int, messages: PlanMessages) -> None:
    """Compare the expected size of the outputs with the free disk space."""
    folder = os.path.dirname(os.path.abspath(request.output))
    free = shutil.disk_usage(folder).free
    bands = 1 + bool(request.confidence) + (classes if request.probabilities else 0)
    need = grid.height * grid.width * _BYTES_PER_PIXEL * bands
    text = tr(
        "about {need:,.0f} MB for the results, {free:,.0f} MB free in {folder}",
        need=need / 1e6,
        free=free / 1e6,
        folder=folder,
    )
    if free < need:
        messages.warnings.append(tr("The disk may be too small: {text}.", text=text))
    else:
        messages.notes.append(tr("Disk: {text}.", text=text))
