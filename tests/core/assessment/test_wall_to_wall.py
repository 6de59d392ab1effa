"""Maps compared pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.assessment.cases import assess, random_map
from tests.factories import write_class_map


@given(st.integers(0, 10**6))
def test_a_census_agrees_with_numpy(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("census")
    ids, truth = random_map(6, 7, seed), random_map(6, 7, seed + 1)
    both = (ids > 0) & (truth > 0)
    if not both.any():
        return
    found = assess(write_class_map(folder / "m.tif", ids), write_class_map(folder / "t.tif", truth))
    assert found["facts"]["pixels"] == np.count_nonzero(both)
    assert found["overall"]["value"] == pytest.approx((ids == truth)[both].mean())
