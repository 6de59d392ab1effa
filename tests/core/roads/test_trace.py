"""Skeleton cells become lines."""

import numpy as np
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric
from dubai_landcover_plugin.core.roads.area import RoadArea
from dubai_landcover_plugin.core.roads.skeleton import Skeleton
from dubai_landcover_plugin.core.roads.trace import trace_skeleton
from tests.factories import ONE_METRE


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.7))
@example(2151, 0.1875)  # two rings with a common node
def test_tracing_keeps_every_cell_that_has_a_neighbour(seed, share):
    cells = np.random.default_rng(seed).random((12, 15)) < share
    rows, cols = np.nonzero(cells)
    values = np.ones(len(rows), np.float32)
    skeleton = Skeleton(rows, cols, values, values, 1, RoadArea(12, 15, 1))
    graph = trace_skeleton(skeleton, Metric(Grid(12, 15, ONE_METRE, None)))
    seen = np.zeros_like(cells)
    for line in graph.lines.values():
        at = np.floor(line.points).astype(int)
        assert (np.abs(np.diff(at, axis=0)).max(axis=1) == 1).all()
        seen[at[:, 1], at[:, 0]] = True
    padded = np.pad(cells, 1).astype(int)
    around = sum(padded[1 + dy : 13 + dy, 1 + dx : 16 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)) - cells
    assert (seen == (cells & (around > 0))).all()
    shapes = np.array([shapely.linestrings(line.points) for line in graph.lines.values()], object)
    one, other = shapely.STRtree(shapes).query(shapes, "crosses")
    # closed lines have no boundary: GEOS says that two of them cross where they meet at their nodes
    common = shapely.get_coordinates(shapely.intersection(shapes[one], shapes[other]))
    assert {tuple(point) for point in common.tolist()} <= {tuple(node) for node in graph.nodes.values()}
