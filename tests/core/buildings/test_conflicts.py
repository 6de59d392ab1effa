"""Regular outlines do not overlap each other or enter obstacles."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate

from dubai_landcover_plugin.core.buildings.conflicts import Outlines, resolve_mutual_overlaps, resolve_obstacle_overlaps
from dubai_landcover_plugin.core.buildings.local_frame import local_frames
from dubai_landcover_plugin.core.buildings.outlines import align_to_walls, intersection_over_union, regularize_outline
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from tests.core.buildings.cases import deviations, pixels


class TestConflicts:
    @staticmethod
    def outlines(original, current):
        original, current = np.array(original, object), np.array(current, object)
        ious = np.array([intersection_over_union(*pair) for pair in zip(original, current, strict=True)])
        return Outlines(original, current, local_frames(original, None), ious, np.ones(len(original), bool))

    def test_the_worse_one_retreats_at_right_angles(self):
        given = [shapely.box(0, 0, 20, 20), shapely.box(21, 0, 41, 20)]
        pair = self.outlines(given, [shapely.box(0, 0, 21.5, 20), shapely.box(20.9, 0, 41, 20)])
        resolve_mutual_overlaps(pair, 2.0, 0.85, SilentMonitor())
        assert shapely.intersection(*pair.current).area == 0
        assert pair.current[1].equals(shapely.box(20.9, 0, 41, 20))
        assert pair.regular.all()
        assert deviations(pair.current[0])[0].max() < 1e-3
        assert pair.ious[0] == pytest.approx(intersection_over_union(given[0], pair.current[0]))

    def test_where_that_is_too_much_the_given_outline_is_kept(self):
        given = [shapely.box(0, 0, 20, 20), shapely.box(21, 0, 41, 20)]
        pair = self.outlines(given, [shapely.box(0, 0, 24, 20), shapely.box(20.5, 0, 41, 20)])
        resolve_mutual_overlaps(pair, 2.0, 1.0, SilentMonitor())
        assert list(pair.current) == [given[0], shapely.box(20.5, 0, 41, 20)]
        assert pair.regular.tolist() == [False, True]
        assert pair.ious[0] == 1

    def test_an_overlap_that_was_there_may_stay(self):
        boxes = [shapely.box(0, 0, 20, 20), shapely.box(18, 0, 40, 20)]
        pair = self.outlines(boxes, boxes)
        resolve_mutual_overlaps(pair, 2.0, 0.85, SilentMonitor())
        assert list(pair.current) == boxes
        assert pair.regular.all()

    def test_obstacles_are_not_entered(self):
        road = shapely.box(-50, 20, 50, 28)
        one = self.outlines([shapely.box(0, 0, 20, 20)], [shapely.box(0, 0, 20, 21)])
        resolve_obstacle_overlaps(one, np.array([road], object), 2.0, 0.85)
        assert shapely.intersection(one.current[0], road).area < 1e-9
        assert one.regular.all()

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_no_pair_overlaps_more_than_it_did(self, seed):
        rng = np.random.default_rng(seed)
        shapes = [
            rotate(shapely.box(x, y, x + w, y + h), angle)
            for x, y, w, h, angle in zip(
                *rng.uniform(15, 80, (2, 8)), *rng.uniform(8, 25, (2, 8)), rng.uniform(0, 90, 8), strict=True
            )
        ]
        given_ones, taken = [], shapely.Polygon()
        for stair in pixels(*shapes):
            left = stair if seed % 2 else shapely.difference(stair, taken)
            if left.geom_type == "Polygon" and left.area > 5:
                given_ones.append(left)
                taken = shapely.union(taken, left)
        current, ious, kept, turned = [], [], [], []
        for polygon, frame in zip(given_ones, local_frames(np.array(given_ones, object), None), strict=True):
            frame = align_to_walls(polygon, frame, 2.0)
            found = regularize_outline(polygon, frame, 2.0, False, 0.7)
            current.append(polygon if found is None else found[0])
            ious.append(1.0 if found is None else found[1])
            kept.append(found is not None)
            turned.append(frame)
        group = Outlines(
            np.array(given_ones, object), np.array(current, object), turned, np.array(ious), np.array(kept)
        )
        resolve_mutual_overlaps(group, 2.0, 0.7, SilentMonitor())
        assert shapely.is_valid(group.current).all()
        assert (shapely.get_type_id(group.current) == 3).all()
        for i in range(len(group.original)):
            for j in range(i):
                before = shapely.intersection(group.original[i], group.original[j]).area
                after = shapely.intersection(group.current[i], group.current[j]).area
                assert after <= before + 1e-3
        ratios = [intersection_over_union(*pair) for pair in zip(group.original, group.current, strict=True)]
        assert ratios == pytest.approx(group.ious.tolist(), abs=1e-6)
