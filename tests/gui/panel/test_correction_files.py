"""Files that belong to a classified raster."""

from __future__ import annotations

from pathlib import Path

import pytest
from qgis.core import QgsProject, QgsRasterLayer

from dubai_landcover_plugin.gui.panel.classified import Classified, read_classified
from dubai_landcover_plugin.gui.panel.correction_files import (
    corrected_file,
    correction_file,
    known_layer,
    link,
    open_or_create,
    same_file,
)
from dubai_landcover_plugin.gui.panel.correction_layer import create_corrections
from tests.processing.qgis_fixtures import write_classes

pytestmark = pytest.mark.qgis


@pytest.fixture
def raster(qgis_app: object, tmp_path: Path) -> Classified:
    layer = QgsRasterLayer(write_classes(tmp_path / "map.tif"), "map")
    QgsProject.instance().addMapLayer(layer)
    return read_classified(layer)


def test_the_file_of_corrections_is_not_that_of_another_raster(raster: Classified, tmp_path: Path):
    assert correction_file(raster) == tmp_path / "map_corrections.gpkg"
    create_corrections(tmp_path / "map_corrections.gpkg", raster.crs, raster.path)
    assert correction_file(raster) == tmp_path / "map_corrections.gpkg"
    (tmp_path / "map_corrections.gpkg").unlink()
    create_corrections(tmp_path / "map_corrections.gpkg", raster.crs, str(tmp_path / "other.tif"))
    assert correction_file(raster) == tmp_path / "map_corrections_2.gpkg"
    QgsProject.instance().setFileName(str(tmp_path / "home" / "town.qgz"))
    assert correction_file(raster) == tmp_path / "home" / "map_corrections.gpkg"


def test_the_corrected_raster_overwrites_nothing(raster: Classified, tmp_path: Path):
    assert corrected_file(raster) == tmp_path / "map_corrected.tif"
    for name in ("map_corrected.tif", "map_corrected_2.tif"):
        (tmp_path / name).write_text("here")
    assert corrected_file(raster) == tmp_path / "map_corrected_3.tif"


def test_a_layer_of_the_project_is_known_by_raster_and_path(raster: Classified, tmp_path: Path):
    assert known_layer(raster) is None
    project = QgsProject.instance()
    layers = [open_or_create(tmp_path / f"{name}.gpkg", raster) for name in ("a", "b")]
    for layer in layers:
        project.addMapLayer(layer)
        link(layer, raster)
    assert known_layer(raster) is layers[1]
    project.removeMapLayer(layers[1].id())
    assert known_layer(raster) is layers[0]
    assert open_or_create(tmp_path / "a.gpkg", raster).isValid()


def test_paths_of_one_file(tmp_path: Path):
    (tmp_path / "link.tif").symlink_to(tmp_path / "map.tif")
    assert same_file(str(tmp_path / "link.tif"), str(tmp_path / "map.tif"))
    assert not same_file(str(tmp_path / "a.tif"), str(tmp_path / "b.tif"))
    assert not same_file("", "")
    assert not same_file(None, str(tmp_path))
