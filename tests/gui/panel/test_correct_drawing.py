"""The tab Correct, with events of mouse and keyboard."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt

from dubai_landcover_plugin.gui.panel import correct_drawing as module
from dubai_landcover_plugin.gui.panel import dock as dock_module
from dubai_landcover_plugin.gui.panel import region
from dubai_landcover_plugin.gui.panel.classified import read_classified
from tests.gui.panel.correct_cases import Corrector, class_ids
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_class_map, write_raster

pytestmark = pytest.mark.qgis


def test_regions_strokes_and_polygons(corrector: Corrector, dock: Any):
    assert dock.correct_drawing.correcting.raster.name == "map"
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    assert corrector.stored() == [("", "Land", 200)]
    corrector.tool("line")
    corrector.choose("Road")
    corrector.drag((20, 60), (40, 60), (60, 60))
    corrector.tool("polygon")
    corrector.choose("Water")
    corrector.only("Road")
    for corner in ((10, 35), (30, 35), (30, 50), (10, 50)):
        corrector.click(*corner)
    corrector.click(10, 50, Qt.MouseButton.RightButton)
    _, stroke, polygon = corrector.stored()
    assert stroke[:2] == ("", "Road")
    assert stroke[2] == pytest.approx(40 * 6 + np.pi * 9, rel=0.05)
    assert polygon[:2] == ("Road", "Water")
    assert polygon[2] == pytest.approx(300, rel=0.2)  # a pixel of the screen is 1.2 m
    rows = [dock.correct_tab.features.topLevelItem(row).text(1) for row in range(3)]
    assert rows == ["Road → Water", "→ Road", "→ Land"]
    counts = {dock.correct_tab.classes.topLevelItem(row).text(2) for row in range(3)}
    assert counts == {"1"}
    layer = dock.correct_drawing.correcting.layer
    colours = {one.label(): one.symbol().color().name() for one in layer.renderer().categories()}
    assert colours["Water"] == "#e2a929"


def test_undo_redo_and_the_list(corrector: Corrector, dock: Any, canvas: Any):
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    corrector.choose("Road")
    corrector.region(52, 12)
    both = corrector.stored()
    corrector.undo()
    assert corrector.stored() == both[:1]
    corrector.redo()
    assert corrector.stored() == both
    first, _ = dock.correct_drawing.correcting.corrections
    dock.correct_tab.class_asked.emit([first], "Water")
    assert [row[1] for row in corrector.stored()] == ["Water", "Road"]
    dock.correct_tab.features.topLevelItem(1).setSelected(True)
    dock.correct_tab.delete.click()
    assert [row[1] for row in corrector.stored()] == ["Road"]
    corrector.undo()
    corrector.undo()
    corrector.undo()
    corrector.undo()
    assert corrector.stored() == []
    assert not dock.correct_tab.undo.isEnabled()
    dock.correct_tab.redo.click()
    assert corrector.stored() == both[:1]
    before = canvas.extent().width()
    dock.correct_tab.feature_shown.emit(first)
    assert canvas.extent().center().x() == pytest.approx(300_020, abs=1)
    assert canvas.extent().width() <= before


def test_what_cannot_be_corrected_is_said(corrector: Corrector, dock: Any, canvas: Any):
    canvas.zoomByFactor(1.5)
    corrector.tool("place")
    corrector.choose("Land")
    for place, text in (((-10, 20), "outside of the raster"), ((93, 20), "no data"), ((50, 60), "is 'Land' already")):
        corrector.region(*place)
        assert text in dock.notice.text
    corrector.only("Road")
    corrector.region(12, 12)
    assert "The region is 'Building', not 'Road'" in dock.notice.text
    corrector.only("")
    corrector.tool("line")
    corrector.drag((-20, 20), (-10, 20))
    assert "outside of the raster 'map'" in dock.notice.text
    corrector.drag((94, 10), (94, 30))
    assert "has no data" in dock.notice.text
    corrector.drag((40, 60), (50, 60))
    assert "'Land' already" in dock.notice.text
    assert dock.correct_drawing.correcting.layer is None
    assert not dock.correct_bar.apply.isEnabled()


def test_a_region_that_is_too_large_is_cut_and_said(corrector: Corrector, dock: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(region, "_FIRST", 16)
    monkeypatch.setattr(region, "_LARGEST", 32)
    corrector.tool("place")
    corrector.choose("Water")
    corrector.region(50, 42)
    assert corrector.stored() == [("", "Water", 32 * 5)]
    assert "it was cut there" in dock.notice.text


def test_a_raster_that_is_not_classified(corrector: Corrector, dock: Any, tmp_path: Path, map_layer: Any):
    image = QgsRasterLayer(write_raster(tmp_path / "town.tif", town()), "town")
    QgsProject.instance().addMapLayer(image)
    corrector.choose_layer(dock.correct_header.raster, image)
    assert "'town' is not a classified raster" in dock.notice.text
    assert not dock.correct_tab.isEnabled()
    corrector.choose_layer(dock.correct_header.raster, map_layer)
    assert dock.correct_tab.isEnabled()
    assert not dock.notice.text


def test_without_a_classified_raster_the_way_is_shown(dock: Any, canvas: Any, tmp_path: Path):
    dock.tabs.setCurrentWidget(dock.correct_tab)
    assert "no classified raster in the project" in dock.notice.text
    assert not dock.correct_tab.isEnabled()
    layer = QgsRasterLayer(write_class_map(tmp_path / "map.tif", class_ids()), "map")
    QgsProject.instance().addMapLayer(layer)
    QgsApplication.processEvents()
    assert dock.correct_drawing.correcting.raster.name == "map"
    assert dock.correct_tab.isEnabled()


def test_no_other_raster_is_taken_when_the_raster_is_removed(
    corrector: Corrector, dock: Any, tmp_path: Path, map_layer: Any
):
    image = QgsRasterLayer(write_raster(tmp_path / "town.tif", town()), "aaa")
    QgsProject.instance().addMapLayer(image)
    QgsProject.instance().addMapLayer(QgsRasterLayer(write_class_map(tmp_path / "z.tif", class_ids()), "zzz"))
    QgsProject.instance().removeMapLayer(map_layer.id())
    QgsApplication.processEvents()
    assert dock.correct_drawing.correcting.raster is None
    assert dock.correct_header.raster.currentLayer() is None
    assert not dock.notice.text


def test_the_raster_of_the_active_layer_is_chosen(
    corrector: Corrector, dock: Any, map_layer: Any, qgis_iface: Any, tmp_path: Path
):
    corrector.choose_layer(dock.correct_header.raster, None)
    dock.tabs.setCurrentWidget(dock.teach_tab)
    other = QgsRasterLayer(write_class_map(tmp_path / "other.tif", class_ids()), "other")
    QgsProject.instance().addMapLayer(other)
    qgis_iface.setActiveLayer(other)
    dock.tabs.setCurrentWidget(dock.correct_tab)
    assert dock.correct_header.raster.currentLayer() is other
    corrector.choose_layer(dock.correct_header.raster, map_layer)
    assert dock.correct_drawing.correcting.raster.name == "map"
    dock.tabs.setCurrentWidget(dock.teach_tab)
    dock.tabs.setCurrentWidget(dock.correct_tab)
    assert dock.correct_drawing.correcting.raster.name == "map"


def test_the_header_follows_the_tab_and_tools_do_not_stay(corrector: Corrector, dock: Any, canvas: Any):
    assert dock.correct_header.isVisible()
    assert not dock.header.isVisible()
    corrector.tool("line")
    assert canvas.mapTool() is dock.correct_drawing.tool
    dock.tabs.setCurrentWidget(dock.teach_tab)
    assert canvas.mapTool() is not dock.correct_drawing.tool
    assert dock.header.isVisible()
    assert dock.keep.isVisible()
    assert not dock.correct_bar.isVisible()


def test_visibility_and_opacity_of_the_corrections(corrector: Corrector, dock: Any):
    assert not dock.correct_header.shown.isEnabled()
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    layer = dock.correct_drawing.correcting.layer
    assert dock.correct_header.shown.isChecked()
    dock.correct_header.opacity.setValue(40)
    assert layer.opacity() == pytest.approx(0.4)
    dock.correct_header.shown.setChecked(False)
    assert not QgsProject.instance().layerTreeRoot().findLayer(layer.id()).isVisible()


@pytest.mark.usefixtures("provider")
def test_apply_opens_the_algorithm_and_the_raster_stays(
    corrector: Corrector, dock: Any, tmp_path: Path, monkeypatch: Any
):
    opened: list[tuple[str, dict]] = []
    monkeypatch.setattr(module, "open_dialog", lambda *arguments: opened.append(arguments))
    before = (tmp_path / "map.tif").read_bytes()
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    (tmp_path / "map_corrected.tif").write_text("mine")
    dock.correct_bar.apply.click()
    ((algorithm, parameters),) = opened
    assert parameters["OUTPUT"] == str(tmp_path / "map_corrected_2.tif")
    result = processing.run(algorithm, parameters, feedback=RecordingFeedback())
    assert json.loads(result["CHANGES"]) == {"Building → Land": 200}
    assert (tmp_path / "map.tif").read_bytes() == before


@pytest.mark.usefixtures("provider")
def test_apply_makes_the_buildings_of_the_run_again(
    corrector: Corrector, dock: Any, tmp_path: Path, monkeypatch: Any, map_layer: Any
):
    opened: list[tuple[str, dict]] = []
    monkeypatch.setattr(module, "open_dialog", lambda *arguments: opened.append(arguments))
    request = {"polygons": None, "buildings": str(tmp_path / "houses.gpkg"), "min_area": 30.0}
    dataset = gdal.Open(str(tmp_path / "map.tif"), gdal.GA_Update)
    dataset.SetMetadataItem("LANDCOVER_RUN", json.dumps({"request": request}))
    del dataset
    (tmp_path / "houses.gpkg").write_text("of the run")
    corrector.choose_layer(dock.correct_header.raster, None)
    corrector.choose_layer(dock.correct_header.raster, map_layer)
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    dock.correct_bar.apply.click()
    ((algorithm, parameters),) = opened
    assert parameters["BUILDINGS"] == str(tmp_path / "houses_corrected.gpkg")
    assert parameters["MIN_AREA"] == 30.0
    assert not {"POLYGONS", "ROADS", "CONFIDENCE"} & parameters.keys()
    processing.run(algorithm, parameters, feedback=RecordingFeedback())
    assert gdal.OpenEx(str(tmp_path / "houses_corrected.gpkg"), gdal.OF_VECTOR).GetLayer(0).GetFeatureCount() > 0
    assert (tmp_path / "houses.gpkg").read_text() == "of the run"


@pytest.mark.usefixtures("provider")
def test_a_new_class_is_drawn_stored_and_applied(corrector: Corrector, dock: Any, tmp_path: Path, map_layer: Any):
    drawing = dock.correct_drawing
    drawing.add_class("Lawn", "#11aa22")
    assert dock.correct_tab.chosen_class() == "Lawn"
    assert drawing.tool._band.strokeColor().name() == "#11aa22"
    drawing.add_class("lawn", "")
    assert "There is a class 'lawn' already." in dock.notice.text
    corrector.tool("place")
    corrector.region(12, 12)
    assert corrector.stored() == [("", "Lawn", 200.0)]
    assert not drawing.correcting.problems
    layer = drawing.correcting.layer
    shown = {one.label(): one.symbol().color().name() for one in layer.renderer().categories()}
    assert shown["Lawn"] == "#11aa22"

    corrector.choose_layer(dock.correct_header.raster, None)  # the class is known from the file
    corrector.choose_layer(dock.correct_header.raster, map_layer)
    assert [one.name for one in drawing.correcting.new_classes] == ["Lawn"]
    assert not drawing.correcting.problems
    drawing.set_class(list(drawing.correcting.corrections), "Land")
    assert next(iter(drawing.correcting.corrections.values())).colour == ""
    dock.correct_tab.undo.click()
    values = {"INPUT": map_layer.id(), "CORRECTIONS": layer.id(), "OUTPUT": str(tmp_path / "o.tif")}
    result = processing.run("dubailandcover:applycorrections", values, feedback=RecordingFeedback())
    assert json.loads(result["CHANGES"]) == {"Building → Lawn": 200}
    made = QgsRasterLayer(str(tmp_path / "o.tif"), "made")
    assert {one.label: one.color.name() for one in made.renderer().classes()}["Lawn"] == "#11aa22"
    assert read_classified(made).scheme.by_name("Lawn").id == 7


def test_a_raster_that_is_replaced(corrector: Corrector, dock: Any, tmp_path: Path):
    corrector.tool("place")
    corrector.choose("Water")
    corrector.region(12, 12)
    os.replace(write_class_map(tmp_path / "new.tif", np.full((80, 96), 4, np.uint8)), tmp_path / "map.tif")
    corrector.region(52, 12)
    assert "was replaced by another file" in dock.notice.text
    assert [row[2] for row in corrector.stored()] == [200, 80 * 96]


def test_the_project_is_closed_in_the_middle(corrector: Corrector, dock: Any, tmp_path: Path, canvas: Any):
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    path = tmp_path / "map_corrections.gpkg"
    corrector.click(52, 12)
    QgsProject.instance().clear()
    corrector.wait(lambda: not dock.correct_drawing.is_searching)
    assert dock.correct_drawing.correcting.raster is None
    assert not dock.correct_tab.isEnabled()
    assert canvas.mapTool() is not dock.correct_drawing.tool
    assert gdal.OpenEx(str(path), gdal.OF_VECTOR).GetLayerByName("corrections").GetFeatureCount() == 1
    layer = QgsRasterLayer(str(tmp_path / "map.tif"), "map")
    QgsProject.instance().addMapLayer(layer)
    corrector.choose_layer(dock.correct_header.raster, layer)
    assert len(dock.correct_drawing.correcting.corrections) == 1
    assert "were found in map_corrections.gpkg" in dock.notice.text


def test_a_layer_that_is_read_only_or_removed(corrector: Corrector, dock: Any):
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    layer = dock.correct_drawing.correcting.layer
    layer.setReadOnly(True)
    corrector.region(52, 12)
    assert "is read-only" in dock.notice.text
    assert len(corrector.stored()) == 1
    QgsProject.instance().removeMapLayer(layer.id())
    QgsApplication.processEvents()
    assert "its file is kept" in dock.notice.text
    corrector.region(52, 12)
    assert "1 corrections of map_corrections.gpkg are used, too" in dock.notice.text
    assert len(corrector.stored()) == 2


@pytest.mark.usefixtures("provider")
def test_a_raster_without_georeference(dock: Any, canvas: Any, tmp_path: Path):
    layer = QgsRasterLayer(write_class_map(tmp_path / "plain.tif", class_ids(), epsg=None), "plain")
    QgsProject.instance().addMapLayer(layer)
    canvas.setLayers([layer])
    canvas.setExtent(layer.extent())
    dock.tabs.setCurrentWidget(dock.correct_tab)
    corrector = Corrector(dock, canvas)
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    corrector.tool("line")
    corrector.choose("Road")
    corrector.drag((52, 12), (58, 12))
    assert [row[1] for row in corrector.stored()] == ["Land", "Road"]
    (name, _) = dock.correct_drawing.correcting.corrections
    extent = dock.correct_drawing.correcting.extent_of(name)
    assert (extent.xMinimum(), extent.yMaximum(), extent.height()) == (10, -10, 10)
    source = dock.correct_drawing.correcting.layer.source()
    values = {"INPUT": layer.source(), "CORRECTIONS": source, "OUTPUT": str(tmp_path / "new.tif")}
    result = processing.run(module.ALGORITHM, values, feedback=RecordingFeedback())
    assert json.loads(result["CHANGES"])["Building → Land"] == 200
    assert json.loads(result["CHANGES"])["Building → Road"] > 5


def test_two_rasters(corrector: Corrector, dock: Any, tmp_path: Path, map_layer: Any):
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    other = QgsRasterLayer(write_class_map(tmp_path / "other.tif", class_ids()), "other")
    QgsProject.instance().addMapLayer(other)
    corrector.choose_layer(dock.correct_header.raster, other)
    assert not dock.correct_drawing.correcting.corrections
    corrector.choose("Water")
    corrector.region(52, 12)
    assert [row[1] for row in corrector.stored()] == ["Water"]
    corrector.choose_layer(dock.correct_header.raster, map_layer)
    assert [row[1] for row in corrector.stored()] == ["Land"]
    # Without its own layer, a raster does not take that of the other one.
    QgsProject.instance().removeMapLayer(dock.correct_drawing.correcting.layer.id())
    QgsApplication.processEvents()
    assert dock.correct_drawing.correcting.layer is None
    assert dock.correct_header.layer.currentLayer() is None


def test_another_layer_can_be_chosen(corrector: Corrector, dock: Any, tmp_path: Path, monkeypatch: Any):
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    first = dock.correct_drawing.correcting.layer
    corrector.choose_layer(dock.correct_header.layer, None)
    assert not dock.correct_drawing.correcting.corrections
    corrector.choose_layer(dock.correct_header.layer, first)
    assert len(dock.correct_drawing.correcting.corrections) == 1
    monkeypatch.setattr(module, "ask_geopackage", lambda *_: tmp_path / "mine.gpkg")
    dock.correct_header.new_layer.click()
    assert dock.correct_drawing.correcting.layer.source().startswith(str(tmp_path / "mine.gpkg"))


def test_corrections_become_samples(corrector: Corrector, dock: Any, tmp_path: Path, tiny_model: str, monkeypatch: Any):
    corrector.tool("place")
    corrector.choose("Land")
    corrector.region(12, 12)
    corrector.tool("polygon")
    corrector.choose("Water")
    corrector.only("Road")
    for corner in ((10, 35), (30, 35), (30, 50), (10, 50)):
        corrector.click(*corner)
    corrector.click(10, 50, Qt.MouseButton.RightButton)
    opened: list[tuple[str, dict]] = []
    monkeypatch.setattr(dock_module, "open_dialog", lambda *arguments: opened.append(arguments))
    dock.header.raster.setLayer(None)
    dock.correct_bar.teach.trigger()
    assert "no image to teach on" in dock.notice.text
    image = QgsRasterLayer(write_raster(tmp_path / "town.tif", town()), "town")
    QgsProject.instance().addMapLayer(image)
    dock.header.raster.setLayer(image)
    dock.header.add_file(tiny_model)
    dock.correct_bar.model.trigger()
    layer = dock.correct_drawing.correcting.layer
    given = {"INPUT": image.id(), "MODEL_FILE": tiny_model, "LABELS": layer.id()}
    assert opened == [("dubailandcover:modelfromsamples", given)]
    dock.correct_bar.teach.trigger()
    assert dock.tabs.currentWidget() is dock.teach_tab
    assert "2 corrections were added" in dock.notice.text
    samples = dock.teaching.samples
    assert sorted(one.class_name for one in samples.values()) == ["Land", "Water"]
    assert dock.teaching.extent_of(*[name for name in samples if samples[name].class_name == "Water"]).height() == 5
    dock.tabs.setCurrentWidget(dock.correct_tab)
    dock.correct_bar.teach.trigger()
    assert "0 corrections were added" in dock.notice.text
    assert len(dock.teaching.samples) == 2
