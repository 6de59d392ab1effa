"""The panel from raster to model, with events of mouse and keyboard and a real engine."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QMessageBox

from dubai_landcover_plugin.gui.panel import keeping as keeping_module
from dubai_landcover_plugin.gui.panel.keep import run_parameters
from dubai_landcover_plugin.gui.panel.samples import create_samples
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.runner.settings import available_models
from tests.gui.panel.conftest import is_running
from tests.processing.conftest import ROOT
from tests.processing.qgis_fixtures import town, write_raster

pytestmark = pytest.mark.qgis


def test_from_the_raster_to_a_model(hand, dock, town_layer, monkeypatch):
    hand.look()
    view = dock.look.view_layer
    assert view.layer.extent() == town_layer.extent()
    shares = [dock.look_tab.classes.topLevelItem(row).text(1) for row in range(5)]
    assert sum(float(share.split()[0]) for share in shares if share) == pytest.approx(100, abs=0.3)
    reading = dock.look.read(town_layer.extent().center())
    assert 1 <= reading.class_id <= 5
    assert 20 <= reading.confidence <= 100
    dock._canvas.xyCoordinates.emit(town_layer.extent().center())
    hand.wait(lambda: dock.look_tab.classes.topLevelItem(0).text(2))
    here = [dock.look_tab.classes.topLevelItem(row).text(2) for row in range(5)]
    assert max(int(text.split()[0]) for text in here) == pytest.approx(reading.confidence, abs=1)

    hand.tool("line")
    hand.choose("Building")
    hand.drag((8, 8), (16, 16), (24, 8))
    hand.wait_until_idle()
    assert list(hand.stored().values()) == ["Building"]
    assert view.read(town_layer.extent().center()) is not None
    assert dock.look.read(dock.teaching.extent_of(*dock.teaching.samples).center()) is not None
    assert float(dock.teach_tab.change.text().split()[0]) > 0

    hand.tool("point")
    hand.choose("Water")
    hand.click(60, 60)
    hand.tool("polygon")
    hand.choose("Road")
    for corner in ((70, 10), (90, 10), (90, 20), (70, 20)):
        hand.click(*corner)
    hand.click(70, 20, Qt.MouseButton.RightButton)
    hand.wait_until_idle()
    assert sorted(hand.stored().values()) == ["Building", "Road", "Water"]
    assert [sample.tool for sample in dock.teaching.samples.values()] == ["line", "point", "polygon"]
    assert dock.teach_tab.classes.topLevelItem(0).text(2) == "1"
    assert dock.client.known_samples.keys() == dock.teaching.samples.keys()

    path = Path(os.environ["HOME"]) / "taught.safetensors"
    path.parent.mkdir(exist_ok=True)
    monkeypatch.setattr(keeping_module, "ask_model_file", lambda parent, proposed: path)
    dock.keep.save.click()
    hand.wait(path.is_file)
    hand.wait_until_idle()
    counts = read_metadata(path).training["teaching"]["samples"]
    assert {name for name, count in counts.items() if count == 1} == {"Water", "Road", "Building"}
    assert "taught" in dock.notice.text


def test_undo_redo_and_changes_of_samples(hand, dock):
    hand.tool("point")
    for name, place in (("Water", (10, 10)), ("Land", (40, 30)), ("Road", (70, 60))):
        hand.choose(name)
        hand.click(*place)
    hand.wait_until_idle()
    assert dock.look.is_on  # the first sample switched it on
    first, second, third = dock.teaching.samples
    hand.undo()
    assert list(hand.stored()) == [first, second]
    hand.undo()
    hand.redo()
    assert list(hand.stored()) == [first, second]
    hand.redo()
    assert list(hand.stored()) == [first, second, third]
    dock.teach_tab.class_asked.emit([second], "Vegetation")
    assert hand.stored()[second] == "Vegetation"
    dock.teach_tab.delete_asked.emit([first, third])
    assert hand.stored() == {second: "Vegetation"}
    hand.undo()
    hand.undo()
    assert hand.stored() == {first: "Water", second: "Land", third: "Road"}
    hand.wait_until_idle()
    assert {one.id: one.class_id for one in dock.client.known_samples.values()} == {first: 1, second: 2, third: 3}


def test_a_new_class_is_taught_and_saved(hand, dock, tmp_path):
    hand.look()
    hand.tool("line")
    dock.drawing.add_class("Solar panel", "#112233")
    assert dock.teach_tab.chosen_class() == "Solar panel"
    hand.drag((8, 8), (16, 16))
    hand.choose("Land")
    hand.click(60, 30)
    hand.wait_until_idle()
    dock.drawing.add_class("solar PANEL", "")
    assert "already" in dock.notice.text
    dock.keeping.save(str(tmp_path / "own.safetensors"))
    hand.wait((tmp_path / "own.safetensors").is_file)
    hand.wait_until_idle()
    scheme = read_metadata(tmp_path / "own.safetensors").scheme
    assert scheme.by_name("Solar panel").colour == "#112233"


def test_a_killed_engine_is_started_again_with_all_samples(hand, dock):
    hand.look()
    hand.tool("point")
    hand.click(10, 10)
    hand.wait_until_idle()
    os.kill(dock.client.pid, signal.SIGKILL)
    hand.click(50, 50)
    hand.wait_until_idle()
    assert len(hand.pids) == 2
    assert len(dock.client.known_samples) == len(hand.stored()) == 2
    assert "engine" in dock.notice.text


@pytest.mark.skipif(os.name != "posix", reason="needs limits of processes")
def test_a_model_that_does_not_fit_on_the_disk(hand, dock, engine, monkeypatch, tmp_path):
    limited = tmp_path / "python"  # its files cannot be larger than 2 MB; the model has 6 MB
    limited.write_text(f'#!/bin/bash\nulimit -f 2048\nexec "{engine}" "$@"\n')
    limited.chmod(0o755)
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", str(limited))
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "own.safetensors").write_text("mine")
    hand.look()
    hand.tool("point")
    hand.click(10, 10)
    hand.click(50, 50)
    hand.wait_until_idle()
    dock.keeping.save(str(folder / "own.safetensors"))
    hand.wait(lambda: dock.notice.level == "error")
    assert "own.safetensors" in dock.notice.text
    assert "cannot be written" in dock.notice.text
    assert "free space" in dock.notice.text
    assert [path.name for path in folder.iterdir()] == ["own.safetensors"]
    assert (folder / "own.safetensors").read_text() == "mine"
    assert len(hand.stored()) == 2
    hand.click(30, 30)
    hand.wait_until_idle()
    assert len(dock.client.known_samples) == len(hand.stored()) == 3
    assert dock.look.view_layer.layer is not None


def test_the_panel_fits_on_small_screens(dock):
    assert dock.minimumSizeHint().height() < 400


def test_samples_that_cannot_be_used_are_named(hand, dock, town_layer, canvas):
    canvas.zoomByFactor(1.5)
    hand.tool("point")
    hand.click(-10, 20)
    assert "outside of the raster 'town'" in dock.notice.text
    assert not dock.teaching.samples
    hand.click(20, 20)
    hand.wait_until_idle()
    layer = dock.teaching.layer
    assert layer.startEditing()
    hand.click(40, 20)
    assert "edit mode" in dock.notice.text
    layer.rollBack()
    os.chmod(layer.source().split("|")[0], 0o444)
    layer.setReadOnly(True)
    hand.click(40, 20)
    assert "read-only" in dock.notice.text
    assert len(hand.stored()) == 1
    assert dock.client.pid is not None


def test_pixels_without_data(hand, dock, town_layer):
    raster = gdal.Open(town_layer.source(), gdal.GA_Update)
    for number in (1, 2, 3):
        band = raster.GetRasterBand(number)
        values = band.ReadAsArray()
        values[:, :30] = 0
        band.WriteArray(values)
        band.SetNoDataValue(0)
    del band, raster
    hand.look()
    hand.tool("point")
    hand.click(10, 10)
    hand.wait_until_idle()
    assert "without data" in dock.notice.text
    hand.click(60, 60)
    hand.wait_until_idle()
    assert len(dock.client.known_samples) == 1
    assert len(dock.teaching.problems) == 1
    assert len(hand.stored()) == 2
    hand.undo()
    hand.undo()
    assert not dock.teaching.problems


def test_a_raster_replaced_on_disk(hand, dock, town_layer):
    hand.look()
    path = town_layer.source()
    os.replace(write_raster(f"{path}.new", town(seed=9)), path)
    dock.look.refresh()
    hand.wait(lambda: dock.notice.level == "error")
    assert "Switch Classify the view on again" in dock.notice.text
    assert not dock.header.look.isChecked()
    hand.look()
    assert dock.notice.level != "error"


def test_a_model_that_cannot_be_taught(hand, dock, engine, clean_environment, tmp_path):
    code = "import sys, pathlib; from tests.factories import write_tiny_model as w; w(pathlib.Path(sys.argv[1]))"
    path = tmp_path / "stub.safetensors"
    subprocess.run([engine, "-c", code, str(path)], check=True, cwd=ROOT, env=clean_environment, timeout=120)
    dock.header.add_file(str(path))
    dock.header.look.setChecked(True)
    hand.wait(lambda: dock.notice.level == "error")
    assert "cannot be taught" in dock.notice.text
    assert not dock.header.look.isChecked()
    assert dock.client.pid is None


def test_without_an_engine_the_remedy_is_shown(hand, dock, monkeypatch, tmp_path):
    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", str(tmp_path / "gone"))
    dock.header.look.setChecked(True)
    assert "Set up the engine" in dock.notice.text
    assert not dock.header.look.isChecked()


def test_closing_the_project_ends_the_engine(hand, dock, tmp_path):
    hand.look()
    hand.tool("point")
    hand.click(10, 10)
    hand.wait_until_idle()
    pid = dock.client.pid
    gpkg = Path(dock.teaching.layer.source().split("|")[0])
    QgsProject.instance().clear()
    assert not is_running(pid)
    assert dock.look.view_layer.layer is None
    assert not dock.header.look.isEnabled()
    assert gdal.OpenEx(str(gpkg), gdal.OF_VECTOR).GetLayerByName("samples").GetFeatureCount() == 1


def test_an_opened_project_has_its_samples(hand, dock, tmp_path):
    hand.tool("point")
    hand.click(10, 10)
    project = QgsProject.instance()
    assert project.write(str(tmp_path / "project.qgs"))
    project.clear()
    assert not dock.teaching.samples
    assert project.read(str(tmp_path / "project.qgs"))
    raster = next(layer for layer in project.mapLayers().values() if layer.name() == "town")
    dock.header.raster.setLayer(raster)
    assert dock.teaching.samples.keys() == hand.stored().keys()
    assert len(dock.teaching.samples) == 1
    assert dock.teach_tab.features.topLevelItemCount() == 1


def test_a_project_opened_right_after_the_view_was_hidden_has_its_samples(hand, dock, tmp_path):
    hand.tool("point")
    hand.click(10, 10)
    hand.wait(lambda: dock.look.view_layer.layer)
    project, stored = QgsProject.instance(), hand.stored()
    dock.header.look.setChecked(False)
    assert project.write(str(tmp_path / "project.qgs"))
    project.clear()
    assert project.read(str(tmp_path / "project.qgs"))
    hand.wait_until_idle()
    assert sorted(layer.name() for layer in project.mapLayers().values()) == ["town", "town samples"]
    assert dock.teach_tab.layer.currentLayer() is dock.teaching.layer is not None
    assert dock.teaching.samples.keys() == stored.keys()
    assert len(stored) == 1


def test_another_raster_keeps_its_own_samples(hand, dock, town_layer, tmp_path, tiny_model):
    hand.tool("point")
    hand.click(10, 10)
    hand.wait_until_idle()
    shutil.copy(town_layer.source(), tmp_path / "other.tif")
    other = QgsRasterLayer(str(tmp_path / "other.tif"), "other")
    QgsProject.instance().addMapLayer(other)
    dock.header.raster.setLayer(other)
    assert not dock.teaching.samples
    assert dock.teaching.layer is None
    dock.header.raster.setLayer(town_layer)
    assert len(dock.teaching.samples) == 1


def test_samples_that_are_removed_from_the_project(hand, dock, tmp_path):
    hand.tool("point")
    hand.click(10, 10)
    QgsProject.instance().addMapLayer(create_samples(tmp_path / "zz_samples.gpkg", dock._subject.crs))
    QgsProject.instance().removeMapLayer(dock.teaching.layer.id())
    QgsApplication.processEvents()
    assert "its file is kept" in dock.notice.text
    assert dock.teaching.layer is None
    assert dock.teach_tab.layer.currentLayer() is None
    hand.click(30, 30)  # continues the file, and asks nothing about its style
    assert len(hand.stored()) == 2


def test_run_on_whole_raster(hand, dock, monkeypatch, tiny_model, tmp_path):
    opened = []
    monkeypatch.setattr(keeping_module, "open_run_dialog", opened.append)
    dock.keep.run.click()
    assert opened == [{"INPUT": dock._subject.layer_id, "MODEL_FILE": tiny_model}]
    shipped = str(available_models()["world"])
    assert run_parameters(dock._subject, shipped) == {"INPUT": dock._subject.layer_id, "MODEL": "world"}
    hand.tool("point")
    hand.click(10, 10)
    hand.wait_until_idle()
    monkeypatch.setattr(dock.keeping, "_ask_about_samples", lambda: QMessageBox.StandardButton.Cancel)
    dock.keep.run.click()
    assert len(opened) == 1
    monkeypatch.setattr(dock.keeping, "_ask_about_samples", lambda: QMessageBox.StandardButton.Save)
    monkeypatch.setattr(keeping_module, "ask_model_file", lambda parent, proposed: tmp_path / "own.safetensors")
    dock.keep.run.click()
    hand.wait(lambda: len(opened) == 2)
    assert opened[1]["MODEL_FILE"] == str(tmp_path / "own.safetensors")
    dock.keep.run.click()  # nothing was drawn since
    assert opened[2] == opened[1]


def test_where_to_label_next(hand, dock, canvas, town_layer):
    shown = []
    dock.client.suggested.connect(lambda found: shown.append(found.extent))
    dock.teach_tab.next.click()
    assert dock.teach_tab.next.text() == "Stop searching"
    hand.wait(lambda: len(shown) == 1)
    assert dock.teach_tab.next.text() == "Where should I label next?"
    assert "Confidence here" in dock.notice.text
    assert "of the raster was searched" in dock.notice.text
    assert town_layer.extent().contains(canvas.center())
    hand.look()
    for number in range(2, 12):
        dock.teach_tab.next.click()
        hand.wait(lambda count=number: len(shown) == count)
        if not shown[-1]:
            break
    places = [((west + east) / 2, (south + north) / 2) for west, south, east, north in shown[:-1]]
    assert len(set(places)) == len(places)
    assert "are labelled or were shown" in dock.notice.text


def test_a_search_can_be_stopped(hand, dock):
    hand.look()
    shown = []
    dock.client.suggested.connect(shown.append)
    dock.teach_tab.next.click()
    dock.teach_tab.next.click()
    assert dock.teach_tab.next.text() == "Where should I label next?"
    hand.wait_until_idle()
    assert not shown
    dock.teach_tab.next.click()
    hand.wait(lambda: shown)
