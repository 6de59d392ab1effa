"""Reads classified rasters in strips of rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.windows import Window

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.class_tags import scheme_from_tags
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.raster_source import open_raster
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError, RasterReadError

_REMEDY = "Choose a classified raster made by Segment Land Cover."

_CACHE = 128 << 20  # bytes of decoded blocks

Ids = npt.NDArray[np.uint8]


class ClassifiedSource:
    """An open classified raster; a context manager.

    Args:
        path: A raster written by Segment Land Cover.

    Raises:
        RasterOpenError: if it cannot be opened or is not a classified raster.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self._dataset = open_raster(path)
        try:
            dataset = self._dataset
            if dataset.count != 1 or dataset.dtypes[0] != "uint8":
                raise RasterOpenError(
                    f"{path} is not a classified raster: it has {dataset.count} band(s) of {dataset.dtypes[0]}, not "
                    "one of uint8.",
                    _REMEDY,
                )
            tags = dataset.tags()
            try:
                self.scheme = scheme_from_tags(tags)
            except ClassSchemeError as error:
                raise RasterOpenError(f"{path} is not a classified raster: {error.message}", _REMEDY) from error
            self._grid = Grid(dataset.height, dataset.width, dataset.transform, declared_crs(dataset.crs))
            self.run: dict[str, Any] = _json(tags.get("LANDCOVER_RUN"))
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ClassifiedSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()

    @property
    def grid(self) -> Grid:
        """Shape, transform and CRS."""
        return self._grid

    @property
    def model(self) -> str:
        """Name of the model of the run; empty if unknown."""
        return str(self.run.get("model", {}).get("name", ""))

    def read(self, first: int, last: int) -> Ids:
        """Return rows ``first`` to ``last`` (excluded) as class ids, (last - first, W) uint8; 0 is nodata.

        Raises:
            RasterReadError: if a block is damaged.
        """
        try:
            return self._dataset.read(1, window=Window(0, first, self.grid.width, last - first))  # type: ignore[no-any-return]
        except GDAL_ERRORS as error:
            raise RasterReadError(f"{self.path} cannot be read: {error.__cause__ or error}.", _REMEDY) from error

    def preview(self, height: int, width: int) -> Ids:
        """Return the whole raster at a lower resolution, (height, width) uint8: the most frequent id of each cell.

        Raises:
            RasterReadError: if a block is damaged.
        """
        try:
            return self._dataset.read(1, out_shape=(height, width), resampling=Resampling.mode)  # type: ignore[no-any-return]
        except GDAL_ERRORS as error:
            raise RasterReadError(f"{self.path} cannot be read: {error.__cause__ or error}.", _REMEDY) from error

    def check_ids(self, found: Iterable[int]) -> None:
        """Refuse class ids that the raster's class names do not list.

        Args:
            found: Class ids that occur in the raster.

        Raises:
            ClassSchemeError: if one is not listed.
        """
        if not {entry.id for entry in self.scheme.entries} | {NODATA_ID} >= set(found):
            known = ", ".join(f"{entry.id} {entry.name}" for entry in self.scheme.entries)
            raise ClassSchemeError(
                f"{self.path} contains class ids without a name; its classes are {known}.",
                "Use a raster as Segment Land Cover wrote it.",
            )

    def strips(self, rows: int) -> Iterator[tuple[int, Ids]]:
        """Yield strips of at most ``rows`` rows from the top: first row and class ids, (n, W) uint8."""
        for first in range(0, self.grid.height, rows):
            yield first, self.read(first, min(first + rows, self.grid.height))


def limited_cache() -> rasterio.Env:
    """Return a context that limits GDAL's block cache to 128 MB instead of 5 % of the memory."""
    return rasterio.Env(GDAL_CACHEMAX=_CACHE)


def _json(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
