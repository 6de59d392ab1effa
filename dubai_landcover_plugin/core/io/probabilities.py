"""Reads probability rasters: a band for each class, percent, as Segment Land Cover writes them."""

from __future__ import annotations

import json
from types import TracebackType

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.windows import Window as RasterioWindow

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.class_tags import PROBABILITIES
from dubai_landcover_plugin.core.io.declared_crs import declared_crs
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS, cause
from dubai_landcover_plugin.core.io.georeference import is_same_place
from dubai_landcover_plugin.core.io.input_files import check_unchanged, identify_input
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.class_tags import scheme_from_tags
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.translation import joined, tr

CERTAIN = 100  # percent

_REMEDY = "Choose the raster of probabilities of a run of Segment Land Cover (--probabilities)."

Percents = npt.NDArray[np.uint8]


class ProbabilitySource:
    """An open probability raster; a context manager.

    Args:
        path: The raster.

    Attributes:
        path: The raster.
        scheme: Its classes; the first K are those of the bands, in their order.
        grid: Shape, transform and CRS.
        tags: Tags of the raster.
        ground_control_points: Ground control points and their CRS; none in most rasters.

    Raises:
        RasterOpenError: if it cannot be opened or is not a probability raster.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.inputs = identify_input(path)
        self._dataset: rasterio.DatasetReader = open_raster(path)
        try:
            self.tags: dict[str, str] = self._dataset.tags()
            self.scheme = self._scheme()
            dataset = self._dataset
            self.ground_control_points = dataset.gcps
            self.grid = Grid(dataset.height, dataset.width, dataset.transform, declared_crs(dataset.crs))
        except BaseException:
            self._dataset.close()
            raise

    def __enter__(self) -> ProbabilitySource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dataset.close()

    @property
    def files(self) -> list[str]:
        """All files of the raster."""
        return list(self._dataset.files)

    @property
    def nodata(self) -> int:
        """Value of pixels without data, the same in all bands."""
        return int(self._dataset.nodata or 0)

    @property
    def model(self) -> str:
        """Name of the model of the run; empty if unknown."""
        try:
            return str(json.loads(self.tags["LANDCOVER_RUN"])["model"]["name"])
        except (KeyError, TypeError, ValueError):
            return ""

    def check_unchanged(self) -> None:
        """Check that the files of the raster are those that were opened.

        Raises:
            RasterReadError: if one was changed or replaced.
        """
        check_unchanged(self.inputs)

    def read(self, first: int, last: int) -> Percents:
        """Return rows ``first`` to ``last`` (excluded), (K, last - first, W) uint8: percent, or nodata.

        Raises:
            RasterReadError: if a block is damaged or a value is not a percentage.
        """
        try:
            values: Percents = self._dataset.read(window=RasterioWindow(0, first, self.grid.width, last - first))
        except GDAL_ERRORS as error:
            raise RasterReadError(
                tr("{path} cannot be read: {error}.", path=self.path, error=cause(error)), tr(_REMEDY)
            ) from error
        wrong = (values > CERTAIN) & (values != self.nodata)
        if wrong.any():
            raise RasterReadError(
                tr("{path} has values that are not percent: {value}.", path=self.path, value=values[wrong][0]),
                tr(_REMEDY),
            )
        return values

    def check_same(self, other: ProbabilitySource) -> None:
        """Check that another probability raster has the same classes and pixels.

        Raises:
            RasterOpenError: naming what differs.
        """
        mine, theirs = ([entry.name for entry in one.scheme.classes] for one in (self, other))
        if self.scheme.ids != other.scheme.ids or mine != theirs:
            raise RasterOpenError(
                tr(
                    "{path} has the classes {names}, {other_path} has {other_names}.",
                    path=other.path,
                    names=joined(theirs),
                    other_path=self.path,
                    other_names=joined(mine),
                ),
                tr("Average rasters of models with the same classes in the same order."),
            )
        one, two = self.grid, other.grid
        if (one.height, one.width) != (two.height, two.width) or not is_same_place(two, one):
            raise RasterOpenError(
                tr(
                    "{path} has other pixels ({width} × {height}) than {other_path} ({other_width} × {other_height}).",
                    path=other.path,
                    width=two.width,
                    height=two.height,
                    other_path=self.path,
                    other_width=one.width,
                    other_height=one.height,
                ),
                tr("Average rasters of runs over the same image and extent."),
            )

    def _scheme(self) -> ClassScheme:
        dataset = self._dataset
        if PROBABILITIES not in self.tags or set(dataset.dtypes) != {"uint8"} or dataset.nodata is None:
            raise RasterOpenError(tr("{path} is not a probability raster.", path=self.path), tr(_REMEDY))
        try:
            scheme = scheme_from_tags(self.tags)
            ids = [int(number) for number in self.tags[PROBABILITIES].split()]
        except (ClassSchemeError, ValueError) as error:
            raise RasterOpenError(
                tr("{path} is not a probability raster: its tags are damaged.", path=self.path), tr(_REMEDY)
            ) from error
        by_id = {entry.id: entry for entry in scheme.classes}
        if len(ids) != dataset.count or set(ids) != set(by_id):
            raise RasterOpenError(
                tr(
                    "{path} is not a probability raster: it has {count} bands for {other_count} classes.",
                    path=self.path,
                    count=dataset.count,
                    other_count=len(by_id),
                ),
                tr(_REMEDY),
            )
        return ClassScheme(tuple(by_id[number] for number in ids), scheme.unlabeled)
