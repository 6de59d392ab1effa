"""Assessment with a reference raster, which is resampled to the pixels of the map if its grid differs."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio import Env
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from dubai_landcover_plugin.core.assessment.reference_classes import reference_indices
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, Indices, class_indices, strip_rows
from dubai_landcover_plugin.core.assessment.wall_to_wall import ContingencyTable, wall_to_wall_assessment
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, check_one_band, needs_mask
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.input_files import check_unchanged, identify_input
from dubai_landcover_plugin.core.io.raster_access import gdal_options, open_raster
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RasterReadError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import joined, tr

_METHOD = (
    "The reference is a raster: all pixels with a class in both rasters were counted. Nothing is estimated, so there "
    "are no intervals; areas are those of the pixels compared. Errors of the reference count as errors of the map."
)


class ReferenceRaster:
    """Reads a reference raster as class indices on the grid of a map; a context manager.

    Args:
        path: Raster with one band of class ids. Classes are matched by name if the raster has class names, else by id.
        grid: Grid of the map.
        scheme: Classes of the map.
        given: Classes of the reference that the user chose, see :func:`.reference_indices`.

    Raises:
        RasterOpenError: if it cannot be opened, or has several bands.
        ClassSchemeError: if its classes cannot be matched with those of the map.
        GeoreferenceError: if its grid differs and either raster has no CRS.
        RasterReadError: at the end, if its files have changed meanwhile.
    """

    def __init__(self, path: str, grid: Grid, scheme: ClassScheme, given: str | None = None) -> None:
        self._path, self._grid, self._scheme = path, grid, scheme
        self._files = identify_input(path)
        self._dataset = open_raster(path)
        self._vrt: Any = None
        self.warnings: list[str] = []
        self.unknown: set[int] = set()
        try:
            check_one_band(path, self._dataset)
            self._indices, note = reference_indices(path, self._dataset, scheme, given)
            self.warnings += [note] if note else []
            if not self._has_same_grid():
                self._vrt = self._warped()
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ReferenceRaster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._vrt is not None:
            self._vrt.close()
        self._dataset.close()
        if kind is None:
            check_unchanged(self._files)

    @property
    def size(self) -> str:
        """Columns and rows of the raster, such as ``100 × 80``."""
        return f"{self._dataset.width} × {self._dataset.height}"

    @property
    def is_resampled(self) -> bool:
        """Whether the raster has another grid than the map."""
        return self._vrt is not None

    def read(self, first: int, last: int) -> Indices:
        """Return rows ``first`` to ``last`` (excluded) as class indices of the map, (h, W); Unlabeled is ``NO_CLASS``.

        Raises:
            RasterReadError: if a block is damaged.
        """
        window = Window(0, first, self._grid.width, last - first)
        try:
            with Env(**gdal_options(self._path)):
                values = (self._vrt or self._dataset).read(1, window=window, masked=True)
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read: {error}.", path=self._path, error=cause(error)), tr("Check the file.")
            ) from error
        # Values that are integers from 0 to 255 and valid; all others are unknown.
        in_range = ~np.ma.getmaskarray(values) & (values.data >= 0) & (values.data <= 255)
        ids = np.where(in_range, values.data, 0).astype(np.uint8)
        exact = ids == values.data
        indices = self._indices[ids]
        known = exact & (indices != NO_CLASS) & in_range
        unknown = ~known & ~np.ma.getmaskarray(values) & (values.data != 0)
        if unknown.any():
            self._remember(values.data[unknown])
        indices[~known | (indices >= len(self._scheme.classes))] = NO_CLASS
        return indices

    def notes(self) -> list[str]:
        """Return the warnings for the user, those about the values read so far included."""
        if not self.unknown:
            return list(self.warnings)
        listed = joined(f"{value:g}" for value in sorted(self.unknown)[:8])
        skipped = tr(
            "Pixels of the reference with values that are not classes of the map were skipped: {listed}.", listed=listed
        )
        return [*self.warnings, skipped]

    def _remember(self, values: npt.NDArray[Any]) -> None:
        if len(self.unknown) < 8:
            self.unknown.update(np.unique(values[np.isfinite(values)])[:8].tolist())

    def _has_same_grid(self) -> bool:
        dataset, grid = self._dataset, self._grid
        crs = declared_crs(dataset.crs)
        same_place = crs is None or grid.crs is None or crs == grid.crs
        same_pixels = dataset.transform.almost_equals(grid.transform, 1e-6 * abs(grid.transform.determinant) ** 0.5)
        return same_place and same_pixels and (dataset.height, dataset.width) == (grid.height, grid.width)

    def _warped(self) -> Any:
        """Return a view of the raster on the grid of the map, by nearest neighbour."""
        dataset, grid = self._dataset, self._grid
        crs = declared_crs(dataset.crs)
        if crs is None or grid.crs is None:
            raise GeoreferenceError(
                tr(
                    "{path} has another grid ({width} × {height} px) than the map ({map_width} × {map_height} px), and "
                    "it has no CRS."
                    if crs is None
                    else "{path} has another grid ({width} × {height} px) than the map ({map_width} × {map_height} "
                    "px), and the map has no CRS.",
                    path=self._path,
                    width=dataset.width,
                    height=dataset.height,
                    map_width=grid.width,
                    map_height=grid.height,
                ),
                tr("Assign a CRS to both, or resample one to the pixels of the other."),
            )
        self.warnings.append(
            tr(
                "The reference has another grid ({width} × {height} px, {crs}) than the map and was resampled "
                "(nearest neighbour). Borders between classes may count as errors.",
                width=dataset.width,
                height=dataset.height,
                crs=crs,
            )
        )
        empty = dataset.nodata if dataset.nodata is not None else 0
        # GDAL honours a mask or an alpha band only where it is given no nodata value.
        nodata = {} if needs_mask(dataset) else {"src_nodata": empty, "nodata": empty}
        return WarpedVRT(
            dataset,
            crs=grid.crs,
            transform=grid.transform,
            width=grid.width,
            height=grid.height,
            resampling=Resampling.nearest,
            **nodata,
        )


def assess_raster(source: ClassifiedSource, path: str, monitor: Monitor, given: str | None = None) -> Assessment:
    """Compare a map with a reference raster, pixel by pixel.

    Args:
        source: The map.
        path: Reference raster.
        monitor: Receives progress; may cancel.
        given: Classes of the reference that the user chose.

    Raises:
        LandCoverError: as :class:`ReferenceRaster`, or if they have no pixels in common.
    """
    grid, scheme = source.grid, source.scheme
    table, indices = ContingencyTable(grid, scheme), class_indices(scheme)
    with ReferenceRaster(path, grid, scheme, given) as reference:
        for first, ids in source.strips(strip_rows(grid)):
            raise_if_cancelled(monitor)
            monitor.report(first, grid.height, tr("comparing"))
            table.add(first, indices[ids], reference.read(first, first + len(ids)))
        notes = reference.notes()
    unit = "px" if grid.crs is None else "m2"
    return wall_to_wall_assessment("raster", scheme, table, unit, {}, [tr(_METHOD)], notes)
