"""What a run will do, settled before any work: pixels, windows, batch, stretch, disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import TileGrid, fitting_side
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.runtimes.runtime import VIEWS
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions

GSD_TOLERANCE = 1.5  # a model copes with what it saw in training: 0.7 to 1.5 times its scale
SEAM = 24
"""Overlap of windows, px, unless the network looks less far.

Measured with the shipped model on seven mosaics of Dubai: classes change across the middle of the overlap as often as
on parallel lines 16 px away (0.99 to 1.02 times), with 24 as with 64 px; without overlap three times as often. The
accuracy on the labels is the same to 0.001.
"""
MOST_UPSAMPLING = 8.0  # beyond, no detail that the model knows can be there
_BYTES_PER_PIXEL = 0.35  # of the outputs on disk, compressed, with overviews; a generous bound for real class maps


@dataclass(frozen=True)
class WorkGrid:
    """The pixels that the model sees: the raster's own, or others at the model's GSD.

    Args:
        height: Rows.
        width: Columns.
        scale: Raster pixels for each working pixel, along rows and columns; (1, 1) for the raster's own.
    """

    height: int
    width: int
    scale: tuple[float, float] = (1.0, 1.0)

    @property
    def is_native(self) -> bool:
        """Whether these are the raster's own pixels."""
        return self.scale == (1.0, 1.0)


@dataclass(frozen=True)
class Plan:
    """Everything settled before the first window.

    Args:
        work: The pixels that the model sees.
        tiles: The windows over them.
        stretch: From pixel values to 8 bits.
        notes: What the log should say.
        warnings: What the user should know.
    """

    work: WorkGrid
    tiles: TileGrid
    stretch: Stretch
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Talk:
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def make_plan(request: SegmentationRequest, source: RasterSource, metadata: BundleMetadata) -> Plan:
    """Settle how a run goes.

    Raises:
        RequestError: if window, overlap or stretch do not fit the raster.
        RasterReadError: if the sample for the stretch cannot be read.
    """
    options = request.options
    talk = _Talk()
    work = _work_grid(source.grid, metadata.gsd, options, talk)
    tiles = _tiles(work, metadata, options)
    stretch = _stretch(source, options, talk)
    height, width = tiles.window_shape
    talk.notes.append(
        f"{source.grid.height}×{source.grid.width} px, {len(tiles)} windows of {height}×{width} px, "
        f"overlap {tiles.overlap} px."
    )
    if options.tta:
        talk.notes.append(f"Test-time augmentation: every window is computed {VIEWS} times.")
    _check_disk(request, source.grid, talk)
    return Plan(work, tiles, stretch, tuple(talk.notes), tuple(talk.warnings))


def _tiles(work: WorkGrid, metadata: BundleMetadata, options: SegmentOptions) -> TileGrid:
    """Return the windows: those asked for, or some near the model's own that fit the raster.

    They depend on the raster and the model alone, so that the classes do not depend on the machine.
    """
    preferred = options.window or metadata.window
    overlap = options.overlap
    if overlap is None:
        radius = metadata.receptive_radius
        overlap = min(SEAM, preferred // 2) if radius is None else min(2 * radius, SEAM, preferred // 2)
    if overlap > preferred // 2:
        raise RequestError(
            f"The overlap must be at most half the window, {preferred // 2} px, got {overlap} px.",
            "Lower the overlap or raise the window.",
        )
    if options.window is not None:
        return TileGrid(work.height, work.width, preferred, overlap)
    sides = (fitting_side(length, preferred, overlap, metadata.stride) for length in (work.height, work.width))
    return TileGrid(work.height, work.width, tuple(sides), overlap)  # type: ignore[arg-type]


def _work_grid(grid: Grid, model_gsd: float, options: SegmentOptions, talk: _Talk) -> WorkGrid:
    native = WorkGrid(grid.height, grid.width)
    size = (options.gsd, options.gsd) if options.gsd is not None else grid.pixel_size_m()
    if size is None:
        talk.warnings.append(
            f"The pixel size is unknown: the model, made for {model_gsd:g} m/px, sees the pixels as they are. "
            "State the ground sampling distance if it is another."
        )
        return native
    across, down = size
    scale = (model_gsd / down, model_gsd / across)
    told = f"The raster has {across:.3g}×{down:.3g} m/px, the model was made for {model_gsd:g} m/px"
    if all(1 / GSD_TOLERANCE <= value <= GSD_TOLERANCE for value in scale):
        talk.notes.append(f"{told}: the pixels are read as they are.")
        return native
    if options.gsd_mode == "never":
        talk.warnings.append(f"{told}: the pixels are read as they are, because resampling is switched off.")
        return native
    if min(scale) < 1 / MOST_UPSAMPLING:
        talk.warnings.append(
            f"{told}: the raster is too coarse to show what the model looks for. "
            "The pixels are read as they are; do not trust the classes."
        )
        return native
    height, width = max(round(grid.height / scale[0]), 1), max(round(grid.width / scale[1]), 1)
    talk.notes.append(
        f"{told}: it is read at {model_gsd:g} m/px ({height}×{width} px); the classes are written on its own pixels."
    )
    return WorkGrid(height, width, (grid.height / height, grid.width / width))


def _stretch(source: RasterSource, options: SegmentOptions, talk: _Talk) -> Stretch:
    bands = 3 if source.has_palette else len(source.bands)
    if options.limits is not None:
        if len(options.limits) not in (1, bands):
            raise RequestError(
                f"The stretch needs a low and a high value for each of {bands} bands, got {len(options.limits)} pairs."
            )
        return Stretch(options.limits if len(options.limits) == bands else options.limits * bands)
    if source.dtype == "uint8":
        return Stretch.identity(bands)
    if options.stretch == "none":
        if source.dtype.kind not in "iu":
            raise RequestError(
                f"A raster of type {source.dtype} has no full range to stretch from.",
                "Use the automatic stretch, or give a low and a high value for each band.",
            )
        return Stretch(((0.0, float(2 ** (8 * source.dtype.itemsize - (source.dtype.kind == "i")) - 1)),) * bands)
    sample = source.read_sample()
    stretch = Stretch.from_sample(sample.values, sample.valid)
    limits = ", ".join(f"{low:.6g}–{high:.6g}" for low, high in stretch.limits)
    talk.notes.append(f"{source.dtype} values are stretched from {limits} (2nd to 98th percentile of each band).")
    flat = [
        str(band) for band, values in zip(source.bands, sample.values, strict=False) if _is_flat(values[sample.valid])
    ]
    if flat:
        talk.warnings.append(f"Band {', '.join(flat)} has one value everywhere: there is nothing to tell classes by.")
    return stretch


def _is_flat(values: npt.NDArray[np.floating]) -> bool:
    known = values[np.isfinite(values)]
    return known.size > 0 and bool(np.ptp(known) == 0)


def _check_disk(request: SegmentationRequest, grid: Grid, talk: _Talk) -> None:
    folder = os.path.dirname(os.path.abspath(request.output))
    free = shutil.disk_usage(folder).free
    need = grid.height * grid.width * _BYTES_PER_PIXEL * (2 if request.confidence else 1)
    told = f"about {need / 1e6:,.0f} MB for the results, {free / 1e6:,.0f} MB free in {folder}"
    if free < need:
        talk.warnings.append(f"The disk may be too small: {told}.")
    else:
        talk.notes.append(f"Disk: {told}.")
