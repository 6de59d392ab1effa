"""Proof that polygons cover what the raster covers, once: counted while they are made, in no memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.polygons.half_edges import Links
from dubai_landcover_plugin.core.polygons.rings import Rings
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import OutputError

Keys = npt.NDArray[np.uint64]


class CoverageProof:
    """Checks a coverage edge by edge.

    Every edge of a polygon must occur once more, the other way round: in a neighbour, or in the border of no data. Each
    edge adds a number that looks random, and its return takes it off; a sum of 0 means that all cancel (one case in 2⁶⁴
    aside). With valid polygons whose areas add up to the area of the data, there are no gaps and no overlaps.

    Args:
        columns: Corners in a row of the raster.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._sum = np.uint64(0)
        self._area = 0.0
        self._invalid = 0

    def add_border(self, links: Links) -> None:
        """Take the border of no data, as links with no data on the right."""
        self._add((links.keys // 4).astype(np.uint64), (links.following // 4).astype(np.uint64))

    def add_polygons(self, rings: Rings, polygons: npt.NDArray[np.object_]) -> None:
        """Take polygons and their rings."""
        here, there = (points[:, 1] * self._columns + points[:, 0] for points in (rings.points, rings.following))
        self._add(here.astype(np.uint64), there.astype(np.uint64))
        self._area += float(rings.pixel_areas.sum())
        self._invalid += int((~shapely.is_valid(polygons)).sum())

    def check(self, valid_pixels: int) -> None:
        """Raise unless the polygons cover ``valid_pixels`` without gaps and overlaps.

        Raises:
            OutputError: with what is wrong.
        """
        if self._sum or self._invalid or abs(self._area - valid_pixels) > 1e-6 * max(valid_pixels, 1):
            raise OutputError(
                f"The polygons do not cover the raster without gaps: {self._area:.1f} of {valid_pixels} px, "
                f"{self._invalid} invalid, edges {'do not match' if self._sum else 'match'}.",
                "Report this, with the classified raster; --simplify 0 may help meanwhile.",
            )

    def _add(self, here: Keys, there: Keys) -> None:
        low, high = np.minimum(here, there), np.maximum(here, there)
        number = _scrambled(_scrambled(low) ^ (high * np.uint64(0x9E3779B97F4A7C15)))
        with np.errstate(over="ignore"):
            self._sum += np.where(here < there, number, ~number + np.uint64(1)).sum(dtype=np.uint64)


def _scrambled(value: Keys) -> Keys:
    """Return numbers that look random, the same for the same value (splitmix64, Steele et al. 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@dataclass(frozen=True)
class Conservation:
    """Areas by class, m² (px without a CRS), before and after.

    Args:
        raster: In the class map.
        merged: After small regions went to their neighbours; also that of polygons along pixel edges.
        polygons: Of the polygons written, or that would be, if all classes were wanted.
    """

    raster: npt.NDArray[np.float64]
    merged: npt.NDArray[np.float64]
    polygons: npt.NDArray[np.float64]

    def to_json(self, scheme: ClassScheme) -> dict[str, Any]:
        """Return a table by class name; gaps and overlaps are 0, or there were no polygons."""
        columns = {"raster": self.raster, "merged": self.merged, "polygons": self.polygons}
        names = {entry.id: entry.name for entry in scheme.entries}
        found = [value for value in np.flatnonzero(self.raster).tolist() if value != NODATA_ID]
        areas = {
            names.get(value, str(value)): {name: round(float(column[value]), 3) for name, column in columns.items()}
            for value in found
        }
        return {"areas": areas, "gaps": 0, "overlaps": 0}
