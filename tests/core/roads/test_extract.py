import json
import os
from dataclasses import replace

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.roads.extract import extract_roads
from dubai_landcover_plugin.core.roads.skeleton import SkeletonOptions, find_skeleton
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from tests.core.roads.cases import LAND, ROAD, assert_topology, land, town
from tests.factories import ONE_METRE, write_class_map, write_raster


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
    assert max(asked) <= 50 + 2 * (15 + 4 + 4 + 7)


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
