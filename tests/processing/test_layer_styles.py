"""How results are drawn, and the styles that ship as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from qgis.core import QgsFeature, QgsGeometry, QgsPalettedRasterRenderer, QgsRasterLayer, QgsVectorLayer

from dubai_landcover_plugin.processing.layer_styles import class_colours, style_classes, style_polygons
from dubai_landcover_plugin.protocol.classes import DUBAI, NATURAL_COLOURS, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.resources import resource
from tests.processing.qgis_fixtures import write_classes

pytestmark = pytest.mark.qgis
OTHER = ClassScheme((LandCoverClass(1, "Reef", "#112233"),), LandCoverClass(9, "Unknown", "#445566"))


def legend(layer: QgsRasterLayer) -> dict[int, tuple[str, str]]:
    renderer = layer.renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    return {int(entry.value): (entry.label, entry.color.name().upper()) for entry in renderer.classes()}


@pytest.mark.parametrize(("file", "natural"), [("landcover.qml", True), ("landcover_dataset.qml", False)])
def test_the_style_files_draw_like_the_plugin(tmp_path: Path, file: str, natural: bool):
    raster = write_classes(tmp_path / "classes.tif")
    by_file, by_plugin = QgsRasterLayer(raster, "a"), QgsRasterLayer(raster, "b")
    message, loaded = by_file.loadNamedStyle(resource(f"styles/{file}"))
    assert loaded, message
    style_classes(by_plugin, DUBAI, natural)
    colours = class_colours(DUBAI, natural)
    assert legend(by_file) == legend(by_plugin) == {c.id: (c.name, colours[c.id]) for c in DUBAI.entries}


@pytest.mark.parametrize(
    ("file", "layer", "renderer", "labels"),
    [
        (
            "buildings",
            "Polygon?field=regular:integer",
            "categorizedSymbol",
            ["Mostly right angles", "Other directions, or given outline"],
        ),
        ("roads", "LineString", "singleSymbol", [""]),
        ("road_nodes", "Point?field=degree:integer", "RuleRenderer", ["Junction", "End", "Ring"]),
    ],
)
def test_the_style_files_of_vector_results_load(file: str, layer: str, renderer: str, labels: list[str]):
    shown = QgsVectorLayer(layer, file, "memory")
    message, loaded = shown.loadNamedStyle(resource(f"styles/{file}.qml"))
    assert loaded, message
    assert shown.renderer().type() == renderer
    assert [item.label() for item in shown.renderer().legendSymbolItems()] == labels


def test_natural_colours_cover_the_dubai_classes_alone():
    assert set(NATURAL_COLOURS) == {entry.id for entry in DUBAI.entries}
    assert class_colours(OTHER, natural=True) == {1: "#112233", 9: "#445566"}


def test_polygons_show_the_classes_that_occur(tmp_path: Path):
    layer = QgsVectorLayer("Polygon?field=class_id:integer&field=class:string", "polygons", "memory")
    before = layer.renderer().type()
    style_polygons(layer, DUBAI)
    assert layer.renderer().type() == before
    for value in (4, 3, 4):
        feature = QgsFeature(layer.fields())
        feature.setAttributes([value, "x"])
        feature.setGeometry(QgsGeometry.fromWkt("POLYGON((0 0,1 0,1 1,0 0))"))
        layer.dataProvider().addFeature(feature)
    style_polygons(layer, DUBAI)
    assert [(c.value(), c.label()) for c in layer.renderer().categories()] == [(3, "Road"), (4, "Building")]
    assert layer.renderer().categories()[0].symbol().color().name().upper() == "#6B6F76"
