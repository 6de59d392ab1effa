"""Outlines of buildings, and measures of them, for the tests of this room."""

import numpy as np
import shapely
from rasterio.features import rasterize, shapes

from dubai_landcover_plugin.core.buildings.local_frame import local_frames
from dubai_landcover_plugin.core.buildings.outlines import align_to_walls, regularize_outline

ELL = shapely.Polygon([(0, 0), (40, 0), (40, 14), (16, 14), (16, 30), (0, 30)])
DUMBBELL = shapely.union_all([shapely.box(0, 0, 20, 20), shapely.box(20, 8, 26, 11), shapely.box(26, 0, 50, 20)])


YARD = shapely.box(0, 0, 40, 36).difference(shapely.box(12, 10, 28, 24))


def pixels(*polygons, size=110):
    """Return the pixel-stair outlines of polygons on a grid of 1 m."""
    found = []
    for polygon in polygons:
        mask = rasterize([polygon], (size, size), dtype="uint8")
        parts = [shapely.geometry.shape(shape) for shape, value in shapes(mask, connectivity=4) if value]
        found.append(max(parts, key=lambda part: part.area))
    return np.array(found, object)


def regular(polygon, tolerance=2.0, diagonals=False, min_iou=0.85):
    (frame,) = local_frames(np.array([polygon], object), None)
    frame = align_to_walls(polygon, frame, tolerance)
    found = regularize_outline(polygon, frame, tolerance, diagonals, min_iou)
    return (None, frame) if found is None else (found[0], frame)


def deviations(polygon, fold=90.0):
    """Return how far edges are from the longest one's direction, degrees modulo ``fold``, and their lengths."""
    edges = np.concatenate([np.diff(shapely.get_coordinates(ring), axis=0) for ring in shapely.get_rings(polygon)])
    lengths = np.hypot(*edges.T)
    angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    return np.abs((angles - angles[lengths.argmax()] + fold / 2) % fold - fold / 2), lengths
