"""Regularize Buildings with the real engine, in the plugin folder that users get."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processing
import pytest
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from tests.processing.qgis_fixtures import RecordingFeedback

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
ALGORITHM = "dubailandcover:regularizebuildings"
BUILDINGS = {"a": (0, 0, 40, 24, 20), "b": (60, 10, 90, 40, -35), "c": (10, 50, 40, 80, 0)}


def house(x0: float, y0: float, x1: float, y1: float, angle: float) -> QgsGeometry:
    """Return a rectangle turned around its middle, with a bump of half a metre on one side."""
    ring = [(x0, y0), (x1, y0), (x1, y1), ((x0 + x1) / 2, y1), ((x0 + x1) / 2, y1 + 0.5), (x0, y1 + 0.5), (x0, y0)]
    moved = ", ".join(f"{300_000 + x} {2_780_000 + y}" for x, y in ring)
    geometry = QgsGeometry.fromWkt(f"Polygon(({moved}))")
    geometry.rotate(angle, geometry.centroid().asPoint())
    return geometry


def memory_layer(crs: str = "EPSG:32640") -> QgsVectorLayer:
    layer = QgsVectorLayer(f"Polygon?crs={crs}&field=name:string", "houses", "memory")
    for name, corners in BUILDINGS.items():
        feature = QgsFeature(layer.fields())
        feature.setGeometry(house(*corners))
        feature.setAttribute("name", name)
        layer.dataProvider().addFeature(feature)
    layer.updateExtents()
    return layer


def saved(path: Path, layer: QgsVectorLayer, name: str = "houses") -> str:
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", name
    writer = getattr(QgsVectorFileWriter, "writeAsVectorFormatV3", QgsVectorFileWriter.writeAsVectorFormatV2)
    writer(layer, str(path), QgsProject.instance().transformContext(), options)
    return str(path)


def features(path: str) -> list[dict[str, Any]]:
    layer = QgsVectorLayer(path, "made", "ogr")
    assert layer.isValid(), path
    return [dict(zip(layer.fields().names(), feature.attributes())) for feature in layer.getFeatures()]


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_a_layer_in_memory_gives_every_format(tmp_path: Path, suffix: str):
    output = str(tmp_path / f"regular.{suffix}")
    result = processing.run(ALGORITHM, {"INPUT": memory_layer(), "OUTPUT": output}, feedback=RecordingFeedback())
    assert result["OUTPUT"] == output
    assert (result["BUILDINGS"], result["REGULAR"], result["SHORTEST_EDGE"]) == (3, 3, 2)
    assert result["MEAN_IOU"] > 0.98
    made = sorted(features(output), key=lambda row: row["name"])
    assert [row["name"] for row in made] == list(BUILDINGS)
    assert [row["regular"] for row in made] == [1, 1, 1]
    assert made[0]["area_m2"] == pytest.approx(40 * 24.25, rel=1e-3)
    assert made[0]["angle"] == pytest.approx(20, abs=0.5)
    assert {"iou", "perim_m"} <= set(made[0])


def test_only_what_is_selected_and_a_layer_of_a_package(tmp_path: Path):
    path = saved(tmp_path / "town.gpkg", memory_layer())
    layer = QgsVectorLayer(f"{path}|layername=houses", "houses", "ogr")
    QgsProject.instance().addMapLayer(layer)
    whole = processing.run(ALGORITHM, {"INPUT": layer, "OUTPUT": str(tmp_path / "all.gpkg")})
    assert whole["BUILDINGS"] == 3
    layer.selectByExpression("name = 'b'")
    source = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    some = processing.run(ALGORITHM, {"INPUT": source, "OUTPUT": str(tmp_path / "some.gpkg")})
    assert some["BUILDINGS"] == 1
    del layer


def test_obstacles_and_options_reach_the_engine(tmp_path: Path):
    feedback = RecordingFeedback()
    values = {
        "INPUT": memory_layer(), "OBSTACLES": memory_layer(), "OUTPUT": str(tmp_path / "o.gpkg"), "TOLERANCE": 1,
        "DIAGONALS": True, "MIN_IOU": 0.9, "SPLIT": 3, "MIN_PART": 50, "MIN_AREA": 30,
    }  # fmt: skip
    processing.run(ALGORITHM, values, feedback=feedback)
    request = feedback.texts("command")[0]
    for text in ('"tolerance":1.0', '"diagonals":true', '"min_iou":0.9', '"split":3.0', '"min_part":50.0'):
        assert text in request
    assert '"min_area":30.0' in request
    assert '"class_name":null' in request
    assert '"obstacles":null' not in request
    values = {"INPUT": memory_layer(), "OUTPUT": str(tmp_path / "o.gpkg"), "CLASS": "Roof"}
    with pytest.raises(QgsProcessingException, match="no attribute class or class_id"):
        processing.run(ALGORITHM, values)


def test_the_result_loads_styled(tmp_path: Path):
    processing.runAndLoadResults(ALGORITHM, {"INPUT": memory_layer(), "OUTPUT": "TEMPORARY_OUTPUT"})
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.name().startswith("Regular buildings: ")
    assert isinstance(layer.renderer(), QgsCategorizedSymbolRenderer)
    labels = [category.label() for category in layer.renderer().categories()]
    assert labels == ["Mostly right angles", "Other directions, or given outline"]
    del layer


def test_errors_come_before_the_run_or_leave_nothing(
    tmp_path: Path, algorithm: Callable[[str], Any], context: QgsProcessingContext
):
    values = {"INPUT": memory_layer(), "OUTPUT": str(tmp_path / "o.kml")}
    possible, text = algorithm("regularizebuildings").checkParameterValues(values, context)
    assert not possible
    assert ".gpkg" in text
    with pytest.raises(QgsProcessingException, match="INPUT"):
        processing.run(ALGORITHM, {"INPUT": str(tmp_path / "gone.gpkg"), "OUTPUT": str(tmp_path / "o.gpkg")})
    assert os.listdir(tmp_path) == []


def test_a_layer_without_buildings_gives_an_empty_one(tmp_path: Path):
    empty = QgsVectorLayer("Polygon?crs=EPSG:32640&field=name:string", "empty", "memory")
    result = processing.run(ALGORITHM, {"INPUT": empty, "OUTPUT": str(tmp_path / "o.gpkg")})
    layer = QgsVectorLayer(result["OUTPUT"], "o", "ogr")
    assert (result["BUILDINGS"], layer.featureCount()) == (0, 0)
    assert {"name", "area_m2", "iou", "regular", "angle"} <= set(layer.fields().names())


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_check_validity_finds_nothing_beside_obstacles(tmp_path: Path, suffix: str):
    blocks = QgsVectorLayer("Polygon?crs=EPSG:32640&field=name:string", "blocks", "memory")
    streets = QgsVectorLayer("Polygon?crs=EPSG:32640&field=name:string", "streets", "memory")
    rng = random.Random(5)
    for number in range(40):
        # A turned block of wavy edges; its upper border is that of a street, too.
        x, y, angle = 300_000 + 60 * (number % 8), 2_780_000 + 60 * (number // 8), rng.uniform(0, 90)
        border = [(step, 20 + rng.choice([-1, 0, 0, 1])) for step in range(0, 41, 2)]
        lower = [(step, rng.choice([-1, 0, 0, 1])) for step in range(40, -1, -2)]
        for layer, ring in ((blocks, [*border, *lower]), (streets, [*border, (40, 28), (0, 28)])):
            moved = ", ".join(f"{x + px} {y + py}" for px, py in [*ring, ring[0]])
            geometry = QgsGeometry.fromWkt(f"Polygon(({moved}))")
            geometry.rotate(angle, QgsPointXY(x, y))
            feature = QgsFeature(layer.fields())
            feature.setGeometry(geometry)
            layer.dataProvider().addFeature(feature)
    output = str(tmp_path / f"regular.{suffix}")
    processing.run(ALGORITHM, {"INPUT": blocks, "OBSTACLES": streets, "OUTPUT": output})
    assert len(features(output)) == 40
    for method in (1, 2):  # QGIS, GEOS
        checked = processing.run(
            "qgis:checkvalidity",
            {"INPUT_LAYER": output, "METHOD": method, "VALID_OUTPUT": "memory:", "INVALID_OUTPUT": "memory:",
             "ERROR_OUTPUT": "memory:"},
        )  # fmt: skip
        assert (checked["VALID_COUNT"], checked["INVALID_COUNT"], checked["ERROR_COUNT"]) == (40, 0, 0)
