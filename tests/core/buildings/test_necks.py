"""Buildings are split at narrow necks."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.affinity import rotate

from dubai_landcover_plugin.core.buildings.necks import split_at_necks
from tests.core.buildings.cases import DUMBBELL, pixels


class TestNecks:
    @pytest.mark.parametrize("angle", [0, 20, 77])
    def test_it_falls_apart_at_the_neck(self, angle):
        whole = rotate(DUMBBELL, angle)
        parts = split_at_necks(whole, 4.0, 60.0)
        assert len(parts) == 2
        assert sum(part.area for part in parts) == pytest.approx(whole.area, rel=1e-5)
        assert shapely.intersection(*parts).area == pytest.approx(0, abs=1e-3)
        assert shapely.symmetric_difference(shapely.union_all(parts), whole).area < 0.02

    @pytest.mark.parametrize(("width", "min_area"), [(2.0, 60.0), (4.0, 450.0)])
    def test_wider_necks_and_smaller_parts_stay(self, width, min_area):
        assert split_at_necks(DUMBBELL, width, min_area) == [DUMBBELL]

    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10_000), width=st.floats(1, 12), min_area=st.floats(0, 200))
    def test_parts_make_up_the_whole(self, seed, width, min_area):
        rng = np.random.default_rng(seed)
        boxes = [
            shapely.box(x, y, x + w, y + h) for x, y, w, h in rng.uniform([20, 20, 3, 3], [70, 70, 30, 30], (5, 4))
        ]
        (stair,) = pixels(rotate(shapely.union_all(boxes), rng.uniform(0, 90), origin=(55, 55)))
        parts = split_at_necks(stair, width, min_area)
        assert all(part.geom_type == "Polygon" and part.is_valid for part in parts)
        assert sum(part.area for part in parts) == pytest.approx(stair.area, rel=1e-5)
        assert len(parts) == 1 or min(part.area for part in parts) >= min_area - 1e-6
