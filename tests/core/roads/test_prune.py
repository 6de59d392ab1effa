"""Spurs and short networks."""

import numpy as np

from tests.core.roads.cases import ROAD, land


def test_spurs_go_and_long_branches_stay(network):
    ids = land(100, 200)
    ids[50:60] = ROAD
    ids[42:50, 60:64] = ROAD  # 8 m beyond the edge: shorter than the road is wide
    ids[10:50, 140:146] = ROAD
    found = network(ids)
    assert sorted(found.node_fields["degree"].tolist()) == [1, 1, 1, 3]
    assert len(network(ids, spur=0).lines) > 3


def test_short_networks_go(network):
    ids = land(100, 300)
    ids[20:26] = ROAD
    ids[70:76, 100:140] = ROAD
    assert network(ids).node_fields["network"].tolist() == [1, 1]
    assert sorted(network(ids, min_length=30).line_fields["network"].tolist()) == [1, 2]


def test_networks_that_smoothing_shortens_below_the_minimum_go(network):
    """A winding road: its line along the pixels is longer than the smoothed one."""
    ids = land(120, 160)
    columns = np.arange(20, 140)
    middle = (60 + 12 * np.sin(columns / 9)).astype(int)
    for step in range(-3, 4):
        ids[middle + step, columns] = ROAD
    length = network(ids, min_length=0).line_fields["length_m"].sum()
    assert len(network(ids, min_length=length - 0.1).lines) == 1
    assert len(network(ids, min_length=length + 0.1).lines) == 0
