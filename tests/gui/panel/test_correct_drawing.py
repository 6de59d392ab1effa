"""The tab Correct, with events of mouse and keyboard."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
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
from tests.gui.panel.conftest import Hand
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_class_map, write_raster

pytestmark = pytest.mark.qgis


class Corrector(Hand):
    """A user in front of the tab Correct."""

    def pixel(self, x: float, y: float) -> Any:
        """The place on the screen of a pixel of the raster."""
        extent = self.dock.correct_drawing.correcting.raster.extent
        return self.screen(extent.xMinimum() + x, extent.yMaximum() - y, self.dock.correct_drawing.tool)

    def tool(self, kind: str) -> None:
        buttons = self.dock.correct_tab.tools.buttons()
        next(button for button in buttons if button.property("kind") == kind).click()

    def choose(self, class_name: str) -> None:
        names = [entry.name for entry in self.dock.correct_drawing.correcting.classes]
        self.key(Qt.Key.Key_1 + names.index(class_name))

    def choose_layer(self, box: Any, layer: Any) -> None:
        box.setLayer(layer)
        QgsApplication.processEvents()

    def only(self, class_name: str) -> None:
        box = self.dock.correct_tab.only
        box.setCurrentIndex(box.findData(class_name))

    def region(self, x: float, y: float) -> None:
        """Click a region and wait until it was searched."""
        self.click(x, y)
        self.wait(lambda: not self.dock.correct_drawing.is_searching)

    def stored(self) -> list[tuple[str, str, float]]:
        """Classes before and after and area of each correction in the GeoPackage, by time."""
        layer = self.dock.correct_drawing.correcting.layer
        dataset = gdal.OpenEx(layer.source().split("|")[0], gdal.OF_VECTOR)
        rows = sorted(
            (row["time"], row["from"] or "", row["to"], row.GetGeometryRef().GetArea())
            for row in dataset.GetLayerByName("corrections")
        )
        return [row[1:] for row in rows]


def class_ids() -> np.ndarray:
    """Land, two houses, a road; the right edge has no data."""
    ids = np.full((80, 96), 2, np.uint8)
    ids[10:20, 10:30] = 4
    ids[10:20, 50:60] = 4
    ids[40:45] = 3
    ids[:, 90:] = 0
    return ids


@pytest.fixture
def map_layer(canvas: Any, tmp_path: Path) -> QgsRasterLayer:
    """A classified raster in the project and on the canvas."""
    layer = QgsRasterLayer(write_class_map(tmp_path / "map.tif", class_ids()), "map")
    QgsProject.instance().setCrs(layer.crs())
    QgsProject.instance().addMapLayer(layer)
    canvas.setDestinationCrs(layer.crs())
    canvas.setLayers([layer])
    canvas.setExtent(layer.extent())
    return layer


@pytest.fixture
def hand(dock: Any, canvas: Any, map_layer: QgsRasterLayer) -> Iterator[Corrector]:
    dock.tabs.setCurrentWidget(dock.correct_tab)
    return Corrector(dock, canvas)


def test_regions_strokes_and_polygons(hand: Corrector, dock: Any):
    assert dock.correct_drawing.correcting.raster.name == "map"
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    assert hand.stored() == [("", "Land", 200)]
    hand.tool("line")
    hand.choose("Road")
    hand.drag((20, 60), (40, 60), (60, 60))
    hand.tool("polygon")
    hand.choose("Water")
    hand.only("Road")
    for corner in ((10, 35), (30, 35), (30, 50), (10, 50)):
        hand.click(*corner)
    hand.click(10, 50, Qt.MouseButton.RightButton)
    _, stroke, polygon = hand.stored()
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


def test_undo_redo_and_the_list(hand: Corrector, dock: Any, canvas: Any):
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    hand.choose("Road")
    hand.region(52, 12)
    both = hand.stored()
    hand.undo()
    assert hand.stored() == both[:1]
    hand.redo()
    assert hand.stored() == both
    first, _ = dock.correct_drawing.correcting.corrections
    dock.correct_tab.class_asked.emit([first], "Water")
    assert [row[1] for row in hand.stored()] == ["Water", "Road"]
    dock.correct_tab.features.topLevelItem(1).setSelected(True)
    dock.correct_tab.delete.click()
    assert [row[1] for row in hand.stored()] == ["Road"]
    hand.undo()
    hand.undo()
    hand.undo()
    hand.undo()
    assert hand.stored() == []
    assert not dock.correct_tab.undo.isEnabled()
    dock.correct_tab.redo.click()
    assert hand.stored() == both[:1]
    before = canvas.extent().width()
    dock.correct_tab.feature_shown.emit(first)
    assert canvas.extent().center().x() == pytest.approx(300_020, abs=1)
    assert canvas.extent().width() <= before


def test_what_cannot_be_corrected_is_said(hand: Corrector, dock: Any, canvas: Any):
    canvas.zoomByFactor(1.5)
    hand.tool("place")
    hand.choose("Land")
    for place, text in (((-10, 20), "outside of the raster"), ((93, 20), "no data"), ((50, 60), "is 'Land' already")):
        hand.region(*place)
        assert text in dock.notice.text
    hand.only("Road")
    hand.region(12, 12)
    assert "The region is 'Building', not 'Road'" in dock.notice.text
    hand.only("")
    hand.tool("line")
    hand.drag((-20, 20), (-10, 20))
    assert "outside of the raster 'map'" in dock.notice.text
    hand.drag((94, 10), (94, 30))
    assert "has no data" in dock.notice.text
    hand.drag((40, 60), (50, 60))
    assert "'Land' already" in dock.notice.text
    assert dock.correct_drawing.correcting.layer is None
    assert not dock.correct_bar.apply.isEnabled()


def test_a_region_that_is_too_large_is_cut_and_said(hand: Corrector, dock: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(region, "_FIRST", 16)
    monkeypatch.setattr(region, "_LARGEST", 32)
    hand.tool("place")
    hand.choose("Water")
    hand.region(50, 42)
    assert hand.stored() == [("", "Water", 32 * 5)]
    assert "it was cut there" in dock.notice.text


def test_a_raster_that_is_not_classified(hand: Corrector, dock: Any, tmp_path: Path, map_layer: Any):
    image = QgsRasterLayer(write_raster(tmp_path / "town.tif", town()), "town")
    QgsProject.instance().addMapLayer(image)
    hand.choose_layer(dock.correct_header.raster, image)
    assert "'town' is not a classified raster" in dock.notice.text
    assert not dock.correct_tab.isEnabled()
    hand.choose_layer(dock.correct_header.raster, map_layer)
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
    hand: Corrector, dock: Any, tmp_path: Path, map_layer: Any
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
    hand: Corrector, dock: Any, map_layer: Any, qgis_iface: Any, tmp_path: Path
):
    hand.choose_layer(dock.correct_header.raster, None)
    dock.tabs.setCurrentWidget(dock.teach_tab)
    other = QgsRasterLayer(write_class_map(tmp_path / "other.tif", class_ids()), "other")
    QgsProject.instance().addMapLayer(other)
    qgis_iface.setActiveLayer(other)
    dock.tabs.setCurrentWidget(dock.correct_tab)
    assert dock.correct_header.raster.currentLayer() is other
    hand.choose_layer(dock.correct_header.raster, map_layer)
    assert dock.correct_drawing.correcting.raster.name == "map"
    dock.tabs.setCurrentWidget(dock.teach_tab)
    dock.tabs.setCurrentWidget(dock.correct_tab)
    assert dock.correct_drawing.correcting.raster.name == "map"


def test_the_header_follows_the_tab_and_tools_do_not_stay(hand: Corrector, dock: Any, canvas: Any):
    assert dock.correct_header.isVisible()
    assert not dock.header.isVisible()
    hand.tool("line")
    assert canvas.mapTool() is dock.correct_drawing.tool
    dock.tabs.setCurrentWidget(dock.teach_tab)
    assert canvas.mapTool() is not dock.correct_drawing.tool
    assert dock.header.isVisible()
    assert dock.keep.isVisible()
    assert not dock.correct_bar.isVisible()


def test_visibility_and_opacity_of_the_corrections(hand: Corrector, dock: Any):
    assert not dock.correct_header.shown.isEnabled()
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    layer = dock.correct_drawing.correcting.layer
    assert dock.correct_header.shown.isChecked()
    dock.correct_header.opacity.setValue(40)
    assert layer.opacity() == pytest.approx(0.4)
    dock.correct_header.shown.setChecked(False)
    assert not QgsProject.instance().layerTreeRoot().findLayer(layer.id()).isVisible()


@pytest.mark.usefixtures("provider")
def test_apply_opens_the_algorithm_and_the_raster_stays(hand: Corrector, dock: Any, tmp_path: Path, monkeypatch: Any):
    opened: list[tuple[str, dict]] = []
    monkeypatch.setattr(module, "open_dialog", lambda *arguments: opened.append(arguments))
    before = (tmp_path / "map.tif").read_bytes()
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    (tmp_path / "map_corrected.tif").write_text("mine")
    dock.correct_bar.apply.click()
    ((algorithm, parameters),) = opened
    assert parameters["OUTPUT"] == str(tmp_path / "map_corrected_2.tif")
    result = processing.run(algorithm, parameters, feedback=RecordingFeedback())
    assert json.loads(result["CHANGES"]) == {"Building → Land": 200}
    assert (tmp_path / "map.tif").read_bytes() == before


def test_a_raster_that_is_replaced(hand: Corrector, dock: Any, tmp_path: Path):
    hand.tool("place")
    hand.choose("Water")
    hand.region(12, 12)
    os.replace(write_class_map(tmp_path / "new.tif", np.full((80, 96), 4, np.uint8)), tmp_path / "map.tif")
    hand.region(52, 12)
    assert "was replaced by another file" in dock.notice.text
    assert [row[2] for row in hand.stored()] == [200, 80 * 96]


def test_the_project_is_closed_in_the_middle(hand: Corrector, dock: Any, tmp_path: Path, canvas: Any):
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    path = tmp_path / "map_corrections.gpkg"
    hand.click(52, 12)
    QgsProject.instance().clear()
    hand.wait(lambda: not dock.correct_drawing.is_searching)
    assert dock.correct_drawing.correcting.raster is None
    assert not dock.correct_tab.isEnabled()
    assert canvas.mapTool() is not dock.correct_drawing.tool
    assert gdal.OpenEx(str(path), gdal.OF_VECTOR).GetLayerByName("corrections").GetFeatureCount() == 1
    layer = QgsRasterLayer(str(tmp_path / "map.tif"), "map")
    QgsProject.instance().addMapLayer(layer)
    hand.choose_layer(dock.correct_header.raster, layer)
    assert len(dock.correct_drawing.correcting.corrections) == 1
    assert "were found in map_corrections.gpkg" in dock.notice.text


def test_a_layer_that_is_read_only_or_removed(hand: Corrector, dock: Any):
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    layer = dock.correct_drawing.correcting.layer
    layer.setReadOnly(True)
    hand.region(52, 12)
    assert "is read-only" in dock.notice.text
    assert len(hand.stored()) == 1
    QgsProject.instance().removeMapLayer(layer.id())
    QgsApplication.processEvents()
    assert "its file is kept" in dock.notice.text
    hand.region(52, 12)
    assert "1 corrections of map_corrections.gpkg are used, too" in dock.notice.text
    assert len(hand.stored()) == 2


def test_two_rasters(hand: Corrector, dock: Any, tmp_path: Path, map_layer: Any):
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    other = QgsRasterLayer(write_class_map(tmp_path / "other.tif", class_ids()), "other")
    QgsProject.instance().addMapLayer(other)
    hand.choose_layer(dock.correct_header.raster, other)
    assert not dock.correct_drawing.correcting.corrections
    hand.choose("Water")
    hand.region(52, 12)
    assert [row[1] for row in hand.stored()] == ["Water"]
    hand.choose_layer(dock.correct_header.raster, map_layer)
    assert [row[1] for row in hand.stored()] == ["Land"]
    # Without its own layer, a raster does not take that of the other one.
    QgsProject.instance().removeMapLayer(dock.correct_drawing.correcting.layer.id())
    QgsApplication.processEvents()
    assert dock.correct_drawing.correcting.layer is None
    assert dock.correct_header.layer.currentLayer() is None


def test_another_layer_can_be_chosen(hand: Corrector, dock: Any, tmp_path: Path, monkeypatch: Any):
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    first = dock.correct_drawing.correcting.layer
    hand.choose_layer(dock.correct_header.layer, None)
    assert not dock.correct_drawing.correcting.corrections
    hand.choose_layer(dock.correct_header.layer, first)
    assert len(dock.correct_drawing.correcting.corrections) == 1
    monkeypatch.setattr(module, "ask_geopackage", lambda *_: tmp_path / "mine.gpkg")
    dock.correct_header.new_layer.click()
    assert dock.correct_drawing.correcting.layer.source().startswith(str(tmp_path / "mine.gpkg"))


def test_corrections_become_samples(hand: Corrector, dock: Any, tmp_path: Path, tiny_model: str, monkeypatch: Any):
    hand.tool("place")
    hand.choose("Land")
    hand.region(12, 12)
    hand.tool("polygon")
    hand.choose("Water")
    hand.only("Road")
    for corner in ((10, 35), (30, 35), (30, 50), (10, 50)):
        hand.click(*corner)
    hand.click(10, 50, Qt.MouseButton.RightButton)
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
