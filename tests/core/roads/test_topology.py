"""Lines meet at nodes only, whatever the classified raster."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.roads.extract import find_network
from dubai_landcover_plugin.core.roads.topology import find_intersecting
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from tests.core.roads.cases import LAND, ROAD, assert_topology, town
from tests.factories import write_class_map


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 90), st.integers(20, 90))
def test_the_network_does_not_depend_on_the_tiles(tmp_path_factory, seed, rows, cols):
    path = write_class_map(tmp_path_factory.mktemp("tiles") / "classes.tif", town(seed))
    request = RoadsRequest(path, "roads.gpkg", max_width=20)
    with ClassifiedSource(path) as source:
        whole = find_network(source, request, SilentMonitor(), (1000, 1000))
        tiled = find_network(source, request, SilentMonitor(), (rows, cols))
    assert (whole.lines == tiled.lines).all()
    for name, values in whole.line_fields.items():
        assert np.array_equal(values, tiled.line_fields[name], equal_nan=values.dtype.kind == "f"), name


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 1.5, 3.0]), st.sampled_from([0.0, 20.0]))
def test_lines_touch_at_their_nodes_only(tmp_path_factory, seed, spur, max_gap):
    path = write_class_map(tmp_path_factory.mktemp("topology") / "classes.tif", town(seed))
    with ClassifiedSource(path) as source:
        request = RoadsRequest(path, "roads.gpkg", spur=spur, max_gap=max_gap, min_length=5)
        found = find_network(source, request, SilentMonitor())
    assert_topology(found)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.7, 3), st.floats(0.2, 0.9), st.sampled_from([0.0, 3.0]))
def test_noise_gives_no_tangle(tmp_path_factory, seed, smoothness, share, spur):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(60, 70)), smoothness)
    ids = np.where(noise > np.quantile(noise, share), ROAD, LAND)
    path = write_class_map(tmp_path_factory.mktemp("noise") / "classes.tif", ids)
    request = RoadsRequest(path, "roads.gpkg", spur=spur, max_gap=40, min_length=0, max_hole=0, barriers=())
    with ClassifiedSource(path) as source:
        assert_topology(find_network(source, request, SilentMonitor()))


def test_changed_lines_are_checked_against_all_others():
    lines = shapely.from_wkt([
        "LINESTRING (0 0, 10 0)", "LINESTRING (5 -5, 5 5)", "LINESTRING (20 0, 30 10, 30 0, 20 10)",
        "LINESTRING (10 0, 20 0)",
    ])  # fmt: skip
    assert find_intersecting(lines).tolist() == [0, 1, 2]
    for changed, found in (([0], [0, 1]), ([1], [0, 1]), ([0, 1], [0, 1]), ([2], [2]), ([3], [])):
        assert find_intersecting(lines, np.array(changed)).tolist() == found
