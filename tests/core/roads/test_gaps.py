"""Gaps between road ends."""

import numpy as np
import pytest

from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
)
from tests.core.roads.cases import BUILDING, LAND, ROAD, WATER, assert_topology, land


@pytest.mark.parametrize(
    ("between", "gap", "lines"),
    [
        (LAND, 12, 1),
        (5, 12, 1),
        (WATER, 12, 2),
        (BUILDING, 12, 2),
        (0, 12, 2),
        (LAND, 25, 2),
        (6, 19, 1),
        (BUILDING, 5, 1),
        (0, 5, 2),
    ],
)
def test_gaps_are_bridged_where_nothing_lies_between(network, between, gap, lines):
    ids = land(60, 300)
    ids[20:26] = ROAD
    ids[:, 150 : 150 + gap] = between
    found = network(ids)
    assert len(found.lines) == lines
    assert found.bridged == (lines == 1)
    if lines == 1:
        assert found.line_fields["gap_m"] == pytest.approx([gap], abs=1.5)
        assert found.line_fields["width_m"] == pytest.approx([6.0])
        assert found.line_fields["length_m"] == pytest.approx([300], abs=1.5)


def test_barriers_are_the_users_choice(network):
    ids = land(60, 300)
    ids[20:26] = ROAD
    ids[:, 150:160] = WATER
    assert len(network(ids, barriers=()).lines) == 1
    ids[:, 150:160] = LAND
    assert len(network(ids, barriers=("land",)).lines) == 2
    with pytest.raises(ClassSchemeError, match="Road is both the road class and a barrier"):
        network(ids, barriers=("3",))
    assert len(network(np.where(ids == ROAD, WATER, LAND), class_name="Water").lines) == 1


def test_a_side_road_is_led_to_the_road_that_it_faces(network):
    ids = land(120, 200)
    ids[20:28] = ROAD
    ids[38:, 100:106] = ROAD
    found = network(ids)
    assert_topology(found)
    assert sorted(found.node_fields["degree"].tolist()) == [1, 1, 1, 3]
    assert found.node_fields["network"].max() == 1


def test_parallel_roads_and_roads_past_each_other_stay_apart(network):
    ids = land(120, 300)
    ids[20:26] = ROAD
    ids[36:42] = ROAD
    ids[80:86, :150] = ROAD
    ids[98:104, 150:] = ROAD
    found = network(ids)
    assert len(found.lines) == 4
    assert found.bridged == 0
