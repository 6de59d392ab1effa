"""Sample size, and its allocation to classes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.assessment.allocation import allocate, sample_size
from tests.core.assessment.cases import PAPER_PIXELS


def test_cochran_gives_the_641_points_of_the_paper():
    assert sample_size(PAPER_PIXELS, np.array([0.7, 0.6, 0.9, 0.95]), 0.01) == 641


def test_a_small_map_needs_fewer_points():
    large, small = (sample_size(np.array([n, n]), np.array([0.5, 0.5]), 0.05) for n in (10**8, 50))
    assert large == 100
    assert small == 50


def test_allocations():
    assert allocate(PAPER_PIXELS, 641, "equal", 50).tolist() == [161] * 4
    assert allocate(PAPER_PIXELS, 641, "proportional", 50).tolist() == [13, 10, 205, 413]
    assert allocate(PAPER_PIXELS, 641, "minimum", 75).tolist() == [75, 75, 163, 328]


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
    st.integers(2, 5000),
    st.sampled_from(["minimum", "proportional", "equal"]),
    st.integers(2, 200),
)
def test_allocation_keeps_its_promises(pixels, size, allocation, least):
    pixels = np.array(pixels)
    points = allocate(pixels, size, allocation, least)
    floor = least if allocation == "minimum" else 2
    assert (points <= pixels).all()
    assert (points >= np.minimum(floor if allocation != "equal" else 2, pixels)).all()
    if allocation != "equal" and size >= floor * len(pixels) and (pixels >= size).all():
        assert points.sum() == size
