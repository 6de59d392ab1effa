"""Check that polygons form a valid coverage of the raster, and a table of the areas before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.polygons.half_edges import HalfEdges
from dubai_landcover_plugin.core.polygons.rings import Rings
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.translation import tr

Keys = npt.NDArray[np.uint64]


class CoverageCheck:
    """Checks, in constant memory, that polygons cover the valid pixels without gaps and overlaps.

    In a coverage, every half-edge has a twin: in a neighbour, or in the boundary of nodata. Each edge is hashed to 64
    bits; the hash is added for one direction and subtracted for the other, so that the sum is 0 if all edges cancel
    (a mismatch goes unnoticed with a probability of 2⁻⁶⁴). With valid polygons whose areas add up to the valid area,
    there are no gaps and no overlaps.

    Args:
        columns: Pixel corners in a row of the raster, W + 1.
    """

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._sum = np.uint64(0)
        self._area = 0.0
        self._invalid = 0

    def add_nodata_boundary(self, half_edges: HalfEdges) -> None:
        """Add half-edges whose face, on the right, is nodata."""
        self._add((half_edges.keys // 4).astype(np.uint64), (half_edges.next // 4).astype(np.uint64))

    def add_polygons(self, rings: Rings, polygons: npt.NDArray[np.object_]) -> None:
        """Add polygons, (N,) in pixel coordinates, and their rings."""
        here, there = (points[:, 1] * self._columns + points[:, 0] for points in (rings.points, rings.next_points))
        self._add(here.astype(np.uint64), there.astype(np.uint64))
        self._area += float(rings.pixel_areas.sum())
        self._invalid += int((~shapely.is_valid(polygons)).sum())

    def check(self, valid_pixels: int) -> None:
        """Raise unless the polygons that were added cover ``valid_pixels`` pixels without gaps and overlaps.

        Raises:
            OutputError: with the area covered, the number of invalid polygons, and whether the edges match.
        """
        if self._sum or self._invalid or abs(self._area - valid_pixels) > 1e-6 * max(valid_pixels, 1):
            raise OutputError(
                tr(
                    "The polygons do not cover the raster without gaps and overlaps: {area:.1f} of {valid_pixels} px "
                    "covered, {invalid} invalid polygons, edges do not match."
                    if self._sum
                    else "The polygons do not cover the raster without gaps and overlaps: {area:.1f} of {valid_pixels} "
                    "px covered, {invalid} invalid polygons, edges match.",
                    area=self._area,
                    valid_pixels=valid_pixels,
                    invalid=self._invalid,
                ),
                tr("Please report this error together with the classified raster; --simplify 0 may avoid it."),
            )

    def _add(self, origins: Keys, ends: Keys) -> None:
        """Add or subtract the hash of each edge, by its direction."""
        low, high = np.minimum(origins, ends), np.maximum(origins, ends)
        hashes = _mix(_mix(low) ^ (high * np.uint64(0x9E3779B97F4A7C15)))
        with np.errstate(over="ignore"):  # arithmetic modulo 2⁶⁴; ~h + 1 is -h
            self._sum += np.where(origins < ends, hashes, ~hashes + np.uint64(1)).sum(dtype=np.uint64)


def _mix(value: Keys) -> Keys:
    """Return a 64-bit hash of each value: the finalizer of splitmix64.

    Source:
        G. L. Steele, D. Lea, C. H. Flood 2014, Fast splittable pseudorandom number generators,
        https://doi.org/10.1145/2660193.2660195
    """
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@dataclass(frozen=True)
class Conservation:
    """Area of each class, m² (px without a CRS), at each step.

    Args:
        raster: (65536,) by class id, in the classified raster.
        merged: (65536,) after the minimum mapping unit; also the area of polygons along pixel edges.
        polygons: (65536,) in the simplified polygons, of all classes, whether they are written or not.
    """

    raster: npt.NDArray[np.float64]
    merged: npt.NDArray[np.float64]
    polygons: npt.NDArray[np.float64]

    def to_json(self, scheme: ClassScheme) -> dict[str, Any]:
        """Return a table by class name; gaps and overlaps are 0, as the coverage check raises otherwise."""
        columns = {"raster": self.raster, "merged": self.merged, "polygons": self.polygons}
        names = {entry.id: entry.name for entry in scheme.entries}
        present = [value for value in np.flatnonzero(self.raster).tolist() if value != NODATA_ID]
        areas = {
            names.get(value, str(value)): {name: round(float(column[value]), 3) for name, column in columns.items()}
            for value in present
        }
        return {"areas": areas, "gaps": 0, "overlaps": 0}
