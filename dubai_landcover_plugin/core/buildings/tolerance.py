"""The tolerance of outlines where none is given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.plane import Frame

_DEFAULT = 2.0
"""Tolerance of outlines that do not follow pixels, m."""
_PIXELS = 2
_SAMPLE = 2000
"""Polygons that are looked at."""


def chosen_tolerance(polygons: npt.NDArray[np.object_], frames: list[Frame]) -> float:
    """Return two pixels, m, of outlines that follow the pixels of a raster, else 2 m.

    Such outlines turn at right angles only, and most of their edges are a few pixels long at most.

    Args:
        polygons: (N,) polygons in the CRS.
        frames: Their frames, along the axes of the CRS.
    """
    lengths, right = [], []
    for polygon, frame in zip(polygons[:_SAMPLE], frames[:_SAMPLE]):
        edges = np.diff(frame.into(shapely.get_coordinates(shapely.get_exterior_ring(polygon))), axis=0)
        long = np.hypot(edges[:, 0], edges[:, 1])
        edges, long = edges[long > 0], long[long > 0]
        after = np.roll(edges, -1, axis=0)
        cosines = (edges * after).sum(axis=1) / (long * np.roll(long, -1))
        lengths.append(long)
        right.append(np.abs(cosines) < np.sin(np.radians(1)))
    edge = np.concatenate(lengths)
    pixel = float(np.percentile(edge, 5))
    follows = np.concatenate(right).mean() > 0.9 and np.median(edge) < 3 * pixel
    return _PIXELS * pixel if follows else _DEFAULT
