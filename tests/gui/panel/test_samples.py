"""The layer of samples."""

from __future__ import annotations

import sqlite3
import time

import pytest
from osgeo import gdal
from qgis.core import QgsCoordinateReferenceSystem, QgsProject, QgsVectorLayer

from dubai_landcover_plugin.gui.panel.drawn_layer import store_style
from dubai_landcover_plugin.gui.panel.samples import (
    Sample,
    create_samples,
    has_samples,
    is_sample_layer,
    open_samples,
    read_samples,
    style_samples,
    write_samples,
)
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import OutputError, RequestError

pytestmark = pytest.mark.qgis
UTM = QgsCoordinateReferenceSystem("EPSG:32640")
SQUARE = "Polygon ((300010 2779990, 300020 2779990, 300020 2779980, 300010 2779980, 300010 2779990))"
BUILDING = Sample("Building", SQUARE, "polygon", 0.0, "2026-01-02T03:04:05", "#3C1098")


@pytest.fixture
def layer(qgis_app, tmp_path):
    return create_samples(tmp_path / "town_samples.gpkg", UTM)


def test_samples_are_stored_at_once_and_read_by_others(layer, tmp_path):
    write_samples(layer, {"a": BUILDING, "b": BUILDING.of_class(DUBAI.classes[0])})
    assert list(read_samples(layer)) == ["a", "b"]
    assert read_samples(layer)["a"].time == BUILDING.time
    rows = (
        sqlite3.connect(tmp_path / "town_samples.gpkg").execute("select sample, class, colour from samples").fetchall()
    )
    assert rows == [("a", "Building", "#3C1098"), ("b", "Water", "#E2A929")]
    write_samples(layer, {"a": None, "b": BUILDING})
    assert {name: one.class_name for name, one in read_samples(layer).items()} == {"b": "Building"}


def test_the_file_is_found_again_with_its_style(layer, tmp_path):
    write_samples(layer, {"a": BUILDING})
    style_samples(layer, DUBAI.classes, {})
    store_style(layer, "samples", "Samples of land cover")
    path = tmp_path / "town_samples.gpkg"
    assert has_samples(path)
    assert not has_samples(tmp_path / "none.gpkg")
    again = open_samples(path)
    assert is_sample_layer(again)
    assert [category.label() for category in again.renderer().categories()] == [one.name for one in DUBAI.classes]
    with pytest.raises(OutputError, match="has no layer"):
        open_samples(tmp_path / "none.gpkg")


def test_samples_of_an_earlier_file_are_there_after_its_style_was_stored(qgis_app, tmp_path):
    path = tmp_path / "town_samples.gpkg"
    write_samples(create_samples(path, UTM), {"a": BUILDING, "b": BUILDING})
    layer = open_samples(path)
    assert list(read_samples(layer)) == ["a", "b"]
    store_style(layer, "samples", "Samples of land cover")
    assert list(read_samples(layer)) == ["a", "b"]
    write_samples(layer, {"a": None})
    assert list(read_samples(open_samples(path))) == ["b"]


def test_a_geopackage_with_other_layers_keeps_them(layer, tmp_path):
    path = tmp_path / "mixed.gpkg"
    gdal.VectorTranslate(str(path), layer.source().split("|")[0], layerName="parcels")
    create_samples(path, UTM)
    assert {one.GetName() for one in map(gdal.OpenEx(str(path)).GetLayer, range(2))} == {"parcels", "samples"}


def test_features_without_an_id_are_samples(layer):
    write_samples(layer, {"a": BUILDING})
    layer.dataProvider().changeAttributeValues({1: {layer.fields().indexOf("sample"): None}})
    assert list(read_samples(layer)) == ["feature 1"]
    write_samples(layer, {"feature 1": None})
    assert not read_samples(layer)


def test_layers_that_cannot_be_changed_are_named(layer):
    layer.startEditing()
    with pytest.raises(RequestError, match="edit mode"):
        write_samples(layer, {"a": BUILDING})
    layer.rollBack()
    layer.setReadOnly(True)
    with pytest.raises(RequestError, match="read-only"):
        write_samples(layer, {"a": BUILDING})


def test_a_locked_file_gives_an_error_and_loses_nothing(layer, tmp_path):
    write_samples(layer, {"a": BUILDING})
    other = sqlite3.connect(tmp_path / "town_samples.gpkg", timeout=0.1)
    other.execute("begin immediate")
    started = time.monotonic()
    with pytest.raises(OutputError, match="locked by another program"):
        write_samples(layer, {"b": BUILDING})
    assert time.monotonic() - started < 4
    other.rollback()
    write_samples(layer, {"c": BUILDING})
    assert list(read_samples(layer)) == ["a", "c"]


def test_other_layers_cannot_keep_samples(qgis_app):
    assert not is_sample_layer(QgsVectorLayer("Polygon?crs=EPSG:32640&field=class:string", "x", "memory"))
    assert not is_sample_layer(None)
    QgsProject.instance().clear()
