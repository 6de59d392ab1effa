"""Writes GeoTIFFs atomically: to a temporary file, verified block by block, then moved into place.

Closing a rasterio dataset does not raise GDAL's errors: after a full disk, a plain ``rasterio.open(path, "w")`` leaves
a file that opens and has wrong pixels; after a kill, one that opens as all nodata.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
import rasterio.shutil
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.files import (
    DISK_REMEDY,
    link_target,
    partial_folder,
    place_files,
    write_text,
)
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.georeference import is_same_place
from dubai_landcover_plugin.core.io.outputs import data_sets_with, legend_path, raster_sidecars
from dubai_landcover_plugin.core.io.qml import is_raster_style, with_mark
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import remove_partial, remove_quietly
from dubai_landcover_plugin.protocol.translation import tr

BLOCK = 512  # px
_SMALLEST_OVERVIEW = 256  # px


@dataclass(frozen=True)
class RasterStyle:
    """Metadata of the written bands.

    Args:
        nodata: Value of pixels without data.
        description: Name of the band, or of each of several bands.
        colours: Palette, red, green and blue of each value; None writes a grey band.
        overviews: Resampling of the overviews.
        dtype: ``uint8`` or ``uint16``.
    """

    nodata: int
    description: str | tuple[str, ...]
    colours: Mapping[int, tuple[int, int, int]] | None = None
    overviews: Resampling = Resampling.mode
    dtype: str = "uint8"

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands."""
        return (self.description,) if isinstance(self.description, str) else self.description

    @property
    def predictor(self) -> int:
        """TIFF predictor: differences of neighbours compress grey values better, and class ids worse."""
        return 1 if self.colours is not None else 2

    @property
    def level(self) -> int:
        """Level of DEFLATE: for grey values, which hardly repeat, higher ones take time and save nothing."""
        return 6 if self.colours is not None else 1


class _GdalErrors(logging.Handler):
    """Collects the errors that GDAL logs, because closing a dataset does not raise them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class LandCoverWriter:
    """Writes bands in strips of rows from the top; a context manager.

    Call :meth:`finish`, then :meth:`place`. Without them the temporary file is removed when the block ends.

    Args:
        path: The GeoTIFF.
        grid: Its shape, transform and CRS.
        style: Its type, nodata, palette and description.
        control_points: Ground control points and their CRS, written if the grid has no CRS.
        cog: Write a cloud-optimised GeoTIFF, https://docs.ogc.org/is/21-026/21-026.html.
        overwrite: Whether an existing file may be replaced.
    """

    def __init__(
        self,
        path: str | Path,
        grid: Grid,
        style: RasterStyle,
        control_points: tuple[list[GroundControlPoint], CRS | None] = ([], None),
        cog: bool = False,
        overwrite: bool = True,
    ) -> None:
        self._given = Path(path)
        self.path = link_target(path)
        self._grid = grid
        self._style = style
        self._cog = cog
        self._overwrite = overwrite
        # Rows that do not fill a row of blocks yet: (bands, rows, width).
        self._block = np.empty((len(style.bands), min(BLOCK, grid.height), grid.width), style.dtype)
        self._pending = 0  # rows in it
        self._written = 0  # rows on disk
        self._control_points = len(control_points[0]) if grid.crs is None else 0
        self._checksums: list[int] = []
        self._folder = partial_folder(self.path)
        self._partial = self._folder / self.path.name
        self._legend = self._qml = ""
        self._errors = _GdalErrors()
        logging.getLogger("rasterio").addHandler(self._errors)
        self._environment = rasterio.Env(GDAL_TIFF_OVR_BLOCKSIZE=str(BLOCK), COMPRESS_OVERVIEW="DEFLATE")
        self._environment.__enter__()
        self._dataset: rasterio.io.DatasetWriter | None = None
        try:
            self._dataset = self._create(control_points)
        except BaseException:
            self.abort()
            raise

    def __enter__(self) -> LandCoverWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def write_rows(self, rows: npt.NDArray[Any]) -> None:
        """Append rows, (n, width) of the style's type, or (bands, n, width).

        Raises:
            OutputError: if they do not fit or the disk is full.
        """
        room = self._grid.height - self._written - self._pending
        bands = rows[None] if rows.ndim == 2 else rows
        count, height, width = self._block.shape
        if bands.dtype != self._block.dtype or bands.shape != (count, bands.shape[1], width) or bands.shape[1] > room:
            raise OutputError(
                tr(
                    "{dtype} rows of shape {shape} do not fit: {room} rows of {width} px are missing.",
                    dtype=rows.dtype,
                    shape=rows.shape,
                    room=room,
                    width=self._grid.width,
                )
            )
        while bands.shape[1]:
            fitting = bands[:, : height - self._pending]
            self._block[:, self._pending : self._pending + fitting.shape[1]] = fitting
            self._pending += fitting.shape[1]
            bands = bands[:, fitting.shape[1] :]
            if self._pending == height:
                self._write_blocks()

    def finish(self, tags: Mapping[str, str], legend: Callable[[str], str] | None = None, style: str = "") -> None:
        """Write the last rows, overviews, tags and legend, and verify the file.

        Args:
            tags: GeoTIFF tags.
            legend: Returns the content of the side file (``.aux.xml``), see :func:`.entries_xml`. Its argument is the
                element with the CRS that the side file must contain; empty where the GeoTIFF itself holds the CRS.
            style: QGIS style (QML) to write beside the raster; empty for none. It is left out where it would be read
                with another layer of the same name, or replace a style of the user's.

        Raises:
            OutputError: if rows are missing, the disk is full or the file reads back differently.
        """
        if self._pending:
            self._write_blocks()
        if self._written != self._grid.height or self._dataset is None:
            raise OutputError(
                tr(
                    "{path}: {written} of {height} rows were written.",
                    path=self.path,
                    written=self._written,
                    height=self._grid.height,
                )
            )
        self._qml = style
        try:
            self._dataset.close()
            self._dataset = None
            self._raise_gdal_errors()
            self._add_overviews(tags)
            self._raise_gdal_errors()
            if self._cog:
                self._optimise()
                self._raise_gdal_errors()
            self._verify()
            if legend is not None:
                self._legend = legend(self._crs_beside())
                legend_path(self._partial).write_text(self._legend, encoding="utf-8")
        except (*GDAL_ERRORS, OSError) as error:
            if isinstance(error, OutputError):
                raise
            raise OutputError(
                tr("{path} could not be written: {error}.", path=self.path, error=error), tr(DISK_REMEDY)
            ) from error

    def place(self) -> None:
        """Move the finished file and its legend into place; remove sidecars of the raster that it replaces.

        Raises:
            OutputError: if the file exists and may not be replaced, or the file system refuses.
        """
        beside = legend_path(self._partial)  # without a legend: GDAL's, if the CRS does not fit into a GeoTIFF
        sides = [beside.name] if beside.exists() else []
        stale = [path for path in raster_sidecars(self.path) if path.name not in sides]
        place_files(self._folder, self.path, sides, stale, self._overwrite)
        if self._given != self.path:  # programs that open the link read those beside it
            for sidecar in raster_sidecars(self._given):
                remove_quietly(sidecar)
            if self._legend:
                write_text(legend_path(self._given), self._legend)
        for path in {self.path, self._given}:
            place_raster_style(path.with_suffix(".qml"), self._qml)

    def _crs_beside(self) -> str:
        """Return the element with the CRS in the side file that GDAL wrote; empty where the GeoTIFF itself holds it."""
        beside = legend_path(self._partial)
        if not beside.exists():
            return ""
        found = re.search(r"<SRS\b.*?</SRS>", beside.read_text(encoding="utf-8"), re.DOTALL)
        return found[0] if found else ""

    def abort(self) -> None:
        """Close the dataset and remove temporary files; does nothing after :meth:`place`."""
        if self._dataset is not None:
            with suppress(*GDAL_ERRORS, OSError):
                self._dataset.close()
            self._dataset = None
        if self._errors in logging.getLogger("rasterio").handlers:
            logging.getLogger("rasterio").removeHandler(self._errors)
            self._environment.__exit__(None, None, None)
        remove_partial(self._folder)

    def _create(self, control_points: tuple[list[GroundControlPoint], CRS | None]) -> rasterio.io.DatasetWriter:
        grid = self._grid
        place: dict[str, object] = {"transform": grid.transform, "crs": grid.crs}
        if grid.crs is None and control_points[0]:
            place = {"gcps": control_points[0], "crs": control_points[1]}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NotGeoreferencedWarning)  # the source has logged it
                dataset = rasterio.open(
                    self._partial,
                    "w",
                    driver="GTiff",
                    height=grid.height,
                    width=grid.width,
                    count=len(self._style.bands),
                    dtype=self._style.dtype,
                    nodata=self._style.nodata,
                    tiled=True,
                    blockxsize=BLOCK,
                    blockysize=BLOCK,
                    compress="deflate",
                    predictor=self._style.predictor,
                    zlevel=self._style.level,
                    bigtiff="if_safer",
                    **place,
                    **({"interleave": "band", "photometric": "minisblack"} if len(self._style.bands) > 1 else {}),
                )
        except GDAL_ERRORS as error:
            raise OutputError(
                tr("{path} could not be created: {error}.", path=self.path, error=error), tr(DISK_REMEDY)
            ) from error
        if self._style.colours is not None:
            dataset.write_colormap(1, dict(self._style.colours))
        for number, name in enumerate(self._style.bands, 1):
            dataset.set_band_description(number, name)
        return dataset

    def _write_blocks(self) -> None:
        if self._dataset is None:
            raise OutputError(tr("{path} is closed.", path=self.path))
        rows = np.ascontiguousarray(self._block[:, : self._pending])
        window = RasterioWindow(0, self._written, self._grid.width, self._pending)
        try:
            self._dataset.write(rows, window=window)
        except GDAL_ERRORS as error:
            raise OutputError(
                tr("{path} could not be written: {error}.", path=self.path, error=error), tr(DISK_REMEDY)
            ) from error
        self._raise_gdal_errors()
        # CRC-32 of each row of blocks as given; _verify() compares it with the pixels of the closed file.
        self._checksums.append(zlib.crc32(rows.data))
        self._written += self._pending
        self._pending = 0

    def _overview_factors(self) -> list[int]:
        factors, factor = [], 2
        while max(self._grid.height, self._grid.width) / factor * 2 > _SMALLEST_OVERVIEW:
            factors.append(factor)
            factor *= 2
        return factors

    def _add_overviews(self, tags: Mapping[str, str]) -> None:
        with rasterio.open(self._partial, "r+", driver="GTiff") as dataset:
            dataset.update_tags(**tags)
            factors = self._overview_factors()
            if factors:
                predictor, level = str(self._style.predictor), str(self._style.level)
                with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS", PREDICTOR_OVERVIEW=predictor, ZLEVEL_OVERVIEW=level):
                    dataset.build_overviews(factors, self._style.overviews)

    def _optimise(self) -> None:
        """Rewrite the file in the layout of a cloud-optimised GeoTIFF, overviews included."""
        ordered = self._folder / f"{self.path.stem}.cog.tif"
        predictor = "STANDARD" if self._style.predictor == 2 else "NO"
        options = {"compress": "DEFLATE", "predictor": predictor, "level": self._style.level}
        rasterio.shutil.copy(self._partial, ordered, driver="COG", blocksize=BLOCK, bigtiff="IF_SAFER", **options)
        os.replace(ordered, self._partial)  # one temporary file by another; abort() removes what is left of either

    def _verify(self) -> None:
        """Reopen the file and compare layout, shape, pixels and overviews with what was written."""
        with rasterio.open(self._partial) as dataset:
            if self._cog and dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") != "COG":
                raise OutputError(
                    tr("{path} did not become a cloud-optimised GeoTIFF.", path=self.path), tr("Make it without --cog.")
                )
            if dataset.count != len(self._style.bands) or dataset.shape != (self._grid.height, self._grid.width):
                shape = (dataset.count, *dataset.shape)
                raise OutputError(
                    tr("{path} was written with the wrong shape {shape}.", path=self.path, shape=shape), tr(DISK_REMEDY)
                )
            self._verify_place(dataset)
            for index, checksum in enumerate(self._checksums):
                row = index * BLOCK
                height = min(BLOCK, self._grid.height - row)
                rows = dataset.read(window=RasterioWindow(0, row, self._grid.width, height))
                if zlib.crc32(rows.data) != checksum:
                    raise OutputError(
                        tr(
                            "{path} reads back differently at rows {row}–{last}.",
                            path=self.path,
                            row=row,
                            last=row + height - 1,
                        ),
                        tr(DISK_REMEDY),
                    )
            levels = dataset.overviews(1)
            if len(levels) != len(self._overview_factors()):
                raise OutputError(tr("{path} lacks overviews.", path=self.path), tr(DISK_REMEDY))
        # Overviews have no checksum: decoding every block finds damaged ones.
        for level in range(len(levels)):
            with rasterio.open(self._partial, overview_level=level) as overview:
                for _, window in overview.block_windows(1):
                    overview.read(window=window)

    def _verify_place(self, dataset: rasterio.DatasetReader) -> None:
        """Compare CRS, transform and control points with those that were given."""
        remedy = tr("Reproject the raster to a common CRS first, such as a UTM zone.")
        if len(dataset.gcps[0]) != self._control_points:
            raise OutputError(
                tr("{path} lost its control points: {count} are left.", path=self.path, count=len(dataset.gcps[0])),
                remedy,
            )
        if self._control_points:
            return
        if not is_same_place(Grid(dataset.height, dataset.width, dataset.transform, dataset.crs), self._grid):
            crs = tr("no CRS") if dataset.crs is None else dataset.crs.to_string()[:80]
            raise OutputError(
                tr(
                    "{path} reads back at another place: {crs}, {transform}.",
                    path=self.path,
                    crs=crs,
                    transform=tuple(dataset.transform)[:6],
                ),
                remedy,
            )

    def _raise_gdal_errors(self) -> None:
        if self._errors.texts:
            raise OutputError(
                tr("{path} could not be written: {error}.", path=self.path, error=self._errors.texts[0]),
                tr(DISK_REMEDY),
            )


def place_raster_style(path: Path, qml: str) -> None:
    """Write the style of a raster that is in place, or remove an earlier one if there is none now.

    A style that was saved in QGIS, or is read with a layer of another format, is left alone. A style that cannot be
    written is no error: the raster has its colours and names itself.
    """
    with suppress(OSError):  # OutputError among them
        others = data_sets_with(path)
        if path.exists() and not is_raster_style(path.read_text(encoding="utf-8", errors="replace")):
            return
        if qml and not [other for other in others if other.suffix.lower() != ".gpkg"]:
            write_text(path, with_mark(qml))
        elif path.exists():
            path.unlink()
