"""Classified rasters with roads, and the check of a network, for the tests of this room."""

import numpy as np
import shapely

WATER, LAND, ROAD, BUILDING = 1, 2, 3, 4


def land(height=100, width=120):
    return np.full((height, width), LAND, np.uint8)


def assert_topology(found):
    """Lines are simple, touch at shared nodes only, and say so."""
    lines, fields = found.lines, found.line_fields
    assert shapely.is_valid(lines).all()
    assert shapely.is_simple(lines).all()
    assert (shapely.length(lines) > 0).all()
    place = dict(zip(found.node_fields["node_id"].tolist(), shapely.get_coordinates(found.nodes).tolist(), strict=True))
    degree = dict.fromkeys(place, 0)
    for line, start, end in zip(lines, fields["from_node"].tolist(), fields["to_node"].tolist(), strict=True):
        points = shapely.get_coordinates(line).tolist()
        assert points[0] == place[start]
        assert points[-1] == place[end]
        degree[start] += 1
        degree[end] += 1
    assert degree == dict(zip(place, found.node_fields["degree"].tolist(), strict=True))
    tree = shapely.STRtree(lines)
    one, other = tree.query(lines, "intersects")
    pairs = one < other
    common = shapely.intersection(lines[one[pairs]], lines[other[pairs]])
    assert (shapely.length(common) == 0).all()  # no duplicates
    known = {tuple(point) for point in place.values()}
    assert {tuple(point) for point in shapely.get_coordinates(common).tolist()} <= known
    component = dict(zip(found.node_fields["node_id"].tolist(), found.node_fields["network"].tolist(), strict=True))
    for start, end, number in zip(*(fields[key].tolist() for key in ("from_node", "to_node", "network")), strict=True):
        assert component[start] == component[end] == number


def town(seed, height=150, width=170):
    """A few wide and narrow streets in all directions, with ragged edges, cars and gaps."""
    rng = np.random.default_rng(seed)
    ids = land(height, width)
    rows, cols = np.mgrid[:height, :width]
    for _ in range(rng.integers(2, 6)):
        angle, offset, half = rng.uniform(0, np.pi), rng.uniform(30, 120), rng.uniform(1, 6)
        away = np.abs((cols - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle) + offset - 75)
        ids[away < half + rng.uniform(-0.8, 0.8, ids.shape)] = ROAD
    for _ in range(6):
        row, col = rng.integers(0, height - 12), rng.integers(0, width - 12)
        ids[row : row + rng.integers(1, 12), col : col + rng.integers(1, 12)] = rng.choice([LAND, ROAD, BUILDING, 0])
    return ids


SIZE = 160
ROWS, COLS = np.mgrid[:SIZE, :SIZE] + 0.5


def away(angle, offset):
    """Signed distance of the pixel centres from an axis with an offset from the middle of the raster, px."""
    return (ROWS - SIZE / 2) * np.cos(angle) - (COLS - SIZE / 2) * np.sin(angle) - offset


def in_pixels(lines):
    """Vertices of each line, at most half a pixel apart, px; the rasters of ``write_class_map`` have pixels of 1 m."""
    corner = np.array([300_000.0, 2_780_000.0])
    return [(shapely.get_coordinates(line) - corner) * (1, -1) for line in shapely.segmentize(lines, 0.5)]


def ids_of(mask):
    return np.where(mask, ROAD, LAND).astype(np.uint8)
