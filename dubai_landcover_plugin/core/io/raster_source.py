"""Reads images: bands, nodata, masks and georeferencing of whatever GDAL opens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import MaskFlags, Resampling
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.resampling import cell_sums
from dubai_landcover_plugin.core.grid.windows import Window, spread_windows
from dubai_landcover_plugin.core.io.array_source import enlarge, resampling_of
from dubai_landcover_plugin.core.io.band_selection import Bands, band_list, band_names, bands_remedy
from dubai_landcover_plugin.core.io.band_stack import stacked
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.georeference import grid_of
from dubai_landcover_plugin.core.io.overviews import overview_agrees, used_level
from dubai_landcover_plugin.core.io.source_bands import select_bands
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions, open_dataset, palette_of
from dubai_landcover_plugin.core.io.validity import (
    can_occur,
    equals_any,
    flagged_alphas,
    has_mask,
    is_alpha,
    is_measured,
    nodata_warning,
    rounded,
)
from dubai_landcover_plugin.protocol.errors import BandError, RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.translation import joined, tr

_PALETTE_BANDS = ("red", "green", "blue")
_SAMPLE_SIDE = 1024  # px a side of the decimated read from which the stretch is computed
_MEAN_PIXELS = 1 << 22  # raster pixels in memory while averaging
_PROBE = 64  # px a side of the windows that are read to judge alpha and nodata
_PROBES = 3  # windows along each axis


@dataclass(frozen=True)
class Chip:
    """Pixels of one window.

    Args:
        values: (C, H, W) in the raster's own type.
        valid: (H, W) true where the raster holds data.
    """

    values: npt.NDArray[np.generic]
    valid: npt.NDArray[np.bool_]


class RasterSource:
    """An open raster, limited to some bands and an extent.

    A context manager; not safe to share between threads.

    Args:
        path: Anything GDAL opens.
        wanted: Names of the bands to read, e.g. ``("red", "green", "blue")``.
        options: Overrides of what the file declares.

    Attributes:
        bands: Numbers of the bands that are read; one for a palette.
        bands_text: Which bands are read as what, and how they were found, one sentence.
        notes: Messages for the log.
        warnings: Warnings for the user.

    Raises:
        RasterOpenError: if GDAL cannot open it or its pixels are not real numbers.
        BandError: if it lacks bands.
        GeoreferenceError: if its georeferencing is ambiguous or the extent misses it.
    """

    def __init__(self, path: str, wanted: tuple[str, ...], options: SourceOptions | None = None) -> None:
        self.path = path
        self._wanted = wanted
        self._options = options or SourceOptions()
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self._checked: set[int] = set()  # overviews that were compared with the pixels
        self._dataset: Any = open_dataset(path, self._options)
        try:
            whole = self._whole_grid()
            self._palette = palette_of(self._dataset) if self._options.second is None else None
            self._dataset = stacked(self._dataset, whole, self._options.second, self._options.checked)
            self.bands = self._choose_bands()
            self._nodata = self._nodata_values()
            self._has_mask = has_mask(self._dataset, self.bands[0])
            self._alphas = self._alpha_bands()
            self._whole, self._origin = whole, Window(0, 0, whole.height, whole.width)
            if self._options.extent is not None:
                self._origin = whole.window(self._options.extent)
            shift = Affine.translation(self._origin.col, self._origin.row)
            transform = whole.transform @ shift
            if self._options.extent is not None and whole.crs is None and whole.transform.is_identity:
                # GIS programs draw a raster without georeferencing downwards from y = 0, the cut-out on top of it.
                transform = Affine(1, 0, self._origin.col, 0, -1, -self._origin.row)
            self.grid = Grid(self._origin.height, self._origin.width, transform, whole.crs)
        except BaseException as error:
            self._dataset.close()
            if isinstance(error, GDAL_ERRORS):  # GDAL reads side files late
                raise RasterOpenError(
                    tr("{path} cannot be read: {error}.", path=path, error=cause(error)),
                    tr("It or a file beside it (.aux.xml, .msk, .ovr) is damaged: copy it again, or remove that file."),
                ) from error
            raise

    def reopen(self) -> RasterSource:
        """Open the raster again for another thread, with the decisions of this one.

        Raises:
            RasterOpenError: if GDAL cannot open it any more.
        """
        return RasterSource(self.path, self._wanted, replace(self._options, alphas=self._alphas, checked=True))

    def __enter__(self) -> RasterSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the pixel values that :meth:`read` returns."""
        if self._palette is not None:
            return np.dtype(np.uint8)
        return np.result_type(*(np.dtype(self._dataset.dtypes[band - 1]) for band in self.bands))

    @property
    def band_names(self) -> tuple[str, ...]:
        """What the raster says that the bands are that are read; ``band N`` where it says nothing."""
        if self._palette is not None:
            return _PALETTE_BANDS
        return band_names(self._dataset, self.bands)

    @property
    def units(self) -> tuple[str, ...]:
        """The units of the bands that are read, as the raster states them; empty where it does not."""
        return tuple(self._dataset.units[band - 1] or "" for band in self.bands)

    @property
    def is_compressed(self) -> bool:
        """Whether reading decodes blocks."""
        return self._dataset.compression is not None or self._dataset.driver != "GTiff"

    def block_bytes(self, rows: float) -> int:
        """Return the decoded size of the blocks that ``rows`` rows touch at most, bytes."""
        height, _ = self._dataset.block_shapes[0]
        touched = (math.ceil(rows / height) + 1) * height
        size = sum(np.dtype(kind).itemsize for kind in self._dataset.dtypes)
        return int(min(touched, self._dataset.height + height) * self._dataset.width * size)

    @property
    def files(self) -> list[str]:
        """All files of the raster, those behind a virtual raster included."""
        return list(self._dataset.files)

    @property
    def has_palette(self) -> bool:
        """Whether one band of palette indices is expanded to red, green and blue."""
        return self._palette is not None

    @property
    def ground_control_points(self) -> tuple[list[GroundControlPoint], CRS | None]:
        """Ground control points and their CRS, for an output in pixel space."""
        points, crs = self._dataset.gcps
        row, col = self._origin.row, self._origin.col
        return [
            GroundControlPoint(point.row - row, point.col - col, point.x, point.y, point.z, point.id, point.info)
            for point in points
        ], crs

    def read(self, window: Window, shape: tuple[int, int] | None = None, scale: tuple[float, float] = (1, 1)) -> Chip:
        """Read one window.

        Args:
            window: Pixels of the target grid.
            shape: Height and width of the target grid; None reads the raster's own pixels. A coarser grid averages
                pixels, a finer one interpolates.
            scale: Raster pixels per pixel of the target grid, along rows and columns.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        height_scale, width_scale = scale if shape else (1.0, 1.0)
        area = RasterioWindow(
            self._origin.col + window.col * width_scale,
            self._origin.row + window.row * height_scale,
            window.width * width_scale,
            window.height * height_scale,
        )
        coarser = max(height_scale, width_scale) > 1
        size = (window.height, window.width)
        try:
            if coarser:
                self.check_overviews(min(height_scale, width_scale))
            if not shape or self._palette is not None:
                return self._read(area, size, Resampling.nearest)
            if shape and self._is_enlarged_here(shape):
                whole = (self.grid.height, self.grid.width)
                values = enlarge(lambda part: self._dataset.read(list(self.bands), window=part), whole, shape, window)
                return Chip(values, np.ones(size, bool))
            if not self._hides_nodata:
                return self._read(area, size, resampling_of((height_scale, width_scale)))
            return self._read_means(area, size) if coarser else self._read(area, size, Resampling.nearest)
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read at {window}: {error}.", path=self.path, window=window, error=cause(error)),
                tr("A file behind the raster is missing: put it back, or make the virtual raster again.")
                if "No such file" in cause(error)
                else tr("The file is damaged there: copy it again, or choose an extent without that part."),
            ) from error

    def read_validity(self, window: Window) -> npt.NDArray[np.bool_]:
        """Return where the raster's own pixels in a window hold data, (H, W); nothing is read where all of them do.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        return self.read(window).valid if self.may_have_gaps else np.ones((window.height, window.width), bool)

    @property
    def may_have_gaps(self) -> bool:
        """Whether pixels may be invalid: nodata values in all bands, a mask, alpha, a palette, or floats."""
        marks = (all(self._nodata), self._has_mask, self._alphas, self._palette is not None, self.dtype.kind == "f")
        return any(marks)

    def read_sample(self) -> Chip:
        """Read the whole raster, decimated to at most 1024 px a side, for the stretch.

        Values are float64 with NaN where their band has nodata.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        height, width = self._dataset.height, self._dataset.width
        step = max(max(height, width) / _SAMPLE_SIDE, 1)
        shape = (max(round(height / step), 1), max(round(width / step), 1))
        try:
            self.check_overviews(step)
            chip = self._read(RasterioWindow(0, 0, width, height), shape, Resampling.nearest)
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read whole: {error}.", path=self.path, error=cause(error)),
                tr(
                    "The file is damaged: copy it again, or state stretch limits and choose an extent without that "
                    "part."
                ),
            ) from error
        values = chip.values.astype(np.float64)
        for band, nodata in zip(values, self._nodata, strict=False):
            if nodata:
                band[equals_any(band, nodata)] = np.nan
        return Chip(values, chip.valid)

    def nodata_warning(self) -> str | None:
        """Return a warning if one colour fills so much of nine small windows that it looks like no data, else None.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        return None if self._palette is not None else nodata_warning(self._probed)

    def constant_bands(self) -> list[int]:
        """Return the bands that have one value in all of nine small windows, where other bands have several.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        if self._palette is not None:
            return []
        values = self._probed
        if not values.size:
            return []
        constant = values.min(axis=1) == values.max(axis=1)
        return [band for band, flat in zip(self.bands, constant) if flat and not constant.all()]

    def sample_values(self, side: int = _PROBES) -> npt.NDArray[Any]:
        """Return the valid pixels of ``side`` × ``side`` small windows spread over the whole raster, (C, N).

        They do not depend on the extent, so that parts of a raster are stretched alike.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        height, width = self._dataset.height, self._dataset.width
        if side == _PROBES and (self.grid.height, self.grid.width) == (height, width):
            return self._probed
        row, col = self._origin.row, self._origin.col
        windows = spread_windows(height, width, side, _PROBE)
        return self._valid_values([Window(one.row - row, one.col - col, one.height, one.width) for one in windows])

    @cached_property
    def _probed(self) -> npt.NDArray[Any]:
        """The valid pixels of nine small windows, (C, N)."""
        return self._valid_values(spread_windows(self.grid.height, self.grid.width, _PROBES, _PROBE))

    def _valid_values(self, windows: Sequence[Window]) -> npt.NDArray[Any]:
        """Return the valid pixels of some windows, (C, N)."""
        chips = [self.read(window) for window in windows]
        return np.concatenate([chip.values[:, chip.valid] for chip in chips], axis=1)

    @property
    def _hides_nodata(self) -> bool:
        """Whether pixels may be invalid, or valid, without GDAL knowing, so that GDAL must not average them."""
        floating = self.dtype.kind == "f" and not all(
            value is not None and np.isnan(value) for value in self._dataset.nodatavals
        )
        gdals = MaskFlags.alpha in self._dataset.mask_flag_enums[self.bands[0] - 1]  # one band at most
        return floating or self._options.nodata is not None or len(self._alphas) != gdals

    def _nodata_values(self) -> list[list[float]]:
        """Return the nodata values of each band: that of the file and that of the options."""
        given = self._options.nodata
        kinds = {self._dataset.dtypes[band - 1] for band in self.bands}
        if given is not None and not any(can_occur(given, kind) for kind in kinds):
            self.warnings.append(
                tr(
                    "No pixel of type {names} has the nodata value {given:g}.",
                    names=joined(sorted(kinds)),
                    given=given,
                )
            )
        return [
            [
                rounded(value, self._dataset.dtypes[band - 1])
                for value in (self._dataset.nodatavals[band - 1], given)
                if value is not None
            ]
            for band in self.bands
        ]

    def _alpha_bands(self) -> tuple[int, ...]:
        """Return the alpha bands; without those that hold data, such as near infrared."""
        if self._options.alphas is not None:
            return self._options.alphas
        if self._options.alpha == "no":
            return ()
        candidates = [band for band in flagged_alphas(self._dataset) if band not in self.bands]
        found = tuple(band for band in candidates if self._options.alpha == "yes" or self._is_alpha(band))
        for band in sorted(set(candidates) - set(found)):
            self.warnings.append(
                tr(
                    "Band {band} is called alpha but is not transparency: it has many values between transparent and "
                    "opaque. It is not used as a mask; set alpha to yes (--alpha yes) if it is one.",
                    band=band,
                )
            )
        return found

    def _is_alpha(self, band: int) -> bool:
        dataset = self._dataset
        windows = spread_windows(dataset.height, dataset.width, _PROBES, _PROBE)
        try:
            return is_alpha([dataset.read(band, window=_rasterio_window(window)) for window in windows])
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("The alpha band of {path} cannot be read: {error}.", path=self.path, error=cause(error)),
                tr("The file is damaged: copy it again, or set alpha to yes or no (--alpha)."),
            ) from error

    def check_overviews(self, scale: float) -> None:
        """Read the full resolution from now on if the overview for a scale does not show the raster.

        Args:
            scale: Raster pixels per pixel that is read.
        """
        factors = self._dataset.overviews(self.bands[0])
        level = used_level(factors, scale)
        if level is None or level in self._checked:
            return
        self._checked.add(level)
        if self._agrees(factors[level]):
            return
        self.warnings.append(
            tr(
                "The overviews of {name} (1:{factor}) do not show its pixels: the full resolution is read "
                "instead. Build them again (Raster > Miscellaneous > Build Overviews in QGIS).",
                name=Path(self.path).name,
                factor=factors[level],
            )
        )
        self._options = replace(self._options, overviews=False, checked=True)
        self._dataset.close()
        self._dataset = open_dataset(self.path, self._options)
        self._dataset = stacked(self._dataset, self._whole, self._options.second, True)
        self._dataset, _ = select_bands(self._dataset, self._wanted, self._options)

    def _agrees(self, factor: int) -> bool:
        """Return whether an overview shows the bands and the alpha bands, which decide about validity."""
        try:
            return all(overview_agrees(self._dataset, band, factor) for band in {*self.bands, *self._alphas})
        except GDAL_ERRORS:  # a damaged file of overviews, or one with fewer bands
            return False

    def _read(self, area: RasterioWindow, shape: tuple[int, int], method: Resampling) -> Chip:
        dataset = self._dataset
        how = {"window": area, "resampling": method}
        if len({dataset.dtypes[band - 1] for band in self.bands}) == 1:
            values = dataset.read(list(self.bands), out_shape=(len(self.bands), *shape), **how)
        else:
            values = np.stack([dataset.read(band, out_shape=shape, **how) for band in self.bands])  # of the widest type
        valid = np.ones(shape, bool)
        if all(self._nodata):  # a pixel is nodata if all its bands are: a dark one may be 0 in one band
            marks = [equals_any(band, nodata) for band, nodata in zip(values, self._nodata, strict=True)]
            valid = ~np.logical_and.reduce(marks)
        for band in self._alphas:
            valid &= dataset.read(band, out_shape=shape, **how) > 0
        if self._has_mask:
            valid &= dataset.read_masks(self.bands[0], out_shape=shape, **how) > 0
        if np.issubdtype(values.dtype, np.floating):
            valid &= is_measured(values).all(axis=0)
        if self._palette is not None:
            colours = self._palette[values[0]].transpose(2, 0, 1)  # (H, W, 4) -> (4, H, W)
            values = colours[:3]
            valid &= colours[3] > 0
        return Chip(values, valid)

    def _is_enlarged_here(self, shape: tuple[int, int]) -> bool:
        """Whether a finer grid is computed from the raster's own pixels; GDAL reads virtual and masked rasters."""
        plain = self._dataset.driver == "GTiff" and self.dtype == np.uint8 and not self.may_have_gaps
        whole = self._options.extent is None and self._options.second is None
        return plain and whole and self.grid.height <= shape[0] and self.grid.width <= shape[1]

    def _read_means(self, area: RasterioWindow, shape: tuple[int, int]) -> Chip:
        """Read the mean of the valid pixels in each cell, weighted by area, in strips of rows of cells."""
        height, width = shape
        # Borders of the cells in raster pixels, cut to the raster.
        row_edges = np.linspace(area.row_off, area.row_off + area.height, height + 1).clip(0, self._dataset.height)
        col_edges = np.linspace(area.col_off, area.col_off + area.width, width + 1).clip(0, self._dataset.width)
        left, right = math.floor(col_edges[0]), math.ceil(col_edges[-1])
        step = max(int(_MEAN_PIXELS / (right - left) / max(area.height / height, 1)), 1)
        values = np.zeros((len(self.bands), height, width))
        valid = np.zeros(shape, bool)
        for first in range(0, height, step):
            edges = row_edges[first : first + step + 1]
            top, bottom = math.floor(edges[0]), math.ceil(edges[-1])
            window = RasterioWindow(left, top, right - left, bottom - top)
            chip = self._read(window, (bottom - top, right - left), Resampling.nearest)
            # Sums over cells, first along columns of pixels, then along rows; border pixels count by their share.
            shares = chip.valid.astype(np.float64)
            counts = cell_sums(cell_sums(shares, edges - top, 0), col_edges - left, 1)
            sums = cell_sums(np.where(chip.valid, chip.values, 0).astype(np.float64), edges - top, 1)
            rows = slice(first, first + len(edges) - 1)
            valid[rows] = counts > 1e-6
            values[:, rows] = cell_sums(sums, col_edges - left, 2) / np.maximum(counts, 1e-6)
        if self.dtype.kind in "iu":
            values = np.rint(values)
        return Chip(values.astype(self.dtype), valid)

    def _whole_grid(self) -> Grid:
        grid = grid_of(self._dataset, self._options.crs, self._options.pixel_space)
        if grid.crs is None:
            self.warnings.append(tr("The raster has no CRS: the result has none either, and no areas in m² are given."))
        elif grid.transform.is_identity:
            self.warnings.append(
                tr(
                    "The raster has a CRS but no transform: it is placed at the origin, with pixels of one unit of "
                    "the CRS. Areas are wrong if they have another size; georeference it first."
                )
            )
        return grid

    def _choose_bands(self) -> tuple[int, ...]:
        if self._options.bands is not None:
            self._palette = None
            self._dataset, found = select_bands(self._dataset, self._wanted, self._options)
        elif self._palette is not None:
            if self._wanted != _PALETTE_BANDS:
                raise BandError(
                    tr(
                        "The model reads {names}. {band_list}",
                        names=joined(self._wanted),
                        band_list=band_list(self._dataset),
                    ),
                    tr("A palette only has red, green and blue: use a raster with these bands."),
                )
            found = Bands((1,), warnings=(tr("The palette was expanded to red, green and blue."),))
        else:
            self._dataset, found = select_bands(self._dataset, self._wanted, self._options)
            self._check_alphas(found.numbers)
        self.notes += found.notes
        self.warnings += found.warnings
        self.bands_text = " ".join(found.notes or found.warnings)
        return found.numbers

    def _check_alphas(self, numbers: tuple[int, ...]) -> None:
        """Check that no band that was found by its number is transparency.

        Raises:
            BandError: if one is.
        """
        if not self._options.trained or self._options.alpha == "no" or self._options.alphas is not None:
            return
        for band in set(flagged_alphas(self._dataset)) & set(numbers):
            if self._options.alpha == "yes" or self._is_alpha(band):
                raise BandError(
                    tr(
                        "The model reads band {band}, which is transparency here. {band_list}",
                        band=band,
                        band_list=band_list(self._dataset),
                    ),
                    bands_remedy(self._wanted),
                )


def _rasterio_window(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)
