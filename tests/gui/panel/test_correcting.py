"""Corrections of a classified raster, without widgets."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsGeometry, QgsProject, QgsRasterLayer, QgsRectangle

from dubai_landcover_plugin.gui.panel.classified import read_classified
from dubai_landcover_plugin.gui.panel.correcting import Correcting
from dubai_landcover_plugin.gui.panel.correction_files import correction_file
from dubai_landcover_plugin.gui.panel.correction_layer import CorrectionLayer, open_corrections
from dubai_landcover_plugin.gui.panel.drawn_layer import moved
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import LandCoverError, OutputError, RequestError
from tests.processing.qgis_fixtures import write_class_map

pytestmark = pytest.mark.qgis
X, Y = 300_000, 2_780_000
UTM = QgsCoordinateReferenceSystem("EPSG:32640")
WATER, LAND, ROAD, BUILDING = DUBAI.classes[:4]


def area(left: float, top: float, right: float, bottom: float) -> QgsGeometry:
    """A rectangle in pixels of the raster."""
    return QgsGeometry.fromRect(QgsRectangle(X + left, Y - bottom, X + right, Y - top))


def write_map(path: Path) -> str:
    """Land with a house of 10 × 20 px; the lower right corner has no data."""
    ids = np.full((40, 60), 2, np.uint8)
    ids[5:15, 5:25] = 4
    ids[30:, 50:] = 0
    return write_class_map(path, ids)


def add_raster(path: Path) -> QgsRasterLayer:
    layer = QgsRasterLayer(str(path), path.stem)
    QgsProject.instance().addMapLayer(layer)
    return layer


class Messages(list):
    """What the corrections said."""

    def __init__(self, correcting: Correcting) -> None:
        super().__init__()
        correcting.said.connect(lambda level, text: self.append(f"{level}: {text}"))


@pytest.fixture
def layer(qgis_app: object, tmp_path: Path) -> QgsRasterLayer:
    return add_raster(Path(write_map(tmp_path / "map.tif")))


@pytest.fixture
def correcting(layer: QgsRasterLayer) -> Any:
    made = Correcting()
    made.set_raster(read_classified(layer))
    yield made
    made.close()


def stored(path: Path) -> list[tuple[str, str]]:
    """Classes before and after in a GeoPackage, by time."""
    found = CorrectionLayer(open_corrections(path)).read().values()
    return [(one.source, one.target) for one in sorted(found, key=lambda one: one.time)]


def test_the_first_correction_makes_a_layer_beside_the_raster(correcting: Correcting, tmp_path: Path):
    said = Messages(correcting)
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    correcting.draw(area(0, 0, 60, 30), UTM, ROAD, BUILDING)
    path = tmp_path / "map_corrections.gpkg"
    assert stored(path) == [("", "Land"), ("Building", "Road")]
    assert said == [f"info: Corrections are stored in {path}."]
    first, second = correcting.corrections.values()
    assert first.time < second.time
    assert correcting.counts() == {"Land": 1, "Road": 1}
    (top, _) = QgsProject.instance().layerTreeRoot().findLayers()
    assert top.layer() is correcting.layer
    assert top.name() == "Corrections of map"
    for one in (correcting.layer, open_corrections(path)):  # the style is in the file, too
        assert one.renderer().categories()[1].symbol().color().name() == "#8429f6"


def test_changes_are_taken_back_and_done_again(correcting: Correcting, tmp_path: Path):
    path = tmp_path / "map_corrections.gpkg"
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    correcting.draw(area(30, 5, 35, 15), UTM, ROAD)
    first, second = correcting.corrections
    correcting.set_class([first], WATER)
    correcting.delete([second])
    assert stored(path) == [("", "Water")]
    assert correcting.can_undo
    correcting.undo()
    correcting.undo()
    assert stored(path) == [("", "Land"), ("", "Road")]
    correcting.redo()
    assert stored(path) == [("", "Water"), ("", "Road")]
    for _ in range(5):
        correcting.undo()
    assert stored(path) == []
    assert not correcting.can_undo
    assert correcting.can_redo


@pytest.mark.parametrize(
    ("place", "target", "source", "message"),
    [
        ((-20, 0, -10, 10), LAND, None, "outside of the raster 'map'"),
        ((52, 32, 58, 38), LAND, None, "has no data"),
        ((30, 5, 40, 9), LAND, None, "All of it is 'Land' already"),
        ((30, 5, 40, 9), ROAD, BUILDING, "Nothing of it is 'Building'"),
        ((30.6, 5.6, 30.9, 5.9), ROAD, None, "covers no pixel"),
        ((5, 5, 25, 15), BUILDING, BUILDING, "'Building' would become 'Building'"),
    ],
)
def test_corrections_without_effect_are_refused(correcting, tmp_path, place, target, source, message):
    with pytest.raises(RequestError, match=message):
        correcting.draw(area(*place), UTM, target, source)
    assert not correcting.corrections
    assert not (tmp_path / "map_corrections.gpkg").exists()


def test_a_correction_of_a_correction_has_an_effect(correcting: Correcting):
    correcting.draw(area(30, 5, 40, 9), UTM, ROAD)
    correcting.draw(area(30, 5, 35, 9), UTM, LAND)
    correcting.draw(area(35, 5, 40, 9), UTM, WATER, ROAD)
    assert [one.target for one in correcting.corrections.values()] == ["Road", "Land", "Water"]


def test_what_is_drawn_in_another_crs_is_transformed(correcting: Correcting):
    lonlat = QgsCoordinateReferenceSystem("EPSG:4326")
    correcting.draw(moved(area(5, 5, 25, 15).asWkt(), UTM, lonlat), lonlat, LAND)
    (name,) = correcting.corrections
    assert correcting.layer.crs() == UTM
    assert correcting.extent_of(name).width() == pytest.approx(20, abs=0.5)


def test_the_corrections_are_found_again(correcting: Correcting, layer: QgsRasterLayer, tmp_path: Path):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    project = QgsProject.instance()
    (tmp_path / "moved").mkdir()
    assert project.write(str(tmp_path / "moved" / "town.qgz"))
    correcting.set_raster(None)
    project.clear()
    assert project.read(str(tmp_path / "moved" / "town.qgz"))
    raster = next(one for one in project.mapLayers().values() if isinstance(one, QgsRasterLayer))
    correcting.set_raster(read_classified(raster))
    assert len(correcting.corrections) == 1
    assert len(project.mapLayers()) == 2
    # Another layer of the same file finds them by its path.
    again = add_raster(tmp_path / "map.tif")
    correcting.set_raster(read_classified(again))
    assert len(correcting.corrections) == 1
    assert len(project.mapLayers()) == 3


def test_the_corrections_beside_the_raster_are_found_without_the_project(correcting: Correcting, tmp_path: Path):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    correcting.set_raster(None)
    QgsProject.instance().clear()
    said = Messages(correcting)
    correcting.set_raster(read_classified(add_raster(tmp_path / "map.tif")))
    assert len(correcting.corrections) == 1
    assert said == ["info: 1 corrections of this raster were found in map_corrections.gpkg."]


def test_two_rasters_have_their_own_corrections(correcting: Correcting, layer: QgsRasterLayer, tmp_path: Path):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    (tmp_path / "b").mkdir()
    shutil.copy(tmp_path / "map.tif", tmp_path / "b" / "map.tif")
    other = add_raster(tmp_path / "b" / "map.tif")
    QgsProject.instance().setFileName(str(tmp_path / "town.qgz"))
    correcting.set_raster(read_classified(other))
    assert not correcting.corrections
    assert correction_file(correcting.raster) == tmp_path / "map_corrections_2.gpkg"
    correcting.draw(area(30, 5, 40, 9), UTM, ROAD)
    assert stored(tmp_path / "map_corrections_2.gpkg") == [("", "Road")]
    correcting.set_raster(read_classified(layer))
    assert [one.target for one in correcting.corrections.values()] == ["Land"]


def test_a_layer_that_cannot_be_changed(correcting: Correcting):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    before = dict(correcting.corrections)
    correcting.layer.startEditing()
    for action in (correcting.undo, lambda: correcting.delete(before), lambda: correcting.set_class(before, ROAD)):
        with pytest.raises(RequestError, match="is in edit mode"):
            action()
    correcting.layer.rollBack()
    correcting.layer.setReadOnly(True)
    with pytest.raises(RequestError, match="is read-only"):
        correcting.draw(area(30, 5, 40, 9), UTM, ROAD)
    assert correcting.corrections == before
    correcting.layer.setReadOnly(False)
    correcting.undo()
    assert not correcting.corrections


def test_edits_of_the_layer_are_followed(correcting: Correcting):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    layer = correcting.layer
    layer.startEditing()
    (feature,) = layer.getFeatures()
    layer.changeAttributeValue(feature.id(), layer.fields().indexOf("to"), "Swamp")
    assert layer.commitChanges()
    (name,) = correcting.corrections
    assert correcting.corrections[name].target == "Swamp"
    assert "'Swamp' is not a class of the raster" in correcting.problems[name]
    assert not correcting.can_undo


def test_a_layer_that_is_removed_from_the_project_keeps_its_file(correcting: Correcting, tmp_path: Path):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    said = Messages(correcting)
    QgsProject.instance().removeMapLayer(correcting.layer.id())
    assert "its file is kept" in said[0]
    assert (correcting.layer, correcting.corrections) == (None, {})
    correcting.draw(area(30, 5, 40, 9), UTM, ROAD)
    assert "1 corrections of map_corrections.gpkg are used, too" in said[1]
    assert stored(tmp_path / "map_corrections.gpkg") == [("", "Land"), ("", "Road")]


def test_a_raster_that_is_replaced_on_disk(correcting: Correcting, tmp_path: Path):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    said = Messages(correcting)
    os.replace(write_class_map(tmp_path / "new.tif", np.full((30, 30), 4, np.uint8)), tmp_path / "map.tif")
    correcting.draw(area(20, 20, 25, 25), UTM, ROAD, BUILDING)
    assert "was replaced by another file. The corrections are kept" in said[0]
    assert correcting.raster.extent.width() == 30
    assert len(said) == 1
    os.unlink(tmp_path / "map.tif")
    with pytest.raises(RequestError, match=r"is not there any more.*corrections are kept"):
        correcting.draw(area(20, 20, 25, 25), UTM, LAND)
    (tmp_path / "map.tif").write_text("text")
    with pytest.raises(LandCoverError, match="cannot be read"):
        correcting.draw(area(20, 20, 25, 25), UTM, LAND)
    assert stored(tmp_path / "map_corrections.gpkg") == [("", "Land"), ("Building", "Road")]


def test_another_file_can_be_chosen(correcting: Correcting, tmp_path: Path):
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    correcting.use_file(tmp_path / "mine.gpkg")
    assert not correcting.corrections
    correcting.draw(area(5, 5, 25, 15), UTM, ROAD)
    assert stored(tmp_path / "mine.gpkg") == [("", "Road")]
    with pytest.raises(OutputError):
        correcting.use_file(tmp_path / "missing" / "mine.gpkg")
    correcting.set_layer(None)
    with pytest.raises(RequestError, match="Choose a classified raster first"):
        Correcting().draw(area(5, 5, 25, 15), UTM, ROAD)


def test_a_folder_that_cannot_be_written_is_asked_about(correcting, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(RequestError, match="is read-only"):
        correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    correcting.ask_path = lambda proposed: tmp_path / "elsewhere.gpkg"
    correcting.draw(area(5, 5, 25, 15), UTM, LAND)
    assert stored(tmp_path / "elsewhere.gpkg") == [("", "Land")]
