"""The main direction of walls."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.buildings.direction import main_direction
from dubai_landcover_plugin.core.buildings.rings import corner_indices, densify

ELL = np.array([[0.0, 0], [30, 0], [30, 10], [12, 10], [12, 25], [0, 25]])
QUARTER = np.pi / 2


def turned(ring, angle):
    cos, sin = np.cos(angle), np.sin(angle)
    return ring @ np.array([[cos, sin], [-sin, cos]])


def direction_of(ring):
    points = densify(ring, 0.5)
    return main_direction(points, corner_indices(points, 1.0))


def apart(one, other):
    """Return the difference of two directions modulo a right angle."""
    return abs((one - other + QUARTER / 2) % QUARTER - QUARTER / 2)


@given(st.floats(0, 2 * np.pi), st.floats(-1e5, 1e5))
def test_a_building_has_the_direction_it_was_turned_to(angle, offset):
    found = direction_of(turned(ELL, angle) + offset)
    assert 0 <= found < QUARTER
    assert apart(found, angle) < 1e-5


def test_mirroring_and_the_sense_of_the_ring_change_nothing():
    ring = turned(ELL, 0.3)
    assert apart(direction_of(ring[::-1]), 0.3) < 1e-9
    assert apart(direction_of(ring * (1, -1)), -0.3) < 1e-9


def test_long_walls_decide_against_many_short_ones():
    comb = [(x, -2.0 if x % 2 else 0.0) for x in range(21)]  # teeth of oblique edges on one side of a hall
    hall = np.array([*comb, (20, 40), (0, 40)], float)
    assert apart(direction_of(turned(hall, 0.2)), 0.2) < 0.02


def test_a_short_wall_that_deviates_counts_little():
    ring = np.array([[0.5, 0], [60, 0], [60, 6], [0, 6]])  # the wall on the left by 4.8°, so 1.2° on average
    assert apart(direction_of(ring), 0) < np.radians(0.05)


@pytest.mark.parametrize("step", [1e-3, 1.0, 1e3])
def test_scale_does_not_matter(step):
    points = densify(turned(ELL, 0.7) * step, 0.5 * step)
    assert apart(main_direction(points, corner_indices(points, step)), 0.7) < 1e-9
