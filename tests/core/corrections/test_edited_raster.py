"""Edited rasters have the metadata of Segment Land Cover; runs that fail leave nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.control import GroundControlPoint

from dubai_landcover_plugin.core import apply_corrections, recode_classes
from dubai_landcover_plugin.core.corrections import edited_raster
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    RasterReadError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import CorrectionsRequest, RecodeRequest
from tests.core.corrections.cases import (
    LAND,
    MONITOR,
    ROAD,
    request,
)
from tests.factories import ROOT, read_layer, write_class_map, write_confidence, write_layer, write_raster


def test_the_raster_is_as_segment_land_cover_writes_it(files, tmp_path):
    apply_corrections(request(files, tmp_path / "o.tif"), MONITOR)
    with rasterio.open(files / "map.tif") as given, rasterio.open(tmp_path / "o.tif") as made:
        assert (made.transform, made.crs, made.shape) == (given.transform, given.crs, given.shape)
        assert (made.dtypes, made.nodata, made.descriptions) == (("uint8",), 0, ("Land cover",))
        assert made.colormap(1)[ROAD][:3] == DUBAI.by_name("Road").rgb
        assert made.tags()["LANDCOVER_RUN"] == given.tags()["LANDCOVER_RUN"]
        (edit,) = json.loads(made.tags()["LANDCOVER_EDITS"])
    assert (edit["tool"], edit["edits"], edit["unused"]) == ("apply_corrections", 3, 1)
    assert edit["changes"] == {"Building → Land": 600, "Land → Vegetation": 1000}
    assert "<Category>Vegetation</Category>" in (tmp_path / "o.tif.aux.xml").read_text()
    with ClassifiedSource(tmp_path / "o.tif") as source:
        assert (source.scheme, source.model, source.notes) == (DUBAI, "dubai", [])


def test_a_large_raster_gets_overviews_and_is_edited_in_strips(tmp_path, monkeypatch):
    ids = np.random.default_rng(0).integers(1, 6, (700, 600)).astype(np.uint8)
    path = write_class_map(tmp_path / "map.tif", ids)
    circle = shapely.Point(300_300.2, 2_779_650.7).buffer(280)
    layer = write_layer(tmp_path / "c.gpkg", [circle], to=np.array(["Road"], object))
    apply_corrections(CorrectionsRequest(path, layer, str(tmp_path / "once.tif")), MONITOR)
    monkeypatch.setattr(edited_raster, "_STRIP_ROWS", 37)
    apply_corrections(CorrectionsRequest(path, layer, str(tmp_path / "strips.tif")), MONITOR)
    with rasterio.open(tmp_path / "once.tif") as once, rasterio.open(tmp_path / "strips.tif") as strips:
        assert once.overviews(1) == strips.overviews(1) == [2, 4]
        found = once.read(1)
        assert (found == strips.read(1)).all()
    assert (found == ROAD).sum() > 246_000


def test_edits_are_added_to_earlier_ones(files, tmp_path):
    apply_corrections(request(files, tmp_path / "first.tif"), MONITOR)
    recode_classes(RecodeRequest(str(tmp_path / "first.tif"), str(tmp_path / "o.tif"), ("5=Land",)), MONITOR)
    with rasterio.open(tmp_path / "o.tif") as dataset:
        edits = edited_raster.earlier_edits(dataset.tags())
    assert [edit["tool"] for edit in edits] == ["apply_corrections", "recode_classes"]
    assert edits[1]["changes"] == {"Vegetation → Land": 1000}
    assert edited_raster.earlier_edits({"LANDCOVER_EDITS": "{"}) == []
    assert edited_raster.earlier_edits({"LANDCOVER_EDITS": "{}"}) == []


@pytest.mark.parametrize("name", ["corrections", "recoding"])
def test_polygons_buildings_and_roads_again(files, tmp_path, name):
    outputs = {"polygons": "p.gpkg", "buildings": "b.gpkg", "roads": "r.gpkg"}
    paths = {key: str(tmp_path / value) for key, value in outputs.items()}
    paths["confidence"] = write_confidence(files / "confidence.tif", np.full((160, 200), 80, np.uint8))
    if name == "corrections":
        result = apply_corrections(request(files, tmp_path / "o.tif", **paths), MONITOR)
    else:
        pairs = RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), ("Vegetation=Land",), **paths)
        result = recode_classes(pairs, MONITOR)
    assert (result.polygons, result.buildings, result.roads) == tuple(paths[key] for key in outputs)
    houses, fields = read_layer(paths["buildings"])
    assert sorted(shapely.area(houses).round().tolist()) == ([1200] if name == "corrections" else [600, 1200])
    assert set(fields["conf_mean"]) == {80.0}
    _, fields = read_layer(paths["polygons"])
    assert set(fields["class"]) == {"Land", "Road", "Building", *(["Vegetation"] if name == "corrections" else [])}
    assert len(read_layer(paths["roads"])[0]) == 1


def test_a_chosen_scheme_adds_classes(files, tmp_path):
    lawn = ClassScheme((*DUBAI.classes, LandCoverClass(7, "Lawn", "#7CFC00")), DUBAI.unlabeled)
    scheme = write_class_map(tmp_path / "lawn.tif", [[7]], lawn)
    pairs = ("Building=Lawn",)
    with pytest.raises(ClassSchemeError, match="not classes of the raster: 'Lawn'"):
        recode_classes(RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), pairs), MONITOR)
    recode_classes(RecodeRequest(str(files / "map.tif"), str(tmp_path / "o.tif"), pairs, scheme=scheme), MONITOR)
    with ClassifiedSource(tmp_path / "o.tif") as source:
        assert source.scheme == lawn
        assert (source.read(25, 26)[0, 30:60] == 7).all()


def test_ground_control_points_are_kept(tmp_path):
    points = [GroundControlPoint(row, col, 55 + col / 100, 25 - row / 100) for row in (0, 60) for col in (0, 60)]
    write_raster(tmp_path / "map.tif", np.full((1, 60, 60), LAND, np.uint8), transform=None, crs=None, nodata=0)
    with rasterio.open(tmp_path / "map.tif", "r+") as dataset:
        dataset.gcps = points, rasterio.crs.CRS.from_epsg(4326)
    recode_classes(RecodeRequest(str(tmp_path / "map.tif"), str(tmp_path / "o.tif"), ("Land=Road",)), MONITOR)
    with rasterio.open(tmp_path / "o.tif") as dataset:
        assert len(dataset.gcps[0]) == 4
        assert (dataset.read(1) == ROAD).all()


def test_a_cancelled_run_leaves_nothing(files, tmp_path):
    class Cancelling(SilentMonitor):
        def cancelled(self):
            return True

    with pytest.raises(RunCancelled):
        apply_corrections(request(files, tmp_path / "o.tif"), Cancelling())
    assert os.listdir(tmp_path) == ["in"]


def test_a_raster_that_changes_meanwhile_gives_no_result(files, tmp_path):
    class Changing(SilentMonitor):
        def report(self, done, total, text=""):
            (files / "map.tif").touch()
            with (files / "map.tif").open("ab") as stream:
                stream.write(b"x")

    with pytest.raises(RasterReadError, match="was changed or replaced"):
        apply_corrections(request(files, tmp_path / "o.tif"), Changing())
    assert os.listdir(tmp_path) == ["in"]


def test_a_killed_run_leaves_no_result_and_the_next_one_removes_the_rest(files, tmp_path):
    program = (
        "import sys, time\n"
        "from dubai_landcover_plugin.core.corrections import edited_raster\n"
        "from dubai_landcover_plugin.cli.main import main\n"
        "def wait(*arguments): print('here', flush=True); time.sleep(60)\n"
        "edited_raster._tags = wait\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    words = [str(files / "map.tif"), str(files / "corrections.gpkg"), str(tmp_path / "o.tif")]
    process = subprocess.Popen(
        [sys.executable, "-c", program, "correct", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "here\n"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    left = [name for name in os.listdir(tmp_path) if name != "in"]
    assert left
    assert all(name.startswith(".") for name in left)
    time.sleep(0.1)
    apply_corrections(request(files, tmp_path / "o.tif"), MONITOR)
    assert sorted(os.listdir(tmp_path)) == ["in", "o.qml", "o.tif", "o.tif.aux.xml"]
