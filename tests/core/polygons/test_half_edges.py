"""Half-edges of strips: the same for all heights of strips, in closed rings around each face."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.polygons.half_edges import HalfEdges, HalfEdgeTracer

RASTERS = arrays(np.int32, st.tuples(st.integers(1, 8), st.integers(1, 6)), elements=st.integers(0, 3))
STEP = ((1, 0), (0, 1), (-1, 0), (0, -1))  # E, S, W, N


def trace(faces, rows, tolerance=0.0):
    """Trace a raster of faces in strips of ``rows``; return next half-edge and face by key."""
    height, width = faces.shape
    padded, tracer, sets = np.pad(faces, 1), HalfEdgeTracer(width, tolerance), []
    for first in range(0, height, rows):
        last = min(first + rows, height)
        assert tracer.row == first
        sets.append(tracer.trace(padded[first : last + 2], last == height))
    found = HalfEdges.concatenate(sets)
    assert len(set(found.keys.tolist())) == len(found.keys)
    return dict(zip(found.keys.tolist(), zip(found.next.tolist(), found.faces.tolist(), strict=True), strict=True))


@given(RASTERS, st.integers(1, 4))
def test_strips_of_any_height_give_the_same_half_edges(faces, rows):
    assert trace(faces, rows) == trace(faces, len(faces))


@given(RASTERS, st.integers(1, 4), st.sampled_from([0.0, 1.5]))
def test_every_half_edge_has_one_successor_of_the_same_face(faces, rows, tolerance):
    edges = trace(faces, rows, tolerance)
    assert sorted(following for following, _ in edges.values()) == sorted(edges)
    assert all(edges[following][1] == face for following, face in edges.values())


@given(RASTERS, st.integers(1, 4))
def test_the_rings_of_a_face_enclose_its_pixels(faces, rows):
    """Shoelace formula over all rings of a face: exterior rings count positive, holes negative."""
    edges, columns = trace(faces, rows), faces.shape[1] + 1
    doubled = dict.fromkeys(np.unique(faces).tolist(), 0)
    for key, (following, face) in edges.items():
        (y1, x1), (y2, x2) = divmod(key // 4, columns), divmod(following // 4, columns)
        assert (np.sign(x2 - x1), np.sign(y2 - y1)) == STEP[key % 4]  # edges are straight without simplification
        doubled[face] = doubled.get(face, 0) + x1 * y2 - x2 * y1
    for face in set(doubled) - {0}:
        assert doubled[face] == 2 * (faces == face).sum()


def test_sets_are_concatenated_and_selected():
    empty = HalfEdges.concatenate([])
    assert len(empty.keys) == 0
    assert empty.keys.dtype == np.int64
    one = HalfEdges(*(np.array([1, 2]) + step for step in (0, 10, 20)))
    both = HalfEdges.concatenate([one, one])
    assert both.next.tolist() == [11, 12, 11, 12]
    chosen = both.select(np.array([True, False, False, True]))
    assert [chosen.keys.tolist(), chosen.next.tolist(), chosen.faces.tolist()] == [[1, 2], [11, 12], [21, 22]]
