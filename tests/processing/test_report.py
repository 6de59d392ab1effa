"""Land Cover Report with the real engine, in the plugin folder that users get."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from osgeo import gdal
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProcessingUtils,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from tests.processing.qgis_fixtures import RecordingFeedback, write_classes, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
ID = "dubailandcover:landcoverreport"


def zones(*names: str, crs: str = "EPSG:32640") -> QgsVectorLayer:
    """Return a layer in memory: zones of 20 px across and the height of the raster, side by side."""
    layer = QgsVectorLayer(f"Polygon?crs={crs}&field=name:string", "zones", "memory")
    for index, name in enumerate(names):
        west = 300000 + 20 * index
        feature = QgsFeature(layer.fields())
        feature.setAttributes([name])
        ring = f"{west} 2779960,{west + 20} 2779960,{west + 20} 2780000,{west} 2780000,{west} 2779960"
        feature.setGeometry(QgsGeometry.fromWkt(f"Polygon(({ring}))"))
        layer.dataProvider().addFeature(feature)
    layer.updateExtents()
    QgsProject.instance().addMapLayer(layer)
    return layer


def confidence(path: Path) -> str:
    return write_raster(path, np.full((1, 40, 60), 80, np.uint8))


def run(values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(ID, values, feedback=feedback or RecordingFeedback())


def rows(path: str) -> dict[tuple[str, str], dict[str, str]]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return {(row["zone"], row["class"]): row for row in csv.DictReader(stream)}


def test_report_table_and_zones(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    layer = zones("West", "Middle", "East")
    values = {
        "INPUT": raster, "CONFIDENCE": confidence(tmp_path / "sure.tif"), "ZONES": layer.id(), "ZONE_FIELD": "name",
        "TITLE": "Town", "REPORT": str(tmp_path / "r.html"), "CSV": str(tmp_path / "r.csv"),
        "ZONES_LAYER": str(tmp_path / "z.gpkg"),
    }  # fmt: skip
    result = run(values)
    page = Path(result["REPORT"]).read_text(encoding="utf-8")
    assert "<h1>Town</h1>" in page
    assert "Middle" in page
    assert json.loads(result["PIXELS"])["Building"] == 200
    assert json.loads(result["AREAS"])["Road"] == pytest.approx(300, rel=2e-3)
    assert json.loads(result["WRONG"])["Building"] == pytest.approx(40, rel=2e-3)
    assert sum(json.loads(result["SHARES"]).values()) == pytest.approx(1, abs=1e-5)
    assert (result["MEAN_CONFIDENCE"], result["VALID_PIXELS"], result["ZONE_COUNT"]) == (80, 2400, 3)
    found = rows(result["CSV"])
    assert [int(found[zone, "Building"]["pixels"]) for zone in ("West", "Middle", "East")] == [150, 50, 0]
    written = QgsVectorLayer(result["ZONES_LAYER"], "zones", "ogr")
    assert [feature["building_pct"] for feature in written.getFeatures()] == [18.75, 6.25, 0]
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    del layer, written


def test_the_zones_load_named_and_styled(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    layer = zones("West", "Middle")
    values = {
        "INPUT": raster, "ZONES": layer.id(), "REPORT": str(tmp_path / "r.html"), "ZONES_LAYER": "TEMPORARY_OUTPUT",
    }  # fmt: skip
    processing.runAndLoadResults(ID, values)
    layers = {one.name(): one for one in QgsProject.instance().mapLayers().values()}
    assert set(layers) == {"zones", "Zones with areas: classes"}
    renderer = layers["Zones with areas: classes"].renderer()
    assert isinstance(renderer, QgsCategorizedSymbolRenderer)
    assert [category.label() for category in renderer.categories()] == ["Land"]
    del renderer, layer
    layers.clear()


def test_selected_features_alone(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    layer = zones("West", "Middle", "East")
    layer.selectByExpression("name = 'Middle'")
    source = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    values = {"INPUT": raster, "ZONES": source, "ZONE_FIELD": "name", "REPORT": str(tmp_path / "r.html")}
    result = run({**values, "CSV": str(tmp_path / "r.csv")})
    assert {zone for zone, _ in rows(result["CSV"])} == {"Whole raster", "Middle"}
    del layer


def test_a_layer_of_a_geopackage_with_several(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    package = str(tmp_path / "all.gpkg")
    options = QgsVectorFileWriter.SaveVectorOptions()
    for name, layer in (("first", zones("a")), ("second", zones("b", "c"))):
        options.layerName = name
        QgsVectorFileWriter.writeAsVectorFormatV3(layer, package, QgsProject.instance().transformContext(), options)
        options.actionOnExistingFile = QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    values = {"INPUT": raster, "ZONES": f"{package}|layername=second", "REPORT": str(tmp_path / "r.html")}
    assert run(values)["ZONE_COUNT"] == 2
    del layer


def test_the_report_alone(tmp_path: Path, feedback: RecordingFeedback):
    raster = write_classes(tmp_path / "classes.tif")
    result = run({"INPUT": raster, "REPORT": str(tmp_path / "r.html")}, feedback)
    assert "MEAN_CONFIDENCE" not in result
    assert "CSV" not in result
    assert json.loads(feedback.texts("command")[0])["title"] == "Land cover report"
    assert any("Building" in text and "8.33 %" in text for text in feedback.texts("info"))


def test_errors_reach_the_user_and_leave_no_file(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    values = {"INPUT": raster, "REPORT": str(tmp_path / "r.html")}
    with pytest.raises(QgsProcessingException, match="not a confidence raster"):
        run({**values, "CONFIDENCE": raster})
    far = zones("far", crs="EPSG:32641")
    with pytest.raises(QgsProcessingException, match="overlaps the raster"):
        run({**values, "ZONES": far.id()})
    with pytest.raises(QgsProcessingException, match="no zones given"):
        run({**values, "ZONES_LAYER": str(tmp_path / "z.gpkg")})
    assert set(os.listdir(tmp_path)) <= {"classes.tif", "classes.tif.aux.xml"}  # QGIS adds its statistics
    del far


def test_outputs_feed_other_algorithms_of_a_model(tmp_path: Path, context: QgsProcessingContext):
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("areas", "tests")
    model.addModelParameter(QgsProcessingParameterRasterLayer("map", "map"), QgsProcessingModelParameter("map"))
    layer = zones("West", "Middle")
    report = QgsProcessingModelChildAlgorithm(ID)
    report.setChildId("report")
    report.addParameterSources("INPUT", [source.fromModelParameter("map")])
    report.addParameterSources("ZONES", [source.fromStaticValue(layer.id())])
    outputs = {}
    for name in ("REPORT", "ZONES_LAYER"):
        outputs[name] = QgsProcessingModelOutput(name, name)
        outputs[name].setChildId("report")
        outputs[name].setChildOutputName(name)
    report.setModelOutputs(outputs)
    model.addChildAlgorithm(report)
    values = {
        "map": write_classes(tmp_path / "classes.tif"),
        "report:REPORT": str(tmp_path / "r.html"),
        "report:ZONES_LAYER": str(tmp_path / "z.gpkg"),
    }
    result, done = model.run(values, context, RecordingFeedback())
    assert done, result
    assert QgsProcessingUtils.mapLayerFromString(str(tmp_path / "z.gpkg"), context).featureCount() == 2
    assert (tmp_path / "r.html").is_file()
    del layer


@pytest.mark.parametrize("epsg", [32640, None])
def test_rasters_with_and_without_a_place(tmp_path: Path, epsg: int | None, values_of: Callable[[str], np.ndarray]):
    named = write_classes(tmp_path / "classes.tif")
    tags = gdal.Open(named).GetMetadata()
    path = write_raster(tmp_path / "plain.tif", values_of(named)[None], epsg=epsg)
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.SetMetadata(tags)
    dataset.FlushCache()
    del dataset
    result = run({"INPUT": path, "REPORT": str(tmp_path / "r.html")})
    assert result["TOTAL_AREA"] == pytest.approx(2400, rel=2e-3)
