"""Lines are in the middle of the class and have its width, straight through junctions and up to the raster's border."""

import numpy as np
import pytest

from tests.core.roads.cases import COLS, ROWS, SIZE, away, ids_of, in_pixels


@pytest.mark.parametrize("width", [3, 4, 6, 8, 15, 24])
def test_position_and_width_have_no_bias(network, width):
    rng = np.random.default_rng(width)
    offsets, widths = [], []
    for _ in range(8):
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-10, 10)
        found = network(ids_of(np.abs(away(angle, offset)) < width / 2), tile=(512, 512))
        (points,) = in_pixels(found.lines)
        at = (points[:, 1] - SIZE / 2) * np.cos(angle) - (points[:, 0] - SIZE / 2) * np.sin(angle) - offset
        offsets.append(at.mean())
        widths.append(found.line_fields["width_m"][0] - width)
        assert np.abs(at).max() < 1.0  # the ends at the border of the raster, too
        border = np.minimum(points[[0, -1]], SIZE - points[[0, -1]]).min(axis=1)
        assert border == pytest.approx([0, 0], abs=0.05)
    assert abs(np.mean(offsets)) < 0.1
    assert abs(np.mean(widths)) < 0.1


@pytest.mark.parametrize(("main", "side", "angle"), [(6, 6, 90), (20, 10, 90), (20, 20, 90), (16, 10, 45), (8, 20, 90)])
def test_a_road_has_no_kink_at_a_side_road(network, main, side, angle):
    rng = np.random.default_rng(main)
    for _ in range(3):
        course, offset = rng.uniform(0, np.pi), rng.uniform(-5, 5)
        turned = course + np.radians(angle)
        ahead = (COLS - SIZE / 2) * np.cos(turned) + (ROWS - SIZE / 2) * np.sin(turned) > 0
        branch = (np.abs(away(turned, 0)) < side / 2) & ahead
        found = network(ids_of((np.abs(away(course, offset)) < main / 2) | branch), tile=(512, 512))
        assert (found.node_fields["degree"] > 2).sum() == 1
        largest = []
        for points in in_pixels(found.lines):
            at = (points[:, 1] - SIZE / 2) * np.cos(course) - (points[:, 0] - SIZE / 2) * np.sin(course) - offset
            largest.append(np.abs(at).max())
        assert sorted(largest)[1] < 1  # both lines of the main road
