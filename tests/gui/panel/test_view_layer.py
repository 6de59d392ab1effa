"""The layer of the view."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsApplication, QgsPointXY, QgsProject, QgsRasterLayer

from dubai_landcover_plugin.gui.panel.view_layer import ViewLayer
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.processing.qgis_fixtures import write_class_map, write_raster

pytestmark = pytest.mark.qgis
COLOURS = {entry.name: entry.colour for entry in DUBAI.entries}


@pytest.fixture
def below(raster):
    layer = QgsRasterLayer(raster, "town")
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def shown(below):
    view = ViewLayer()
    view.set_opacity(0.4)

    def show(class_id, percent=70):
        classes, confidence = view.next_paths()
        write_class_map(classes, np.full((80, 96), class_id, np.uint8))
        write_raster(confidence, np.full((1, 80, 96), percent, np.uint8))
        view.show(classes, confidence, DUBAI.entries, COLOURS, below)

    view.again = show
    show(3)
    yield view
    view.close()


def test_views_follow_each_other_in_one_layer(shown, below):
    first, path = shown.layer, shown.layer.source()
    order = [node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()]
    assert order == ["Land cover of the view", "town"]
    assert shown.read(QgsPointXY(300010, 2779990)).class_id == 3
    shown.again(5)
    assert shown.layer is first
    assert shown.layer.source() != path
    assert not gdal.VSIStatL(path)
    assert shown.read(QgsPointXY(300010, 2779990)).class_id == 5
    assert shown.read(QgsPointXY(300010, 2779990)).confidence == 70
    assert shown.read(QgsPointXY(0, 0)) is None
    assert shown.layer.renderer().opacity() == pytest.approx(0.4)


def test_a_place_is_that_of_the_pixel_that_was_computed(shown, below):
    classes, confidence = shown.next_paths()
    every_fourth = np.full((20, 24), 4, np.uint8)
    write_class_map(classes, every_fourth)
    write_raster(confidence, every_fourth[np.newaxis])
    dataset = gdal.Open(classes, gdal.GA_Update)
    dataset.SetGeoTransform((300000, 4.0, 0.0, 2780000, 0.0, -4.0))
    del dataset
    shown.show(classes, confidence, DUBAI.entries, COLOURS, below)
    west, north = below.extent().xMinimum(), below.extent().yMaximum()
    for x, y in ((0.1, 0.1), (3.9, 0.1), (3.9, 3.9)):
        place = shown.shown_place(QgsPointXY(west + x, north - y))
        assert (int(place.x() - west), int(north - place.y())) == (2, 2)  # the pixel that write_view takes
    outside = QgsPointXY(0, 0)
    assert shown.shown_place(outside) == outside


def test_the_project_file_does_not_hold_the_view(shown, tmp_path):
    path, layer_id = tmp_path / "project.qgs", shown.layer.id()
    assert QgsProject.instance().write(str(path))
    text = path.read_text()
    assert layer_id not in text
    assert "town.tif" in text
    assert shown.layer is None  # until QGIS has time
    QgsApplication.processEvents()
    assert [node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()] == [
        "Land cover of the view",
        "town",
    ]
    fresh = QgsProject()
    assert fresh.read(str(path))
    assert [layer.name() for layer in fresh.mapLayers().values()] == ["town"]


def test_nor_a_view_that_was_hidden_a_moment_ago(shown, tmp_path):
    path, layer_id = tmp_path / "project.qgs", shown.layer.id()
    shown.hide()
    assert QgsProject.instance().write(str(path))
    assert layer_id not in path.read_text()
    shown.again(4)
    QgsApplication.processEvents()
    assert layer_id not in QgsProject.instance().mapLayers()
    assert shown.layer is not None


def test_the_user_may_remove_the_layer(shown):
    QgsProject.instance().removeMapLayer(shown.layer.id())
    assert shown.layer is None
    assert shown.read(QgsPointXY(300010, 2779990)) is None
    shown.again(2)
    assert shown.layer is not None
