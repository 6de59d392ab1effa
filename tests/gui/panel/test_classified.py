"""Classified rasters as the panel reads them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from qgis.core import QgsRasterLayer, QgsVectorLayer

from dubai_landcover_plugin.gui.panel.classified import is_classified, read_classified
from dubai_landcover_plugin.processing.layer_styles import style_classes
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import RequestError
from tests.processing.qgis_fixtures import town, write_classes, write_raster

pytestmark = pytest.mark.qgis


@pytest.fixture
def layer(qgis_app: object, tmp_path: Path) -> QgsRasterLayer:
    return QgsRasterLayer(write_classes(tmp_path / "map.tif"), "map")


def test_classes_come_from_the_tags_and_colours_from_the_layer(layer: QgsRasterLayer, tmp_path: Path):
    found = read_classified(layer)
    assert (found.name, found.path, found.pixel) == ("map", str(tmp_path / "map.tif"), 1.0)
    assert found.scheme == DUBAI
    assert found.extent == layer.extent()
    assert found.colours["Building"] == "#3C1098"
    assert found.by_id(3).name == "Road"
    assert found.by_id(9) is None
    style_classes(layer, DUBAI, natural=True)
    assert read_classified(layer).colours["Building"] == "#B5533C"


def test_a_file_that_changes_is_noticed(layer: QgsRasterLayer, tmp_path: Path):
    found = read_classified(layer)
    assert not found.is_changed()
    os.replace(write_classes(tmp_path / "other.tif"), tmp_path / "map.tif")
    assert found.is_changed()
    assert not read_classified(layer).is_changed()
    os.unlink(tmp_path / "map.tif")
    assert found.is_changed()
    with pytest.raises(RequestError, match="cannot be read"):
        read_classified(layer)


def test_other_rasters_are_refused_with_a_reason(layer: QgsRasterLayer, tmp_path: Path):
    image = QgsRasterLayer(write_raster(tmp_path / "town.tif", town()), "town")
    with pytest.raises(RequestError, match="'town' is not a classified raster: it does not have one band"):
        read_classified(image)
    grey = QgsRasterLayer(write_raster(tmp_path / "grey.tif", town()[:1]), "grey")
    with pytest.raises(RequestError, match="it has no names of classes"):
        read_classified(grey)
    web = QgsRasterLayer("type=xyz&url=http://localhost:9/{z}/{x}/{y}.png", "web", "wms")
    with pytest.raises(RequestError, match="'web' is not a classified raster: it is not a file"):
        read_classified(web)
    assert is_classified(layer)
    assert not any(map(is_classified, (image, grey, web, None, QgsVectorLayer("Point", "points", "memory"))))
