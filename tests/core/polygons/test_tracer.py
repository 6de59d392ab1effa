"""Invariants of polygons: they are the raster again, or a coverage as valid as the raster."""

import numpy as np
import pytest
import rasterio.features
import scipy.ndimage
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.polygons.coverage import CoverageCheck
from dubai_landcover_plugin.core.polygons.rings import Rings
from dubai_landcover_plugin.core.polygons.simplification import count_in_triangles
from dubai_landcover_plugin.core.polygons.tracer import PolygonTracer, strip_rows
from dubai_landcover_plugin.protocol.errors import RunCancelled


class Array:
    def __init__(self, ids):
        self.ids = np.asarray(ids, np.uint8)

    def read(self, first, last):
        return self.ids[first:last]


class Traced:
    """All polygons of a classified raster in pixel coordinates, in the order of their first pixels."""

    def __init__(self, ids, tolerance=0.0, min_area=0.0, rows=None, corners=False):
        ids = np.asarray(ids, np.uint8)
        areas = np.ones(len(ids))
        tracer = PolygonTracer(Array(ids), areas, ids.shape[1], min_area, tolerance, corners, rows)
        coverage = CoverageCheck(ids.shape[1] + 1)
        found = []
        for traced, _ in tracer.trace():
            polygons, faces = traced.rings.polygons()
            coverage.add_nodata_boundary(traced.nodata_boundary)
            coverage.add_polygons(traced.rings, polygons)
            features = traced.features[traced.rings.is_exterior]
            found += zip(features.tolist(), faces.tolist(), traced.class_ids[features].tolist(), polygons, strict=True)
        coverage.check(np.count_nonzero(ids))
        found.sort(key=lambda row: row[:2])
        self.features = [row[0] for row in found]
        self.class_ids = np.array([row[2] for row in found], np.uint8)
        self.polygons = np.array([row[3] for row in found], object)

    def burn(self, shape):
        pairs = list(zip(self.polygons, self.class_ids.tolist(), strict=True))
        return rasterio.features.rasterize(pairs, shape, fill=0, dtype="uint8") if pairs else np.zeros(shape, np.uint8)


def check_coverage(traced, ids):
    assert shapely.is_valid(traced.polygons).all()
    assert shapely.coverage_is_valid(traced.polygons)
    covered = shapely.union_all(traced.polygons)
    valid = shapely.union_all(Traced(ids).polygons)
    assert shapely.area(shapely.symmetric_difference(covered, valid)) == 0
    assert shapely.area(traced.polygons).sum() == pytest.approx(np.count_nonzero(ids), abs=1e-9)


NOISE = arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 4))
BLOCKS = st.builds(
    lambda ids, down, right: ids.repeat(down, 0).repeat(right, 1), NOISE, st.integers(1, 3), st.integers(1, 3)
)


@st.composite
def blobs(draw):
    """Smooth shapes with long diagonal borders, as networks draw them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(8, 60)), draw(st.integers(8, 60)))
    scores = [scipy.ndimage.gaussian_filter(rng.random(shape), draw(st.floats(0.7, 4))) for _ in range(4)]
    ids = np.argmax([score / max(score.std(), 1e-9) for score in scores], axis=0).astype(np.uint8)
    return ids + np.uint8(draw(st.integers(0, 1)))


MAPS = st.one_of(NOISE, BLOCKS, blobs()).filter(np.any)
ROWS = st.integers(1, 20)


@settings(max_examples=150)
@given(MAPS, ROWS)
def test_unsimplified_polygons_give_the_raster_back(ids, rows):
    traced = Traced(ids, rows=rows)
    check_coverage(traced, ids)
    assert (traced.burn(ids.shape) == ids).all()
    for value in range(1, 7):
        assert shapely.area(traced.polygons[traced.class_ids == value]).sum() == (ids == value).sum()


@settings(max_examples=150)
@given(MAPS, ROWS, ROWS, st.sampled_from([0, 3, 10]))
def test_strips_of_any_height_give_the_same_polygons(ids, rows, others, min_area):
    one, two = Traced(ids, 0, min_area, rows), Traced(ids, 0, min_area, others)
    assert one.class_ids.tolist() == two.class_ids.tolist()
    assert shapely.to_wkt(one.polygons).tolist() == shapely.to_wkt(two.polygons).tolist()


@settings(max_examples=300)
@given(MAPS, ROWS, st.floats(0.1, 12), st.sampled_from([0, 5]))
def test_simplified_polygons_cover_the_valid_area_without_gaps_and_overlaps(ids, rows, tolerance, min_area):
    traced = Traced(ids, tolerance, min_area, rows)
    check_coverage(traced, ids)
    assert len(traced.polygons) == len(Traced(ids, 0, min_area, rows).polygons)


SPECKLES = st.builds(
    lambda seed: np.random.default_rng(seed).integers(1, 4, (12, 12)).repeat(2, 0).repeat(2, 1),
    st.integers(0, 2**32 - 1),
)


@settings(max_examples=60)
@given(st.one_of(SPECKLES, MAPS), ROWS, st.floats(1, 12), st.integers(2, 20), st.booleans())
def test_simplified_features_keep_the_minimum_mapping_unit(ids, rows, tolerance, min_area, corners):
    exact, simple = (Traced(ids, side, min_area, rows, corners) for side in (0, tolerance))
    check_coverage(simple, ids)
    before, after = (np.bincount(traced.features, shapely.area(traced.polygons)) for traced in (exact, simple))
    assert (after >= np.minimum(before, min_area)).all()


def test_simplified_borders_stay_near_and_lose_most_vertices():
    rng = np.random.default_rng(5)
    ids = np.argmax([scipy.ndimage.gaussian_filter(rng.random((200, 200)), 6) for _ in range(3)], axis=0) + 1
    exact, simple = Traced(ids), Traced(ids, 2.0)
    before, after = (shapely.get_num_coordinates(traced.polygons).sum() for traced in (exact, simple))
    assert after < before / 3
    inner = [shapely.boundary(shapely.union_all(t.polygons[t.class_ids == 1])) for t in (exact, simple)]
    assert shapely.hausdorff_distance(*inner) < 4
    assert shapely.area(simple.polygons[simple.class_ids == 1]).sum() == pytest.approx((ids == 1).sum(), rel=0.01)


@pytest.mark.parametrize("tolerance", [1e6, 1e12, 1e200])
def test_tolerances_beyond_the_raster_are_all_alike(tolerance):
    ids = np.tri(60, dtype=np.uint8) + 1
    assert shapely.equals(Traced(ids, tolerance).polygons, Traced(ids, 1000).polygons).all()


def test_a_straight_diagonal_border_becomes_a_line():
    ids = np.tri(60, dtype=np.uint8) + 1
    lower = Traced(ids, 2.0).polygons[1]
    assert shapely.get_num_coordinates(lower) < 15


@settings(max_examples=100)
@given(MAPS, ROWS)
def test_corners_join_what_is_8_connected(ids, rows):
    traced = Traced(ids, rows=rows, corners=True)
    expected = sum(scipy.ndimage.label(ids == value, np.ones((3, 3)))[1] for value in range(1, 7))
    assert len(set(traced.features)) == expected
    assert (traced.burn(ids.shape) == ids).all()


def draw(text):
    """Read a map from text, a digit for each pixel."""
    return np.array([[int(pixel) for pixel in line] for line in text.split()], np.uint8)


@pytest.mark.parametrize(
    ("ids", "polygons", "holes"),
    [
        (draw("1212 2121 1212 2121"), 16, 0),
        (draw("1111 1221 1221 1111"), 2, 1),
        (draw("11111 12221 12321 12221 11111"), 3, 2),
        (draw("00000 01110 01010 01110 00000"), 1, 1),
        (draw("10101 00000 10101"), 6, 0),
        (draw("22222 11111 22222"), 3, 0),
        (draw("2111 1211 1121 1112"), 6, 0),
        (draw("110 101 111"), 1, 1),
        (draw("0111 1101 1011 1110"), 1, 2),
        (draw("1"), 1, 0),
        (draw("0"), 0, 0),
        (np.full((9, 7), 3), 1, 0),
    ],
    ids=[
        "chessboard", "hole", "nested holes", "ring in no data", "islands", "one-pixel road", "diagonal road",
        "touches itself at a corner", "touches itself twice", "one pixel", "no data", "one class",
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize("tolerance", [0, 3])
def test_awkward_maps(ids, polygons, holes, rows, tolerance):
    traced = Traced(ids, tolerance, rows=rows)
    assert len(traced.polygons) == polygons
    assert shapely.get_num_interior_rings(traced.polygons).sum() == holes
    if polygons:
        check_coverage(traced, ids)


def test_strips_do_not_depend_on_the_machine():
    assert [strip_rows(width) for width in (1, 1000, 100_000, 10_000_000)] == [4096, 4096, 41, 16]


def test_cancelling_stops_between_strips():
    class Impatient:
        calls = 0

        def report(self, done, total, text=""): ...
        def log(self, level, text): ...
        def cancelled(self):
            self.calls += 1
            return self.calls > 3

    with pytest.raises(RunCancelled):
        list(PolygonTracer(Array(np.ones((9, 9))), np.ones(9), 9, rows=1, monitor=Impatient()).trace())


@settings(max_examples=100)
@given(arrays(np.int64, (6, 3, 2), elements=st.integers(0, 9)), st.integers(0, 2**32 - 1))
def test_points_in_triangles_are_counted_with_their_edges(corners, seed):
    lattice = np.random.default_rng(seed).random((10, 10)) < 0.5
    xs, ys = corners[..., 0], corners[..., 1]
    area = (xs[:, 1] - xs[:, 0]) * (ys[:, 2] - ys[:, 0]) - (xs[:, 2] - xs[:, 0]) * (ys[:, 1] - ys[:, 0])
    xs, ys = xs[area != 0], ys[area != 0]
    triangles = shapely.polygons(np.stack([xs, ys], axis=-1).astype(float)) if len(xs) else np.empty(0, object)
    points = shapely.points(np.argwhere(lattice)[:, ::-1].astype(float))
    expected = [int(shapely.covers(triangle, points).sum()) for triangle in triangles]
    assert count_in_triangles(lattice, xs, ys).tolist() == expected


def test_a_gap_between_polygons_is_found():
    ids = draw("1122 1122 1122")
    tracer = PolygonTracer(Array(ids), np.ones(3), 4)
    ((traced, _),) = tracer.trace()
    points = traced.rings.points.copy()
    points[np.flatnonzero((points == (2, 0)).all(axis=1))[0]] = (1, 0)
    for rings, fine in ((traced.rings, True), (Rings(points, traced.rings.starts, traced.rings.faces), False)):
        coverage = CoverageCheck(5)
        coverage.add_nodata_boundary(traced.nodata_boundary)
        coverage.add_polygons(rings, rings.polygons()[0])
        if fine:
            coverage.check(12)
        else:
            with pytest.raises(OSError, match="edges do not match"):
                coverage.check(12)
