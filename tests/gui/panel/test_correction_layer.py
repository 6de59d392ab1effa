"""The layer of corrections, and what Apply Corrections makes of it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import numpy as np
import processing
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsVectorLayer

from dubai_landcover_plugin.gui.panel.correction_layer import (
    CorrectionLayer,
    create_corrections,
    has_corrections,
    noted_raster,
    open_corrections,
    style_corrections,
)
from dubai_landcover_plugin.gui.panel.corrections import Correction, CorrectionEdits
from dubai_landcover_plugin.gui.panel.samples import create_samples
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import OutputError, RequestError
from tests.processing.qgis_fixtures import RecordingFeedback, write_class_map

pytestmark = pytest.mark.qgis
UTM = QgsCoordinateReferenceSystem("EPSG:32640")
SQUARE = "Polygon ((300010 2779990, 300020 2779990, 300020 2779980, 300010 2779980, 300010 2779990))"
LAND = Correction("Land", SQUARE, "Building", "2026-01-02T03:04:05")
ROAD = Correction("Road", SQUARE, "", "2026-01-02T03:04:04")


@pytest.fixture
def layer(qgis_app: object, tmp_path: Path) -> QgsVectorLayer:
    return create_corrections(tmp_path / "town_corrections.gpkg", UTM)


def test_corrections_are_stored_at_once_and_found_again(layer: QgsVectorLayer, tmp_path: Path):
    edits = CorrectionEdits(CorrectionLayer(layer))
    edits.add({"a": LAND, "b": ROAD})
    edits.set_classes(["b"], target="Water")
    again = CorrectionLayer(open_corrections(tmp_path / "town_corrections.gpkg")).read()
    assert (again["a"].target, again["a"].source, again["a"].time) == ("Land", "Building", LAND.time)
    assert (again["b"].target, again["b"].source) == ("Water", "")
    assert again["a"].geometry.startswith("MultiPolygon")
    edits.undo()
    edits.undo()
    assert CorrectionLayer(open_corrections(tmp_path / "town_corrections.gpkg")).read() == {}
    assert not layer.isEditable()


def test_a_layer_beside_samples_in_one_file(qgis_app: object, tmp_path: Path):
    samples = create_samples(tmp_path / "town.gpkg", UTM)
    layer = create_corrections(tmp_path / "town.gpkg", UTM)
    assert samples.isValid()
    assert layer.crs() == UTM
    CorrectionLayer(layer).write({"a": LAND})
    assert len(CorrectionLayer(open_corrections(tmp_path / "town.gpkg")).read()) == 1


def test_what_cannot_be_written_is_said(layer: QgsVectorLayer, tmp_path: Path):
    store = CorrectionLayer(layer)
    store.write({"a": LAND})
    layer.startEditing()
    with pytest.raises(RequestError, match="is in edit mode"):
        store.write({"b": ROAD})
    assert layer.isEditable()
    layer.rollBack()
    layer.setReadOnly(True)
    with pytest.raises(RequestError, match="is read-only"):
        store.write({"b": ROAD})
    assert set(store.read()) == {"a"}
    with pytest.raises(OutputError, match="cannot be written"):
        create_corrections(tmp_path / "missing" / "c.gpkg", UTM)
    create_samples(tmp_path / "samples.gpkg", UTM)
    with pytest.raises(OutputError, match="has no layer of corrections"):
        open_corrections(tmp_path / "samples.gpkg")


def test_a_file_that_refuses_loses_nothing(layer: QgsVectorLayer, tmp_path: Path):
    store = CorrectionLayer(layer)
    store.write({"a": LAND})
    with sqlite3.connect(tmp_path / "town_corrections.gpkg") as file:
        file.execute("create trigger full before insert on corrections begin select raise(abort, 'disk is full'); end")
    with pytest.raises(OutputError, match=r"Nothing can be stored in 'town corrections'.*disk is full"):
        store.write({"b": ROAD})
    assert set(store.read()) == {"a"}


def test_the_form_offers_the_classes_and_later_corrections_are_drawn_above(layer: QgsVectorLayer):
    style_corrections(layer, DUBAI.entries, {entry.name: entry.colour for entry in DUBAI.entries})
    renderer = layer.renderer()
    assert [category.label() for category in renderer.categories()] == [one.name for one in DUBAI.entries]
    assert renderer.categories()[3].symbol().color().name() == "#3c1098"
    assert renderer.orderByEnabled()
    offered = layer.editorWidgetSetup(layer.fields().indexOf("from")).config()["map"]
    assert len(offered) == 7


def test_the_file_notes_its_raster_relative_to_itself(qgis_app: object, tmp_path: Path):
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "c.gpkg"
    assert noted_raster(path) == ""
    create_corrections(path, UTM, str(tmp_path / "map.tif"))
    assert noted_raster(path) == str(tmp_path / "map.tif")
    (tmp_path / "b").mkdir()
    path.rename(tmp_path / "b" / "c.gpkg")
    assert noted_raster(tmp_path / "b" / "c.gpkg") == str(tmp_path / "map.tif")
    create_corrections(tmp_path / "d.gpkg", UTM)
    assert noted_raster(tmp_path / "d.gpkg") == ""
    assert has_corrections(tmp_path / "d.gpkg")
    (tmp_path / "e.gpkg").write_text("text")
    assert noted_raster(tmp_path / "e.gpkg") == ""
    assert not has_corrections(tmp_path / "e.gpkg")


@pytest.mark.usefixtures("provider")
def test_apply_corrections_reads_the_layer(layer: QgsVectorLayer, tmp_path: Path):
    ids = np.full((40, 60), 4, np.uint8)
    ids[:, 15:] = 2
    edits = CorrectionEdits(CorrectionLayer(layer))
    edits.add({"later": LAND, "earlier": ROAD})
    values = {"INPUT": write_class_map(tmp_path / "map.tif", ids), "OUTPUT": str(tmp_path / "o.tif")}
    source = {"CORRECTIONS": f"{tmp_path / 'town_corrections.gpkg'}|layername=corrections"}
    result = processing.run("dubailandcover:applycorrections", {**values, **source}, feedback=RecordingFeedback())
    assert json.loads(result["CHANGES"]) == {"Building → Road": 50, "Land → Road": 50}
    assert result["UNUSED"] == 1  # the later one is for Building, which is Road by then


def test_a_layer_of_an_earlier_version_gets_the_colour_with_the_first_new_class(qgis_app: object, tmp_path: Path):
    path = tmp_path / "old_corrections.gpkg"
    create_corrections(path, UTM)
    with sqlite3.connect(path) as file:
        file.execute("alter table corrections drop column colour")
    store = CorrectionLayer(open_corrections(path))
    store.write({"a": LAND})
    assert store.layer.fields().indexOf("colour") < 0
    lawn = Correction("Lawn", SQUARE, "", "2026-01-02T03:04:06", "#11AA22")
    store.write({"b": lawn})
    assert CorrectionLayer(open_corrections(path)).read()["b"] == store.read()["b"]
    assert [store.read()[name].colour for name in "ab"] == ["", "#11AA22"]
