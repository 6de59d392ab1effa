"""Corrections of a layer, written to a new classified raster."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import rasterio
from affine import Affine

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core import apply_corrections
from dubai_landcover_plugin.protocol.class_tags import scheme_from_tags
from dubai_landcover_plugin.protocol.classes import DUBAI, LandCoverClass
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    OutputError,
    RasterOpenError,
)
from dubai_landcover_plugin.protocol.requests import CorrectionsRequest
from tests.core.corrections.cases import (
    MONITOR,
    contents,
    expected,
    pixels,
    request,
    square,
    town,
)
from tests.factories import ONE_METRE, write_class_map, write_layer, write_raster


def test_corrections_make_a_new_raster_and_leave_the_inputs(files, tmp_path):
    before = contents(files)
    result = apply_corrections(request(files, tmp_path / "o.tif"), MONITOR)
    assert (pixels(tmp_path / "o.tif") == expected()).all()
    assert contents(files) == before
    assert (result.edits, result.unused, result.changed) == (3, 1, 1600)
    assert result.changes == {"Land → Vegetation": 1000, "Building → Land": 600}
    assert result.pixels == {entry.name: int((expected() == entry.id).sum()) for entry in DUBAI.entries}
    assert result.area_m2["Vegetation"] == pytest.approx(1000, rel=2e-3)
    assert result.scheme == DUBAI.to_json()
    assert result.warnings == ()


def test_a_new_class_is_in_palette_style_and_tags(files, tmp_path):
    write_layer(
        files / "corrections.gpkg",
        [square(30, 20, 60, 40)],
        to=np.array(["Lawn"], object),
        colour=np.array(["#11AA22"], object),
    )
    result = apply_corrections(request(files, tmp_path / "o.tif"), MONITOR)
    assert result.changes == {"Building → Lawn": 600}
    with rasterio.open(tmp_path / "o.tif") as dataset:
        assert dataset.colormap(1)[7][:3] == (0x11, 0xAA, 0x22)
        scheme = scheme_from_tags(dataset.tags())
    assert scheme.by_name("Lawn") == LandCoverClass(7, "Lawn", "#11AA22")
    assert scheme.unlabeled == DUBAI.unlabeled
    style = (tmp_path / "o.qml").read_text()
    assert "Lawn" in style
    assert "#11aa22" in style.lower()
    again = apply_corrections(
        CorrectionsRequest(str(tmp_path / "o.tif"), str(files / "corrections.gpkg"), str(tmp_path / "o2.tif")), MONITOR
    )
    assert again.changed == 0


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"output": "in/map.tif", "overwrite": True}, OutputError, "is the input itself"),
        ({"output": "in/corrections.tif", "corrections": "in/map.tif"}, RasterOpenError, "map.tif"),
        ({"output": "missing/o.tif"}, OutputError, "does not exist"),
        ({"buildings": "b.gpkg", "building_class": "Roof"}, ClassSchemeError, "The raster has no class Roof"),
        ({"input": "image.tif"}, RasterOpenError, "not a classified raster: it has 3 bands"),
        ({"input": "values.tif"}, ClassSchemeError, "contains values that are not classes: 77"),
        ({"input": "far.tif"}, GeoreferenceError, "None of the 3 corrections is on the raster"),
        ({"scheme": "missing.csv"}, ClassSchemeError, "missing.csv"),
    ],
)
def test_what_cannot_be_corrected_is_named_and_leaves_nothing(files, tmp_path, monkeypatch, changes, error, message):
    monkeypatch.chdir(tmp_path)
    write_raster(tmp_path / "image.tif", np.ones((3, 60, 60), np.uint8))
    write_raster(tmp_path / "values.tif", np.full((1, 160, 200), 77, np.uint8))
    write_class_map(tmp_path / "far.tif", town(), transform=ONE_METRE @ Affine.translation(5000, 0))
    before, inputs = sorted(os.listdir(tmp_path)), contents(files)
    values = {"input": "in/map.tif", "corrections": "in/corrections.gpkg", "output": "o.tif", **changes}
    with pytest.raises(error, match=message) as caught:
        apply_corrections(CorrectionsRequest(**values), MONITOR)
    assert caught.value.remedy
    assert sorted(os.listdir(tmp_path)) == before
    assert contents(files) == inputs


def test_the_commands_print_the_changes(files, tmp_path, capsys):
    words = [str(files / "map.tif"), str(files / "corrections.gpkg"), str(tmp_path / "o.tif")]
    assert main(["correct", *words]) == 0
    printed = capsys.readouterr().out
    assert "Building → Land" in printed
    assert "3 edits, 1 without effect: 1,600 px changed" in printed
    assert main(["correct", *words]) == 1
    assert "exists" in capsys.readouterr().err
    again = ["recode", words[2], str(tmp_path / "r.tif"), "--classes", "Land=Vegetation", "Road=Land", "--json"]
    assert main(again) == 0
    assert json.loads(capsys.readouterr().out)["changes"]["Road → Land"] == 2000
    assert main([*again[:3], "--classes", "Land"]) == 1
    assert "is not a pair of classes" in capsys.readouterr().err
