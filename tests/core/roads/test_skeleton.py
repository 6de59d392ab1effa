"""Centre lines of road areas: straight where the road is, one node for a junction, the same for all tile sizes."""

import numpy as np
import pytest
import shapely
from affine import Affine

from tests.core.roads.cases import BUILDING, LAND, ROAD, assert_topology, land
from tests.factories import ONE_METRE


def test_a_straight_road_is_one_line_from_edge_to_edge(network):
    ids = land()
    ids[40:47] = ROAD
    found = network(ids)
    (line,) = found.lines
    fields = found.line_fields
    assert shapely.get_num_points(line) == 2  # no stairs
    points = shapely.get_coordinates(line)
    assert sorted(points[:, 0]) == pytest.approx([300_000, 300_120], abs=0.6)
    assert points[:, 1] == pytest.approx(2_780_000 - 43.5, abs=0.01)
    assert fields["length_m"] == pytest.approx([120], abs=1.1)
    assert fields["width_m"] == fields["minwid_m"] == pytest.approx([7.0])
    assert (fields["gap_m"][0], fields["class"][0], fields["class_id"][0], fields["network"][0]) == (0, "Road", ROAD, 1)
    assert np.isnan(fields["confidence"]).all()
    assert found.node_fields["degree"].tolist() == [1, 1]


def test_crossings_and_turnings_are_one_node_each(network):
    ids = land()
    ids[30:36] = ROAD
    ids[:, 40:46] = ROAD
    ids[30:80, 90:94] = ROAD
    found = network(ids)
    assert_topology(found)
    assert sorted(found.node_fields["degree"].tolist()) == [1, 1, 1, 1, 1, 3, 4]
    assert len(found.lines) == 6
    crossing = shapely.get_coordinates(found.nodes)[found.node_fields["degree"] == 4][0]
    assert crossing == pytest.approx([300_043, 2_779_967], abs=1.5)


def test_an_oblique_crossing_is_one_node_and_its_roads_stay_straight(network):
    rows, cols = np.mgrid[:160, :160]
    ids = land(160, 160)
    for slope in (0.35, -0.35):
        ids[np.abs(rows - 80 - slope * (cols - 80)) < 5] = ROAD
    found = network(ids)
    assert_topology(found)
    assert sorted(found.node_fields["degree"].tolist()) == [1, 1, 1, 1, 4]
    for line in found.lines:
        ends = shapely.linestrings(shapely.get_coordinates(line)[[0, -1]])
        assert shapely.hausdorff_distance(line, ends) < 2.5


def test_a_roundabout_without_roads_is_a_ring(network):
    rows, cols = np.mgrid[:100, :100]
    ids = land(100, 100)
    radius = np.hypot(rows - 49.5, cols - 49.5)
    ids[(radius > 25) & (radius < 32)] = ROAD
    found = network(ids)
    (line,) = found.lines
    assert line.is_closed
    assert line.is_simple
    assert found.line_fields["length_m"][0] == pytest.approx(2 * np.pi * 28.5, rel=0.02)
    assert found.node_fields["degree"].tolist() == [2]


def test_ragged_edges_and_cars_leave_a_straight_road(network):
    rng = np.random.default_rng(1)
    ids = land(60, 200)
    for col in range(200):
        ids[25 - rng.integers(0, 3) : 35 + rng.integers(0, 3), col] = ROAD
    ids[28:31, 50:54] = ids[32:34, 120:125] = BUILDING
    found = network(ids)
    (line,) = found.lines
    middle = shapely.get_coordinates(line)[:, 1]
    assert np.abs(middle - (2_780_000 - 30)).max() < 1.5


def test_a_square_has_no_line_and_its_roads_end_there(network):
    ids = land(200, 300)
    ids[60:140, 110:190] = ROAD
    ids[97:103] = ROAD
    found = network(ids, max_width=40)
    assert found.line_fields["length_m"] == pytest.approx([110, 110], abs=6)
    square = shapely.box(300_115, 2_779_865, 300_185, 2_779_935)
    assert not shapely.intersects(found.lines, square).any()
    through = network(ids, max_width=200)
    assert_topology(through)
    assert len(through.lines) == 1


def test_fine_pixels_are_gathered_and_give_the_same_place(network):
    ids = land(60, 70)
    ids[20:27] = ids[:, 40:45] = ROAD
    coarse = network(ids)
    ids = np.kron(ids, np.ones((10, 10), np.uint8))[:-3, :-3]  # no whole number of cells
    fine = network(ids, profile={"transform": ONE_METRE @ Affine.scale(0.1)}, tile=(50, 60))
    assert len(fine.lines) == len(coarse.lines) == 4
    for found in (fine, coarse):
        assert sorted(found.line_fields["width_m"]) == pytest.approx([5, 5, 7, 7], abs=0.5)  # half a pixel
    assert shapely.hausdorff_distance(shapely.union_all(fine.lines), shapely.union_all(coarse.lines)) < 1.5
    assert_topology(fine)


@pytest.mark.parametrize("tile", [(64, 64), (37, 300), (300, 300)])
@pytest.mark.parametrize("median", [2, 4])
def test_a_motorway_with_a_narrow_median_is_one_line(network, tile, median):
    ids = np.full((300, 300), LAND, np.uint8)
    ids[100:150] = ROAD
    ids[120 : 120 + median, 20:140] = ids[120 : 120 + median, 160:260] = LAND  # open between both
    ids[110:112, 200:240] = LAND
    (line,) = network(ids, tile=tile).lines
    assert shapely.get_coordinates(line)[:, 1] == pytest.approx(2_780_000 - 125, abs=0.1)


def test_carriageways_with_a_wide_median_are_two_lines(network):
    ids = np.full((200, 200), LAND, np.uint8)
    ids[80:92] = ids[100:112] = ROAD
    assert len(network(ids).lines) == 2
