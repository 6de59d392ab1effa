"""What the layers of samples and of corrections have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsVectorLayer
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QDialog

from dubai_landcover_plugin.gui.panel.correction_layer import create_corrections, open_corrections
from dubai_landcover_plugin.gui.panel.drawn_layer import (
    add_on_top,
    check_writable,
    chosen_file,
    has_layer,
    has_polygons,
    id_of,
    moved,
    new_id,
    polygon_feature,
    store_features,
    store_style,
)
from dubai_landcover_plugin.protocol.errors import RequestError

pytestmark = pytest.mark.qgis
UTM = QgsCoordinateReferenceSystem("EPSG:32640")
SQUARE = "Polygon ((300010 2779990, 300020 2779990, 300020 2779980, 300010 2779980, 300010 2779990))"


@pytest.fixture
def layer(qgis_app):
    return QgsVectorLayer("MultiPolygon?crs=EPSG:32640&field=name:string&field=kind:string", "areas", "memory")


def test_features_are_added_changed_and_removed(layer):
    one, two = (polygon_feature(layer, SQUARE, {"name": name, "kind": "x"}) for name in ("one", ""))
    store_features(layer, [one, two], {}, [])
    assert not layer.isEditable()
    names = {id_of(feature, "name"): feature.id() for feature in layer.getFeatures()}
    assert set(names) == {"one", f"feature {names['one'] + 1}"}
    store_features(layer, [], {names["one"]: {1: "y"}}, [names["one"] + 1])
    (left,) = layer.getFeatures()
    assert (left["kind"], left.geometry().isMultipart(), left.geometry().area()) == ("y", True, 100)
    assert layer.extent().width() == 10


def test_layers_that_cannot_be_changed(layer):
    check_writable(layer)
    layer.startEditing()
    with pytest.raises(RequestError, match="'areas' is in edit mode"):
        check_writable(layer)
    layer.rollBack()
    layer.setReadOnly(True)
    with pytest.raises(RequestError, match="'areas' is read-only"):
        check_writable(layer)


def test_layers_are_known_by_their_attributes(layer, tmp_path: Path):
    assert has_polygons(layer, ["name", "kind"])
    assert not has_polygons(layer, ["name", "class"])
    assert not has_polygons(QgsVectorLayer("Point?field=name:string", "points", "memory"), ["name"])
    assert not has_polygons(None, [])
    assert not has_layer(tmp_path / "none.gpkg", "areas")


def test_a_style_in_the_file_is_replaced_without_a_question(qgis_app, tmp_path: Path) -> None:
    layer = create_corrections(tmp_path / "c.gpkg", UTM)
    asked: list[object] = []
    QTimer.singleShot(2000, lambda: asked.extend(_closed_dialogs()))
    for colour in ("#112233", "#445566"):
        layer.renderer().symbol().setColor(QColor(colour))
        store_style(layer, "corrections", "test")
    assert layer.listStylesInDatabase()[2] == ["corrections"]
    assert open_corrections(tmp_path / "c.gpkg").renderer().symbol().color().name() == "#445566"
    assert not asked


def _closed_dialogs() -> list[QDialog]:
    """Close the dialogs that wait for an answer, and return them."""
    found = [one for one in QgsApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]
    for one in found:
        one.reject()
    return found


def test_a_new_layer_is_on_top(layer):
    add_on_top(QgsVectorLayer("Point", "points", "memory"))
    add_on_top(layer)
    assert [node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()] == ["areas", "points"]


def test_another_file_where_the_folder_cannot_be_written(tmp_path: Path):
    assert chosen_file(tmp_path / "a.gpkg", lambda path: None) == tmp_path / "a.gpkg"
    missing = tmp_path / "missing" / "a.gpkg"
    assert chosen_file(missing, lambda path: tmp_path / path.name) == tmp_path / "a.gpkg"
    with pytest.raises(RequestError, match="is read-only"):
        chosen_file(missing, lambda path: None)


def test_ids_differ():
    assert len({new_id() for _ in range(100)}) == 100


def test_areas_in_another_crs_are_transformed(qgis_app):
    there = moved(SQUARE, UTM, QgsCoordinateReferenceSystem("EPSG:4326"))
    assert there.boundingBox().xMinimum() == pytest.approx(55.02, abs=0.2)
    back = moved(there.asWkt(), QgsCoordinateReferenceSystem("EPSG:4326"), UTM).boundingBox()
    assert (back.xMinimum(), back.yMaximum()) == pytest.approx((300010, 2779990), abs=0.01)


def test_what_cannot_be_transformed_is_said(qgis_app):
    far = "Polygon ((1e9 1e9, 2e9 1e9, 2e9 2e9, 1e9 1e9))"
    with pytest.raises(RequestError, match="cannot be transformed from EPSG:4326 to EPSG:32640: It is too far"):
        moved(far, QgsCoordinateReferenceSystem("EPSG:4326"), UTM)
