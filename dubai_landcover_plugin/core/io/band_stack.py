"""A raster with further bands: those of a second raster on another grid, and bands derived from others."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.vrt import WarpedVRT

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.band_words import common_name
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.derived_bands import RECIPES
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.translation import tr

_KIND = "float32"  # of bands that are resampled or derived
_NAN = float("nan")


class BandStack:
    """A dataset whose bands are followed by those of another raster, resampled to its pixels, and by derived ones.

    It has what :class:`.RasterSource` uses of a dataset; everything that does not concern bands is that of the first
    raster. Added bands are float32, NaN where there is no data.

    Args:
        dataset: The first raster; closed with the stack.
        second: The resampled bands of the other raster, or None.
        closing: Closes the second raster.
    """

    def __init__(self, dataset: rasterio.DatasetReader, second: WarpedVRT | None, closing: ExitStack) -> None:
        self._first, self._second, self._closing = dataset, second, closing
        self._derived: list[tuple[str, tuple[int, int], bool]] = []  # name, sources, whether normalized

    def __getattr__(self, name: str) -> Any:
        return getattr(self._first, name)

    def derive(self, name: str, sources: tuple[int, int], normalized: bool = True) -> int:
        """Add the difference of two bands, divided by their sum if it is normalized; return its number."""
        self._derived.append((name, sources, normalized))
        return self.count

    def close(self) -> None:
        """Close all rasters."""
        self._closing.close()
        self._first.close()

    @property
    def _added(self) -> int:
        return (self._second.count if self._second is not None else 0) + len(self._derived)

    @property
    def count(self) -> int:
        """Number of bands."""
        return int(self._first.count) + self._added

    @property
    def dtypes(self) -> tuple[str, ...]:
        """Type of each band."""
        return (*self._first.dtypes, *[_KIND] * self._added)

    @property
    def nodatavals(self) -> tuple[float | None, ...]:
        """Nodata value of each band."""
        return (*self._first.nodatavals, *[_NAN] * self._added)

    @property
    def descriptions(self) -> tuple[str | None, ...]:
        """Name of each band."""
        second = self._second.descriptions if self._second is not None else ()
        return (*self._first.descriptions, *second, *(name for name, _, _ in self._derived))

    @property
    def units(self) -> tuple[str | None, ...]:
        """Unit of each band."""
        second = self._second.units if self._second is not None else ()
        return (*self._first.units, *second, *[None] * len(self._derived))

    @property
    def colorinterp(self) -> tuple[ColorInterp, ...]:
        """Colour interpretation of each band; the second raster is no picture."""
        return (*self._first.colorinterp, *[ColorInterp.undefined] * self._added)

    @property
    def mask_flag_enums(self) -> tuple[list[MaskFlags], ...]:
        """Mask of each band."""
        return (*self._first.mask_flag_enums, *[[MaskFlags.nodata]] * self._added)

    @property
    def files(self) -> list[str]:
        """All files of both rasters."""
        return [*self._first.files, *(self._second.src_dataset.files if self._second is not None else ())]

    def tags(self, band: int = 0, **options: Any) -> dict[str, str]:
        """Return the tags of a band."""
        if band <= self._first.count:
            found: dict[str, str] = self._first.tags(band, **options)
            return found
        other = band - self._first.count
        if self._second is not None and other <= self._second.count:
            return dict(self._second.src_dataset.tags(other, **options))
        return {}

    def overviews(self, band: int) -> list[int]:
        """Return the decimations of the overviews of a band; added bands have none."""
        return list(self._first.overviews(band)) if band <= self._first.count else []

    def read(self, bands: int | list[int], **options: Any) -> npt.NDArray[Any]:
        """Read one band (H, W) or several (C, H, W) of the widest type."""
        if isinstance(bands, list):
            if all(band <= self._first.count for band in bands):
                together: npt.NDArray[Any] = self._first.read(bands, **options)
                return together
            shape = {"out_shape": options["out_shape"][1:]} if "out_shape" in options else {}
            return np.stack([self.read(band, **{**options, **shape}) for band in bands])
        if bands <= self._first.count:
            found: npt.NDArray[Any] = self._first.read(bands, **options)
            return found
        other = bands - self._first.count
        if self._second is not None:
            if other <= self._second.count:
                return np.asarray(self._second.read(other, **options))
            other -= self._second.count
        _, (first, second), normalized = self._derived[other - 1]
        return self._difference(first, second, normalized, options)

    def read_masks(self, band: int, **options: Any) -> npt.NDArray[np.uint8]:
        """Read the mask of a band of the first raster."""
        found: npt.NDArray[np.uint8] = self._first.read_masks(band, **options)
        return found

    def _difference(
        self, first: int, second: int, normalized: bool, options: dict[str, Any]
    ) -> npt.NDArray[np.float32]:
        """Return (a - b) / (a + b) of two bands, 0 where both are 0, NaN where both have no data; or a - b.

        A plain difference is NaN where one of them has no data.
        """
        parts, holes = [], []
        for band in (first, second):
            values = self.read(band, **options).astype(np.float32)
            nodata = self.nodatavals[band - 1]
            holes.append(~np.isfinite(values) if nodata is None else (values == nodata) | ~np.isfinite(values))
            parts.append(np.where(np.isfinite(values), values, 0))
        if not normalized:
            return np.where(holes[0] | holes[1], np.float32(np.nan), parts[0] - parts[1]).astype(np.float32)
        total = parts[0] + parts[1]
        share = np.divide(parts[0] - parts[1], total, out=np.zeros_like(total), where=total != 0)
        return np.where(holes[0] & holes[1], np.float32(np.nan), np.clip(share, -1, 1)).astype(np.float32)


def stacked(dataset: Any, grid: Grid, second: str | None, checked: bool) -> Any:
    """Return a dataset with the bands of a second raster, if there is one, resampled bilinearly to a grid.

    Args:
        dataset: The first raster.
        grid: Its grid.
        second: Path of the second raster, or None.
        checked: Whether this process has opened it before.

    Raises:
        GeoreferenceError: if one of them has no CRS, or they have no ground in common.
        RasterOpenError: if the second one cannot be opened.
    """
    if second is None:
        return dataset
    with ExitStack() as stack:
        other = stack.enter_context(open_raster(second, checked))
        for path, crs in ((dataset.name, grid.crs), (second, other.crs)):
            if crs is None:
                raise GeoreferenceError(
                    tr("{path} has no CRS, so the second raster cannot be placed on the first.", path=path),
                    tr("Assign its CRS."),
                )
        try:
            warped = stack.enter_context(
                WarpedVRT(
                    other,
                    crs=grid.crs,
                    transform=grid.transform,
                    width=grid.width,
                    height=grid.height,
                    resampling=Resampling.bilinear,
                    src_nodata=other.nodata,
                    nodata=_NAN,
                    dtype=_KIND,
                    UNIFIED_SRC_NODATA="NO",  # each band has holes of its own
                )
            )
            probe = warped.read(1, out_shape=(min(grid.height, 64), min(grid.width, 64)))
        except (*GDAL_ERRORS, ValueError) as error:
            raise GeoreferenceError(
                tr(
                    "{second} cannot be resampled to the pixels of {path}: {error}.",
                    second=second,
                    path=dataset.name,
                    error=cause(error),
                ),
                tr("Check its CRS."),
            ) from error
        if not np.isfinite(probe).any():
            raise GeoreferenceError(
                tr("{second} has no data on the ground of {path}.", second=second, path=dataset.name),
                tr("Give one of the same place, or check its CRS."),
            )
        return BandStack(dataset, warped, stack.pop_all())


def derivable(names: tuple[str, ...], present: tuple[str, ...]) -> list[str]:
    """Return the names of derived bands among ``names`` that a raster with the bands ``present`` does not have."""
    return [name for name in names if common_name(name) in RECIPES and common_name(name) not in present]
