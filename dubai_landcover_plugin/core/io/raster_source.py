"""Reads images: bands, nodata, masks and georeferencing of whatever GDAL opens."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import CRSError, NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.resampling import cell_sums
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.protocol.errors import BandError, GeoreferenceError, RasterOpenError, RasterReadError

_SAMPLE_SIDE = 1024  # px a side of the decimated read from which the stretch is computed
# By default GDAL fills the missing end of a truncated JPEG or PNG without an error.
_STRICT = {"GDAL_ERROR_ON_LIBJPEG_WARNING": True, "GDAL_PNG_WHOLE_IMAGE_OPTIM": False}
_MEAN_PIXELS = 1 << 22  # raster pixels in memory while averaging
_WARP_REMEDY = "Warp it first (Raster > Projections > Warp in QGIS), or ask for pixel space to work without a position."


@dataclass(frozen=True)
class Chip:
    """Pixels of one window.

    Args:
        values: (C, H, W) in the raster's own type.
        valid: (H, W) true where the raster holds data.
    """

    values: npt.NDArray[np.generic]
    valid: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class SourceOptions:
    """Overrides of what a file declares; see :class:`.SegmentOptions`."""

    bands: tuple[int, ...] | None = None
    crs: str | None = None
    nodata: float | None = None
    pixel_space: bool = False
    extent: tuple[float, float, float, float] | None = None


class RasterSource:
    """An open raster, limited to some bands and an extent.

    A context manager; not safe to share between threads.

    Args:
        path: Anything GDAL opens.
        wanted: Common names of the bands to read, e.g. ``("red", "green", "blue")``.
        options: Overrides of what the file declares.

    Raises:
        RasterOpenError: if GDAL cannot open it or its pixels are not real numbers.
        BandError: if it lacks bands.
        GeoreferenceError: if its georeferencing is ambiguous or the extent misses it.
    """

    def __init__(self, path: str, wanted: tuple[str, ...], options: SourceOptions | None = None) -> None:
        self.path = path
        self._options = options or SourceOptions()
        self.notes: list[str] = []
        self._dataset = _open(path)
        try:
            whole = self._georeference()
            self._palette = _palette(self._dataset)
            self.bands = self._choose_bands(wanted)
            self._alpha = _alpha_band(self._dataset, self.bands)
            self._origin = Window(0, 0, whole.height, whole.width)
            if self._options.extent is not None:
                self._origin = whole.window(self._options.extent)
            shift = Affine.translation(self._origin.col, self._origin.row)
            transform = whole.transform @ shift
            if self._options.extent is not None and whole.crs is None and whole.transform.is_identity:
                # GIS programs draw a raster without georeferencing downwards from y = 0, the cut-out on top of it.
                transform = Affine(1, 0, self._origin.col, 0, -1, -self._origin.row)
            self.grid = Grid(self._origin.height, self._origin.width, transform, whole.crs)
        except BaseException:
            self._dataset.close()
            raise

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
            if not shape or self._palette is not None:
                return self._read(area, size, Resampling.nearest)
            if not self._hides_nodata:
                return self._read(area, size, Resampling.average if coarser else Resampling.bilinear)
            return self._read_means(area, size) if coarser else self._read(area, size, Resampling.nearest)
        except GDAL_ERRORS as error:
            raise RasterReadError(
                f"{self.path} cannot be read at {window}: {_cause(error)}.",
                "The file is damaged there: copy it again, or choose an extent without that part.",
            ) from error

    def read_sample(self) -> Chip:
        """Read the whole raster, decimated to at most 1024 px a side, for the stretch.

        Values are float64 with NaN where their band has nodata.

        Raises:
            RasterReadError: if a block cannot be decoded.
        """
        height, width = self._dataset.height, self._dataset.width
        step = max(height, width) / _SAMPLE_SIDE
        shape = (max(round(height / max(step, 1)), 1), max(round(width / max(step, 1)), 1))
        try:
            chip = self._read(RasterioWindow(0, 0, width, height), shape, Resampling.nearest)
            values = chip.values.astype(np.float64)
            for band, nodata in zip(values, self._nodata(), strict=False):
                if nodata:
                    band[_is_any(band, nodata)] = np.nan
            return Chip(values, chip.valid)
        except GDAL_ERRORS as error:
            raise RasterReadError(
                f"{self.path} cannot be read whole: {_cause(error)}.",
                "The file is damaged: copy it again, or state stretch limits and choose an extent without that part.",
            ) from error

    @property
    def _hides_nodata(self) -> bool:
        """Whether pixels may be invalid without GDAL knowing, so that GDAL must not average them."""
        floating = self.dtype.kind == "f" and not all(
            value is not None and np.isnan(value) for value in self._dataset.nodatavals
        )
        return floating or self._options.nodata is not None

    def _nodata(self) -> list[list[float]]:
        """Return the nodata values of each band: that of the file and that of the options."""
        own = [self._dataset.nodatavals[band - 1] for band in self.bands]
        return [[value for value in (nodata, self._options.nodata) if value is not None] for nodata in own]

    def _read(self, area: RasterioWindow, shape: tuple[int, int], method: Resampling) -> Chip:
        with rasterio.Env(**_STRICT):
            return self._read_strictly(area, shape, method)

    def _read_strictly(self, area: RasterioWindow, shape: tuple[int, int], method: Resampling) -> Chip:
        dataset = self._dataset
        how = {"window": area, "resampling": method}
        if len({dataset.dtypes[band - 1] for band in self.bands}) == 1:
            values = dataset.read(list(self.bands), out_shape=(len(self.bands), *shape), **how)
        else:
            values = np.stack([dataset.read(band, out_shape=shape, **how) for band in self.bands])  # of the widest type
        valid = np.ones(shape, bool)
        if all(self._nodata()):  # a pixel is nodata if all its bands are: a dark one may be 0 in one band
            marks = [_is_any(band, nodata) for band, nodata in zip(values, self._nodata(), strict=True)]
            valid = ~np.logical_and.reduce(marks)
        if self._alpha is not None:
            valid &= dataset.read(self._alpha, out_shape=shape, **how) > 0
        flags = dataset.mask_flag_enums[self.bands[0] - 1]
        if not {MaskFlags.all_valid, MaskFlags.nodata, MaskFlags.alpha} & set(flags):  # a mask band or file
            valid &= dataset.read_masks(self.bands[0], out_shape=shape, **how) > 0
        if np.issubdtype(values.dtype, np.floating):
            valid &= np.isfinite(values).all(axis=0)
        if self._palette is not None:
            values = self._palette[values[0]].transpose(2, 0, 1)  # (H, W, 3) -> (3, H, W)
        return Chip(values, valid)

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

    def _choose_bands(self, wanted: tuple[str, ...]) -> tuple[int, ...]:
        count = self._dataset.count
        chosen = self._options.bands
        if chosen is not None:
            if len(chosen) != len(wanted):
                raise BandError(
                    f"The model reads {len(wanted)} bands ({', '.join(wanted)}), got {len(chosen)}: {list(chosen)}.",
                    "Give one band number for each, in that order.",
                )
            if max(chosen) > count:
                raise BandError(f"Band {max(chosen)} was asked for. {self._band_list()}", "Choose among those.")
            self._palette = None
            return chosen
        if self._palette is not None:
            self.notes.append("The palette was expanded to red, green and blue.")
            return (1,)
        names = [interpretation.name for interpretation in self._dataset.colorinterp]
        if all(name in names for name in wanted):
            return tuple(names.index(name) + 1 for name in wanted)
        plain = [index for index, name in enumerate(names, 1) if name != "alpha"]
        if len(plain) < len(wanted):
            raise BandError(
                f"The model reads {len(wanted)} bands ({', '.join(wanted)}). {self._band_list()}",
                "Use a raster with these bands, or choose the bands yourself (one band may be given several times).",
            )
        bands = tuple(plain[: len(wanted)])
        self.notes.append(
            f"The raster does not say which of its {count} bands are {', '.join(wanted)}: "
            f"bands {', '.join(map(str, bands))} were taken in that order."
        )
        return bands

    def _band_list(self) -> str:
        names = [
            f"{index} ({interpretation.name}, {kind})"
            for index, (interpretation, kind) in enumerate(
                zip(self._dataset.colorinterp, self._dataset.dtypes, strict=True), 1
            )
        ]
        return f"{Path(self.path).name} has {self._dataset.count} band(s): {', '.join(names)}."

    def _georeference(self) -> Grid:
        dataset = self._dataset
        crs = declared_crs(dataset.crs)
        if self._options.crs:
            try:
                crs = CRS.from_user_input(self._options.crs)
            except CRSError as error:
                raise GeoreferenceError(
                    f"The CRS '{self._options.crs}' is unknown: {error}.", "Give one such as EPSG:32640."
                ) from error
        if dataset.transform.is_identity and (dataset.gcps[0] or dataset.rpcs):
            points = len(dataset.gcps[0])
            what = f"{points} ground control points" if points else "rational polynomials (RPC)"
            if not self._options.pixel_space:
                raise GeoreferenceError(f"{Path(self.path).name} has {what} but no transform to a CRS.", _WARP_REMEDY)
            crs = None
        elif dataset.transform.determinant == 0:
            raise GeoreferenceError(
                f"{Path(self.path).name} has a transform without area.", "Georeference the raster again."
            )
        if crs is None:
            self.notes.append("The raster has no CRS: the result has none either, and no areas in m² are given.")
        return Grid(dataset.height, dataset.width, dataset.transform, crs)


def open_raster(path: str | Path) -> rasterio.DatasetReader:
    """Open a raster; NotGeoreferencedWarning is suppressed.

    Raises:
        RasterOpenError: if GDAL cannot.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            return rasterio.open(path)
    except GDAL_ERRORS as error:
        raise RasterOpenError(f"GDAL cannot open {path}: {error}.", "Check the path and the file.") from error


def _open(path: str) -> rasterio.DatasetReader:
    """Open a raster of real numbers.

    Raises:
        RasterOpenError: if GDAL cannot, or it has no bands or complex numbers.
    """
    with rasterio.Env(**_STRICT):
        dataset = open_raster(path)
    if dataset.count == 0:
        inside = dataset.subdatasets
        dataset.close()
        remedy = f"Choose one of: {', '.join(inside[:8])}." if inside else "Choose a raster file."
        raise RasterOpenError(f"{path} has no raster bands.", remedy)
    kinds = set(dataset.dtypes)
    if any(kind.startswith("complex") for kind in kinds):
        dataset.close()
        raise RasterOpenError(
            f"{path} contains complex numbers ({', '.join(kinds)}).", "Convert it to real numbers first."
        )
    return dataset


def _palette(dataset: rasterio.DatasetReader) -> npt.NDArray[np.uint8] | None:
    """Return the colours of a palette raster as (256, 3) uint8, or None where there is no palette."""
    if dataset.count != 1 or dataset.colorinterp[0] != ColorInterp.palette or dataset.dtypes[0] != "uint8":
        return None
    colours = np.zeros((256, 3), np.uint8)
    for value, colour in dataset.colormap(1).items():
        colours[value] = colour[:3]
    return colours


def _alpha_band(dataset: rasterio.DatasetReader, bands: tuple[int, ...]) -> int | None:
    """Return the number of the alpha band; None without one, or if it is read as data."""
    for index, interpretation in enumerate(dataset.colorinterp, 1):
        if interpretation == ColorInterp.alpha and index not in bands:
            return index
    return None


def _is_any(values: npt.NDArray[np.generic], wanted: list[float]) -> npt.NDArray[np.bool_]:
    """Return where values equal one of a few; NaN equals nothing."""
    found: npt.NDArray[np.bool_] = values == wanted[0]
    for value in wanted[1:]:
        found |= values == value
    return found


def _cause(error: BaseException) -> str:
    return str(error.__cause__ or error).rstrip(".")
