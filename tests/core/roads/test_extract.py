import json
import os
from dataclasses import replace

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import Metric
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.roads.extract import extract_roads, find_network
from dubai_landcover_plugin.core.roads.skeleton import Skeleton, SkeletonOptions, find_skeleton
from dubai_landcover_plugin.core.roads.trace import trace_skeleton
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from tests.factories import ONE_METRE, write_class_map, write_raster

WATER, LAND, ROAD, BUILDING = 1, 2, 3, 4


def land(height=100, width=120):
    return np.full((height, width), LAND, np.uint8)


@pytest.fixture
def network(tmp_path):
    """Make ``network(ids, request options, tile=, profile=)``: the network of a class map."""

    def find(ids, tile=(64, 64), profile=None, **options):
        path = write_class_map(tmp_path / "classes.tif", ids, **(profile or {}))
        with ClassifiedSource(path) as source:
            return find_network(source, RoadsRequest(path, "roads.gpkg", **options), SilentMonitor(), tile)

    return find


def assert_topology(found):
    """Lines are simple, touch at shared nodes only, and say so."""
    lines, fields = found.lines, found.line_fields
    assert shapely.is_valid(lines).all()
    assert shapely.is_simple(lines).all()
    assert (shapely.length(lines) > 0).all()
    place = dict(zip(found.node_fields["node_id"].tolist(), shapely.get_coordinates(found.nodes).tolist(), strict=True))
    degree = dict.fromkeys(place, 0)
    for line, start, end in zip(lines, fields["from_node"].tolist(), fields["to_node"].tolist(), strict=True):
        points = shapely.get_coordinates(line).tolist()
        assert points[0] == place[start]
        assert points[-1] == place[end]
        degree[start] += 1
        degree[end] += 1
    assert degree == dict(zip(place, found.node_fields["degree"].tolist(), strict=True))
    tree = shapely.STRtree(lines)
    one, other = tree.query(lines, "intersects")
    pairs = one < other
    common = shapely.intersection(lines[one[pairs]], lines[other[pairs]])
    assert (shapely.length(common) == 0).all()  # no duplicates
    known = {tuple(point) for point in place.values()}
    assert {tuple(point) for point in shapely.get_coordinates(common).tolist()} <= known
    component = dict(zip(found.node_fields["node_id"].tolist(), found.node_fields["network"].tolist(), strict=True))
    for start, end, number in zip(*(fields[key].tolist() for key in ("from_node", "to_node", "network")), strict=True):
        assert component[start] == component[end] == number


def town(seed, height=150, width=170):
    """A few wide and narrow streets in all directions, with ragged edges, cars and gaps."""
    rng = np.random.default_rng(seed)
    ids = land(height, width)
    rows, cols = np.mgrid[:height, :width]
    for _ in range(rng.integers(2, 6)):
        angle, offset, half = rng.uniform(0, np.pi), rng.uniform(30, 120), rng.uniform(1, 6)
        away = np.abs((cols - width / 2) * np.cos(angle) + (rows - height / 2) * np.sin(angle) + offset - 75)
        ids[away < half + rng.uniform(-0.8, 0.8, ids.shape)] = ROAD
    for _ in range(6):
        row, col = rng.integers(0, height - 12), rng.integers(0, width - 12)
        ids[row : row + rng.integers(1, 12), col : col + rng.integers(1, 12)] = rng.choice([LAND, ROAD, BUILDING, 0])
    return ids


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
    assert fields["width_m"] == fields["minwid_m"] == pytest.approx([7.5])
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


@pytest.mark.parametrize(
    ("between", "gap", "lines"),
    [
        (LAND, 12, 1),
        (5, 12, 1),
        (WATER, 12, 2),
        (BUILDING, 12, 2),
        (0, 12, 2),
        (LAND, 25, 2),
        (6, 19, 1),
        (BUILDING, 5, 1),
        (0, 5, 2),
    ],
)
def test_gaps_are_bridged_where_nothing_lies_between(network, between, gap, lines):
    ids = land(60, 300)
    ids[20:26] = ROAD
    ids[:, 150 : 150 + gap] = between
    found = network(ids)
    assert len(found.lines) == lines
    assert found.bridged == (lines == 1)
    if lines == 1:
        assert found.line_fields["gap_m"] == pytest.approx([gap], abs=1.5)
        assert found.line_fields["width_m"] == pytest.approx([5.5])
        assert found.line_fields["length_m"] == pytest.approx([300], abs=1.5)


def test_barriers_are_the_users_choice(network):
    ids = land(60, 300)
    ids[20:26] = ROAD
    ids[:, 150:160] = WATER
    assert len(network(ids, barriers=()).lines) == 1
    ids[:, 150:160] = LAND
    assert len(network(ids, barriers=("land",)).lines) == 2
    with pytest.raises(ClassSchemeError, match="Road is both the road class and a barrier"):
        network(ids, barriers=("3",))
    assert len(network(np.where(ids == ROAD, WATER, LAND), class_name="Water").lines) == 1


def test_a_side_road_is_led_to_the_road_that_it_faces(network):
    ids = land(120, 200)
    ids[20:28] = ROAD
    ids[38:, 100:106] = ROAD
    found = network(ids)
    assert_topology(found)
    assert sorted(found.node_fields["degree"].tolist()) == [1, 1, 1, 3]
    assert found.node_fields["network"].max() == 1


def test_parallel_roads_and_roads_past_each_other_stay_apart(network):
    ids = land(120, 300)
    ids[20:26] = ROAD
    ids[36:42] = ROAD
    ids[80:86, :150] = ROAD
    ids[98:104, 150:] = ROAD
    found = network(ids)
    assert len(found.lines) == 4
    assert found.bridged == 0


def test_spurs_go_and_long_branches_stay(network):
    ids = land(100, 200)
    ids[50:60] = ROAD
    ids[42:50, 60:64] = ROAD  # 8 m beyond the edge: shorter than the road is wide
    ids[10:50, 140:146] = ROAD
    found = network(ids)
    assert sorted(found.node_fields["degree"].tolist()) == [1, 1, 1, 3]
    assert len(network(ids, spur=0).lines) > 3


def test_short_networks_go(network):
    ids = land(100, 300)
    ids[20:26] = ROAD
    ids[70:76, 100:140] = ROAD
    assert network(ids).node_fields["network"].tolist() == [1, 1]
    assert sorted(network(ids, min_length=30).line_fields["network"].tolist()) == [1, 2]


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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.7))
def test_tracing_keeps_every_cell_that_has_a_neighbour(seed, share):
    cells = np.random.default_rng(seed).random((12, 15)) < share
    rows, cols = np.nonzero(cells)
    values = np.ones(len(rows), np.float32)
    skeleton = Skeleton(rows, cols, values, values, 1)
    graph = trace_skeleton(skeleton, Metric(Grid(12, 15, ONE_METRE, None)))
    seen = np.zeros_like(cells)
    for line in graph.lines.values():
        at = np.floor(line.points).astype(int)
        assert (np.abs(np.diff(at, axis=0)).max(axis=1) == 1).all()
        seen[at[:, 1], at[:, 0]] = True
    padded = np.pad(cells, 1).astype(int)
    around = sum(padded[1 + dy : 13 + dy, 1 + dx : 16 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)) - cells
    assert (seen == (cells & (around > 0))).all()
    shapes = np.array([shapely.linestrings(line.points) for line in graph.lines.values()], object)
    one, _ = shapely.STRtree(shapes).query(shapes, "crosses")
    assert not len(one)


def test_degrees_are_measured_on_the_ground(network):
    ids = town(7)
    metres = network(ids)
    lat = 25.13
    across = 1 / (111_320 * np.cos(np.radians(lat)))
    degrees = network(ids, profile={"crs": "EPSG:4326", "transform": Affine(across, 0, 55.2, 0, -1 / 110_780, lat)})
    assert degrees.line_fields["length_m"].sum() == pytest.approx(metres.line_fields["length_m"].sum(), rel=0.01)
    assert len(degrees.lines) == len(metres.lines)
    assert degrees.line_fields["width_m"].mean() == pytest.approx(metres.line_fields["width_m"].mean(), rel=0.02)
    assert_topology(degrees)


def test_a_rotated_raster_gives_the_same_network_turned(network):
    ids = town(7)
    plain = network(ids)
    turned = network(ids, profile={"transform": ONE_METRE @ Affine.rotation(30)})
    assert turned.line_fields["length_m"] == pytest.approx(plain.line_fields["length_m"], abs=0.01)
    expected = shapely.transform(
        plain.lines,
        lambda points: np.column_stack(ONE_METRE @ Affine.rotation(30) @ ~ONE_METRE @ (points[:, 0], points[:, 1])),
    )
    assert shapely.hausdorff_distance(expected, turned.lines).max() < 1e-3


def test_without_a_crs_everything_is_in_pixels(tmp_path):
    ids = land()
    ids[40:47] = ROAD
    path = write_class_map(tmp_path / "plain.tif", ids, crs=None, transform=Affine.scale(2))
    outcome = extract_roads(RoadsRequest(path, str(tmp_path / "roads.gpkg")))
    assert (outcome.length, outcome.unit) == (pytest.approx(120, abs=1.1), "px")
    assert any("pixels" in text for text in outcome.warnings)
    info = pyogrio.read_info(tmp_path / "roads.gpkg", layer="roads")
    assert info["crs"] is None
    assert {"length_px", "width_px", "minwid_px", "gap_px"} <= set(info["fields"])


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


@pytest.mark.parametrize("ids", [[[ROAD]], [[LAND]], [[0]], [[ROAD] * 30], np.full((200, 220), ROAD), np.zeros((9, 9))])
def test_nothing_to_draw_gives_an_empty_file_and_says_so(tmp_path, ids):
    path = write_class_map(tmp_path / "classes.tif", ids)
    outcome = extract_roads(RoadsRequest(path, str(tmp_path / "roads.gpkg"), str(tmp_path / "nodes.gpkg")))
    assert outcome.lines == outcome.networks == 0
    assert outcome.length == 0
    assert len(outcome.warnings) == 1
    assert pyogrio.read_info(tmp_path / "roads.gpkg", layer="roads")["features"] == 0
    assert pyogrio.read_info(tmp_path / "nodes.gpkg", layer="nodes")["features"] == 0


def test_confidence_is_the_mean_along_the_line(network, tmp_path):
    ids = land()
    ids[40:47] = ROAD
    sure = np.full(ids.shape, 80, np.uint8)
    sure[:, 60:] = 60
    sure[:, :5] = 255
    path = write_raster(tmp_path / "confidence.tif", sure[None], nodata=255)
    found = network(ids, confidence=str(path))
    assert found.line_fields["confidence"] == pytest.approx([69.6], abs=0.6)


def test_a_confidence_raster_of_another_place_is_refused(network, tmp_path):
    ids = land()
    moved = ONE_METRE @ Affine.translation(5, 0)
    for name, shape, transform in (
        ("a", (1, 100, 120), moved),
        ("b", (1, 99, 120), ONE_METRE),
        ("c", (2, 100, 120), ONE_METRE),
    ):
        path = write_raster(tmp_path / f"{name}.tif", np.full(shape, 50, np.uint8), transform=transform)
        with pytest.raises(
            RasterOpenError, match=r"other pixels than|px, the classified raster|not a confidence raster"
        ):
            network(ids, confidence=str(path))


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_every_format_holds_lines_and_nodes(tmp_path, suffix):
    path = write_class_map(tmp_path / "classes.tif", town(2))
    lines, nodes = tmp_path / f"roads{suffix}", tmp_path / f"nodes{suffix}"
    outcome = extract_roads(RoadsRequest(path, str(lines), str(nodes)))
    if suffix != ".parquet":
        info = pyogrio.read_info(lines, layer="roads")
        assert info["features"] == outcome.lines
        assert info["geometry_type"] == "LineString"
        assert info["fields"].tolist() == ["line_id", "class_id", "class", "length_m", "width_m", "minwid_m", "gap_m",
                                           "confidence", "from_node", "to_node", "network"]  # fmt: skip
        assert pyogrio.read_info(nodes, layer="nodes")["features"] == outcome.junctions + outcome.ends
    if suffix not in (".gpkg", ".parquet"):
        assert "<renderer-v2" in lines.with_suffix(".qml").read_text(encoding="utf-8")
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_bad_requests_leave_nothing(tmp_path):
    path = write_class_map(tmp_path / "classes.tif", town(2))
    request = RoadsRequest(path, str(tmp_path / "roads.gpkg"))
    before = set(os.listdir(tmp_path))
    for change, error, words in (
        ({"class_name": "Rail"}, ClassSchemeError, "Rail"),
        ({"barriers": ("Fence",)}, ClassSchemeError, "Fence"),
        ({"max_width": 1e6}, RequestError, "1e\\+06"),
        ({"max_width": 1.5}, RequestError, "two pixels"),
        ({"output": path + ".gpkg/none.gpkg"}, OutputError, "does not exist"),
        ({"confidence": str(tmp_path / "gone.tif")}, OSError, "gone"),
    ):
        with pytest.raises(error, match=words):
            extract_roads(replace(request, **change))
    assert set(os.listdir(tmp_path)) == before
    extract_roads(request)
    with pytest.raises(OutputError, match="exists"):
        extract_roads(request)
    extract_roads(replace(request, overwrite=True))


@pytest.mark.parametrize(
    "change",
    [{"max_gap": -1.0}, {"max_width": 0.0}, {"output": "roads.txt"}, {"nodes": "roads.gpkg"}, {"class_name": " "},
     {"barriers": "Water"}, {"spur": float("nan")}],
)  # fmt: skip
def test_values_out_of_range_are_refused(change):
    with pytest.raises(RequestError):
        replace(RoadsRequest("a.tif", "roads.gpkg"), **change)


def test_a_request_survives_json():
    request = RoadsRequest("a.tif", "roads.gpkg", barriers=("Water",))
    assert RoadsRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_cancelled_run_leaves_nothing(tmp_path):
    class Impatient(SilentMonitor):
        def __init__(self, patience):
            self.patience = patience

        def cancelled(self):
            self.patience -= 1
            return self.patience < 0

    path = write_class_map(tmp_path / "classes.tif", town(2))
    for patience in range(5):
        with pytest.raises(RunCancelled):
            extract_roads(RoadsRequest(path, str(tmp_path / "roads.gpkg")), Impatient(patience))
        assert os.listdir(tmp_path) == ["classes.tif"]


def test_memory_is_one_band_of_rows(tmp_path, monkeypatch):
    path = write_class_map(tmp_path / "classes.tif", town(5, 600, 100))
    asked = []
    read = ClassifiedSource.read
    monkeypatch.setattr(ClassifiedSource, "read", lambda self, a, b: asked.append(b - a) or read(self, a, b))
    with ClassifiedSource(path) as source:
        find_skeleton(source, SkeletonOptions(ROAD, 10, 4), None, SilentMonitor(), (50, 50))
    assert max(asked) <= 50 + 2 * (15 + 4 + 4)


def test_the_command_line(tmp_path, capsys):
    path = write_class_map(tmp_path / "classes.tif", town(2))
    output, nodes = str(tmp_path / "roads.gpkg"), str(tmp_path / "nodes.fgb")
    assert main(["roads", path, output, "--nodes", nodes, "--json", "--max-gap", "5", "--barriers"]) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert outcome["output"] == output
    assert pyogrio.read_info(nodes)["features"] == outcome["junctions"] + outcome["ends"]
    assert main(["roads", path, output]) == 1
    assert "exists" in capsys.readouterr().err
    assert main(["roads", path, output, "--overwrite"]) == 0
    assert "networks" in capsys.readouterr().out
