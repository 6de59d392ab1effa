"""Walls between the corners of a ring, and the axes that they follow."""

import numpy as np
import pytest
import shapely
from shapely.affinity import rotate

from dubai_landcover_plugin.core.buildings.rings import corner_indices
from dubai_landcover_plugin.core.buildings.walls import FREE, fit_walls, integrals_of_pieces, principal_angles

WINGS = shapely.union_all([shapely.box(0, 0, 60, 16), rotate(shapely.box(50, 0, 66, 50), -30, origin=(50, 8))])


def walls_of(polygon, tolerance=2.0, diagonals=False):
    points = shapely.get_coordinates(polygon.exterior)[:-1]
    return fit_walls(points, corner_indices(points, 1.0), tolerance, diagonals)


@pytest.mark.parametrize("angle", [0, 1.1, 2.9])
def test_directions_of_single_edges_are_exact(angle):
    ends = np.array([[3.0, 5.0], [3 + 20 * np.cos(angle), 5 + 20 * np.sin(angle)]])
    found = principal_angles(integrals_of_pieces(ends, np.array([0, 1])))[0]
    assert np.sin(found - angle) == pytest.approx(0, abs=1e-9)


def test_a_wing_has_axes_of_its_own():
    walls = walls_of(WINGS)
    assert FREE not in [wall.code for wall in walls]
    assert {wall.code // 2 for wall in walls} == {0, 1}
    for wall in walls:
        turned = np.degrees(np.arctan2(wall.uy, wall.ux)) + (30 if wall.code // 2 else 0)
        assert (turned + 45) % 90 - 45 == pytest.approx(0, abs=1e-6)


def test_one_oblique_wall_is_free_or_diagonal():
    house = shapely.Polygon([(0, 0), (60, 0), (60, 20), (40, 40), (0, 40)])
    assert [wall.code for wall in walls_of(house)].count(FREE) == 1
    codes = [wall.code for wall in walls_of(house, diagonals=True)]
    assert FREE not in codes
    assert 3 in codes


def test_walls_run_along_the_ring_and_have_equal_areas_on_both_sides():
    comb = [(x, 0.5 * (x % 2)) for x in range(31)]
    points = np.array([*comb, (30, 20), (0, 20)], float)
    walls = fit_walls(points, corner_indices(points, 1.0), 2.0, False)
    assert len(walls) == 4
    for wall in walls:
        (sx, sy), (ex, ey) = wall.start, wall.end
        assert wall.ux * (ex - sx) + wall.uy * (ey - sy) > 0
    (bottom,) = [wall for wall in walls if wall.ux > 0.9]
    assert bottom.offset == pytest.approx(0.25, abs=0.01)
