"""The tolerance of outlines where none is given."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.local_frame import Frame

_DEFAULT = 2.0
"""Tolerance of outlines that do not follow pixels, m."""
_PIXELS = 2
_SAMPLE = 2000
"""Polygons that are looked at."""
_MOST = 0.9
_CORNERS = 8
"""An outline along pixels has more than these, as a rule."""


def chosen_tolerance(polygons: npt.NDArray[np.object_], frames: list[Frame]) -> float:
    """Return two pixels, m, of outlines that follow the pixels of a raster, else 2 m.

    Args:
        polygons: (N,) polygons in the CRS.
        frames: Their frames, along the axes of the CRS.
    """
    pixel = _pixel_size(polygons[:_SAMPLE], frames[:_SAMPLE])
    return _DEFAULT if pixel is None else _PIXELS * pixel


def _pixel_size(polygons: npt.NDArray[np.object_], frames: list[Frame]) -> float | None:
    """Return the size of the pixels that outlines follow, m; None where they do not.

    The edges of such outlines run along or across one direction, and short ones are whole numbers of pixels long.
    """
    rings = shapely.get_exterior_ring(polygons)
    if np.median(shapely.get_num_coordinates(rings)) - 1 <= _CORNERS:
        return None
    edges = np.concatenate(
        [np.diff(frame.into(shapely.get_coordinates(ring)), axis=0) for ring, frame in zip(rings, frames, strict=True)]
    )
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    turned = (angles - angles[0] + 45) % 180  # 0 to 90 along the first edge, 90 to 180 across
    straight = np.abs(turned % 90 - 45) < 1
    if straight.mean() < _MOST:
        return None
    sizes = []
    for own in (lengths[straight & (turned < 90)], lengths[straight & (turned >= 90)]):
        size = float(np.percentile(own, 5)) if len(own) else np.inf
        ratios = own[own < 5 * size] / size
        if len(own) == 0 or np.median(own) > 3 * size or (np.abs(ratios - np.round(ratios)) < 0.05).mean() < _MOST:
            return None
        sizes.append(size)
    return max(sizes)
