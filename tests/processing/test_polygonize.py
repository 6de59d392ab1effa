"""Classified Raster to Polygons with the real engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from qgis.core import QgsLayerMetadata, QgsProcessingException, QgsProject, QgsRasterLayer, QgsVectorLayer

from tests.processing.qgis_fixtures import RecordingFeedback, write_classes, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]


def run(values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run("dubailandcover:polygonizelandcover", values, feedback=feedback or RecordingFeedback())


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_all_classes_in_one_layer_that_qgis_finds_valid(tmp_path: Path, suffix: str, feedback: RecordingFeedback):
    raster = write_classes(tmp_path / "classes.tif")
    output = str(tmp_path / f"polygons.{suffix}")
    result = run({"INPUT": raster, "OUTPUT": output, "MIN_AREA": 0}, feedback)
    assert result["OUTPUT"] == output
    layer = QgsVectorLayer(output, "polygons", "ogr")
    assert layer.featureCount() == result["COUNT"] == sum(json.loads(result["COUNTS"]).values()) > 2
    names = layer.fields().names()
    assert [name for name in names if name not in ("fid", "class_id", "class", "area_m2", "perim_m")] == [
        "compact", "source", "model",
    ]  # fmt: skip
    checked = processing.run("qgis:checkvalidity", {"INPUT_LAYER": output, "METHOD": 2, "VALID_OUTPUT": "memory:"})
    assert (checked["INVALID_COUNT"], checked["ERROR_COUNT"]) == (0, 0)
    conservation = json.loads(result["CONSERVATION"])
    assert (conservation["gaps"], conservation["overlaps"]) == (0, 0)
    assert any("without gaps and overlaps" in line for line in feedback.texts("info"))


def test_a_geopackage_brings_its_style(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    result = run({"INPUT": raster, "OUTPUT": str(tmp_path / "p.gpkg")})
    layer = QgsVectorLayer(result["OUTPUT"], "p", "ogr")
    assert layer.renderer().type() == "categorizedSymbol"
    labels = [category.label() for category in layer.renderer().categories()]
    assert labels == ["Water", "Land", "Road", "Building", "Vegetation", "Unlabeled"]
    assert layer.renderer().categories()[3].symbol().color().name().upper() == "#3C1098"  # as in the raster


def test_a_shapefile_has_its_style_beside_it(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    result = run({"INPUT": raster, "OUTPUT": str(tmp_path / "p.shp")})
    layer = QgsVectorLayer(result["OUTPUT"], "p", "ogr")
    assert layer.renderer().classAttribute() == "class_id"


def test_confidence_becomes_attributes_and_chosen_classes_alone_are_written(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    sure = write_raster(tmp_path / "sure.tif", np.full((1, 40, 60), 70, np.uint8))
    values = {"INPUT": raster, "CONFIDENCE": sure, "CLASSES": "building; 3", "OUTPUT": "TEMPORARY_OUTPUT"}
    layer = QgsVectorLayer(run(values)["OUTPUT"], "p", "ogr")
    found = [(feature["class"], feature["conf_mean"], feature["conf_p10"]) for feature in layer.getFeatures()]
    assert sorted(found) == [("Building", 70, 70), ("Road", 70, 70)]


def test_polygons_load_styled_and_named(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    processing.runAndLoadResults("dubailandcover:polygonizelandcover", {"INPUT": raster, "OUTPUT": "TEMPORARY_OUTPUT"})
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.name() == "Polygons: classes"
    assert "Building" in [category.label() for category in layer.renderer().categories()]
    del layer


def test_side_files_of_other_data_survive(tmp_path: Path):
    raster = write_classes(tmp_path / "town.tif")
    layer = QgsRasterLayer(raster, "town")
    layer.setOpacity(0.5)
    layer.saveDefaultStyle()
    metadata = QgsLayerMetadata()
    metadata.setTitle("Survey of 2024")
    layer.setMetadata(metadata)
    layer.saveDefaultMetadata()
    del layer
    for suffix in (".dbf", ".prj", ".cpg", ".qix", ".sbn"):
        (tmp_path / f"town{suffix}").write_text(f"another table {suffix}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert {"town.qml", "town.qmd"} <= set(before)
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "town.shp")}
    with pytest.raises(QgsProcessingException, match=r"does not belong to town\.shp") as error:
        run(values)
    assert "town.dbf" in str(error.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    values["OUTPUT"] = str(tmp_path / "polygons.shp")
    run(values)
    kept = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.stem != "polygons"}
    assert kept == before
    assert QgsRasterLayer(raster, "town").opacity() == 0.5
