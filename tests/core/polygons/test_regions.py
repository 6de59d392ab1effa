"""Regions, and the minimum mapping unit."""

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.polygons import regions
from dubai_landcover_plugin.core.polygons.regions import find_regions, make_features, merge_small_regions

MAPS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3))


def strips(ids, rows):
    return [ids[first : first + rows] for first in range(0, len(ids), rows)]


def merged(ids, min_area, rows=5, corners=False, pixel_areas=None):
    """Return the classified raster after merging, (H, W)."""
    ids = np.asarray(ids, np.uint8)
    areas = np.ones(len(ids)) if pixel_areas is None else pixel_areas
    found, _ = find_regions(strips(ids, rows), areas, corners)
    labels = label(ids)
    return np.append(0, merge_small_regions(found, min_area))[labels]


def label(ids):
    """Number the 4-connected regions from 1 by their first pixels, those of no data too."""
    labels, count = np.zeros(ids.shape, int), 0
    for value in np.unique(ids):
        own, found = scipy.ndimage.label(ids == value)
        labels[own > 0] = own[own > 0] + count
        count += found
    _, first = np.unique(labels, return_index=True)
    rank = np.zeros(count + 1, int)
    rank[labels.ravel()[np.sort(first)]] = np.arange(1, count + 1)
    return rank[labels]


@settings(max_examples=150)
@given(MAPS, st.integers(1, 13))
def test_regions_are_those_of_scipy(ids, rows):
    regions, numbers = find_regions(strips(ids, rows), np.ones(len(ids)), False)
    labels = label(ids)
    assert len(regions.class_ids) == labels.max()
    assert regions.areas.tolist() == np.bincount(labels.ravel())[1:].tolist()
    last = [np.argwhere(labels == number)[:, 0].max() for number in range(1, labels.max() + 1)]
    assert regions.last_rows.tolist() == last
    assert sum(map(len, numbers)) >= labels.max()
    across = labels[:, 1:] != labels[:, :-1]
    across &= (ids[:, 1:] > 0) & (ids[:, :-1] > 0)
    down = (labels[1:] != labels[:-1]) & (ids[1:] > 0) & (ids[:-1] > 0)
    assert regions.adjacency.lengths.sum() == across.sum() + down.sum()


@settings(max_examples=200)
@given(MAPS, st.integers(1, 13), st.integers(2, 20), st.booleans())
def test_no_small_region_is_left_that_has_a_neighbour(ids, rows, min_area, corners):
    result = merged(ids, min_area, rows, corners)
    assert ((result == 0) == (ids == 0)).all()
    assert (result == merged(ids, min_area, 100, corners)).all()
    structure = np.ones((3, 3)) if corners else None
    for value in range(1, 4):
        own, count = scipy.ndimage.label(result == value, structure)
        for number in range(1, count + 1):
            region = own == number
            if region.sum() < min_area:
                around = scipy.ndimage.binary_dilation(region) & ~region
                assert not (result[around] > 0).any()


@settings(max_examples=50)
@given(MAPS)
def test_large_regions_keep_their_class(ids):
    labels = label(ids)
    sizes = np.bincount(labels.ravel())[labels]
    result = merged(ids, 4)
    assert (result[sizes >= 4] == ids[sizes >= 4]).all()


def test_small_regions_go_where_the_border_is_longest():
    ids = np.full((9, 9), 2)
    ids[:, 5:] = 3
    ids[3:6, 4:6] = 1  # three pixels along 3, and three along 2; above and below one each
    ids[3:6, 3] = 1
    assert (merged(ids, 12) == np.where(ids == 1, 2, ids)).all()


def test_the_smallest_goes_first():
    ids = np.full((8, 12), 2)
    ids[2:6, 2:6] = 3
    ids[3, 3] = 1  # goes to 3, which then is large enough
    assert (merged(ids, 16)[2:6, 2:6] == 3).all()


@pytest.mark.parametrize("classes", [2, 3])
def test_regular_patterns_take_few_rounds(classes, monkeypatch):
    rounds, select = [], regions._select_merges
    monkeypatch.setattr(regions, "_select_merges", lambda *values: rounds.append(len(values)) or select(*values))
    merged(np.add.outer(np.arange(120), np.arange(120)) % classes + 1, 100)
    assert len(rounds) < 25  # an order along the rows takes 120 and more


def test_areas_are_those_on_the_ground():
    ids = np.full((10, 10), 2)
    ids[1:3, 1:3] = 1
    ids[7:9, 7:9] = 1
    result = merged(ids, 6, pixel_areas=np.linspace(2, 1, 10))
    assert (result[1:3, 1:3] == 1).all()
    assert (result[7:9, 7:9] == 2).all()


@pytest.mark.parametrize("corners", [False, True])
def test_features_know_where_they_end(corners):
    ids = np.array([[1, 2, 2], [2, 1, 2], [2, 2, 1], [3, 3, 3]], np.uint8)
    regions, _ = find_regions(strips(ids, 1), np.ones(4), corners)
    features = make_features(regions, regions.class_ids)
    assert features.class_ids.tolist() == ([1, 2, 3] if corners else [1, 2, 2, 1, 1, 3])
    assert features.last_rows.tolist() == ([2, 2, 3] if corners else [0, 1, 2, 1, 2, 3])


@settings(max_examples=100)
@given(st.integers(1, 30), st.integers(0, 40), st.integers(0, 10_000))
def test_components_are_numbered_in_the_order_of_their_smallest_nodes(count, edges, seed):
    first, second = np.random.default_rng(seed).integers(0, count, (2, edges))
    labels = regions.label_components(count, first, second)
    assert (labels[first] == labels[second]).all()
    _, smallest = np.unique(labels, return_index=True)
    assert smallest.tolist() == sorted(smallest.tolist())
