"""Dangling ends reach the edge of the class, or of the raster, on the axis of the road."""

import numpy as np
import pytest

from tests.core.roads.cases import LAND, SIZE, away, ids_of, in_pixels


@pytest.mark.parametrize("angle", [20, 50, 75, 110, 150])
def test_roads_of_neighbouring_rasters_meet(network, angle):
    ids = ids_of(np.abs(away(np.radians(angle), 7.3)) < 13.5)
    middle, axis = SIZE // 2, 1 if 45 < angle < 135 else 0  # x or y, along which the raster is divided
    parts = np.split(ids, [middle], axis=1 - axis)
    first, second = (in_pixels(network(part, tile=(512, 512)).lines)[0] for part in parts)
    shift = np.eye(2)[axis] * middle
    gap = first[first[:, axis].argmax()] - second[second[:, axis].argmin()] - shift
    assert np.hypot(*gap) < 1


@pytest.mark.parametrize("angle", [0, 30, 73])
def test_a_dead_end_reaches_the_edge_of_the_class(network, angle):
    turn = np.radians(angle)
    ahead = away(turn - np.pi / 2, 0)  # distance along the road
    ids = ids_of((np.abs(away(turn, 2)) < 8) & (np.abs(ahead) < 50))
    (points,) = in_pixels(network(ids, tile=(512, 512)).lines)
    way = points - SIZE / 2
    along, across = way @ (np.cos(turn), np.sin(turn)), way @ (-np.sin(turn), np.cos(turn))
    assert sorted([along[0], along[-1]]) == pytest.approx([-50, 50], abs=1)
    assert np.abs(across - 2).max() < 0.5


def test_an_end_at_nodata_stops_there(network):
    ids = ids_of(np.abs(away(np.radians(25), 0)) < 9)
    ids[:, 120:] = 0
    (points,) = in_pixels(network(ids, tile=(512, 512)).lines)
    assert points[:, 0].max() == pytest.approx(120, abs=0.1)
    assert (ids == LAND).any()
