"""Default tolerance of regularization, from the outlines."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.buildings.local_frame import LocalFrame

_DEFAULT = 2.0
"""Tolerance for outlines that do not follow pixel edges, m."""
_PIXELS = 2
"""Tolerance for outlines that follow pixel edges, pixels."""
_SAMPLE = 2000
"""Number of polygons that are examined."""
_MIN_SHARE = 0.9
"""Smallest share of edges that fit a pixel grid."""
_CORNERS = 8
"""Outlines along pixel edges have more vertices than this in the median."""


def default_tolerance(polygons: npt.NDArray[np.object_], frames: list[LocalFrame]) -> float:
    """Return two pixels, m, for outlines that follow the pixel edges of a raster, else 2 m.

    Args:
        polygons: (N,) polygons in the CRS.
        frames: N local frames, along the axes of the CRS.
    """
    pixel = _pixel_size(polygons[:_SAMPLE], frames[:_SAMPLE])
    return _DEFAULT if pixel is None else _PIXELS * pixel


def _pixel_size(polygons: npt.NDArray[np.object_], frames: list[LocalFrame]) -> float | None:
    """Return the size of the pixels whose edges the outlines follow, m; None if they do not.

    Such outlines have edges along two perpendicular directions alone, and short edges are multiples of the pixel size.
    """
    rings = shapely.get_exterior_ring(polygons)
    if np.median(shapely.get_num_coordinates(rings)) - 1 <= _CORNERS:
        return None
    edges = np.concatenate(
        [
            np.diff(frame.to_local(shapely.get_coordinates(ring)), axis=0)
            for ring, frame in zip(rings, frames, strict=True)
        ]
    )
    lengths = np.hypot(edges[:, 0], edges[:, 1])
    # Edges along (0 to 90) and across (90 to 180) the direction of the first edge.
    angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    turned = (angles - angles[0] + 45) % 180
    straight = np.abs(turned % 90 - 45) < 1
    if straight.mean() < _MIN_SHARE:
        return None
    # In both directions, short edges must be multiples of a pixel, which is about the shortest edge.
    sizes = []
    for edge_lengths in (lengths[straight & (turned < 90)], lengths[straight & (turned >= 90)]):
        size = float(np.percentile(edge_lengths, 5)) if len(edge_lengths) else np.inf
        ratios = edge_lengths[edge_lengths < 5 * size] / size
        if (
            len(edge_lengths) == 0
            or np.median(edge_lengths) > 3 * size
            or (np.abs(ratios - np.round(ratios)) < 0.05).mean() < _MIN_SHARE
        ):
            return None
        sizes.append(size)
    return max(sizes)
