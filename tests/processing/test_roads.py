"""Extract Road Network in a real QGIS: parameters, results, styles, models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsRuleBasedRenderer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
    QgsWkbTypes,
)

from tests.processing.qgis_fixtures import RecordingFeedback, write_class_map, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
ALGORITHM = "dubailandcover:extractroadnetwork"


def write_crossing(path: Path, epsg: int | None = 32640) -> str:
    """Write a classified raster of 200 × 120 px with two roads that cross; one has a gap of 10 px."""
    classes = np.full((120, 200), 2, np.uint8)
    classes[60:66] = 3
    classes[:, 100:106] = 3
    classes[:, 150:160] = 2
    return write_class_map(path, classes, epsg=epsg)


def run(values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(ALGORITHM, values, feedback=feedback or RecordingFeedback())


def features(path: str) -> list[dict[str, Any]]:
    layer = QgsVectorLayer(path, "roads", "ogr")
    assert layer.isValid(), path
    return [dict(zip(layer.fields().names(), feature.attributes())) for feature in layer.getFeatures()]


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb"])
def test_a_crossing_is_four_lines_and_a_junction(tmp_path: Path, suffix: str, feedback: RecordingFeedback):
    raster = write_crossing(tmp_path / "classes.tif")
    sure = write_raster(tmp_path / "sure.tif", np.full((1, 120, 200), 70, np.uint8))
    paths = {"OUTPUT": str(tmp_path / f"roads.{suffix}"), "NODES": str(tmp_path / f"nodes.{suffix}")}
    result = run({"INPUT": raster, "CONFIDENCE": sure, **paths}, feedback)
    assert {key: result[key] for key in paths} == paths
    counts = {key: result[key] for key in ("LINES", "JUNCTIONS", "ENDS", "NETWORKS", "BRIDGED")}
    assert counts == {"LINES": 4, "JUNCTIONS": 1, "ENDS": 4, "NETWORKS": 1, "BRIDGED": 1}
    assert result["LENGTH"] == pytest.approx(320, abs=3)
    lines = features(paths["OUTPUT"])
    assert {line["class"] for line in lines} == {"Road"}
    assert {line["confidence"] for line in lines} == {70}
    assert max(line["gap_m"] for line in lines) == pytest.approx(10, abs=1)
    assert sorted(node["degree"] for node in features(paths["NODES"])) == [1, 1, 1, 1, 4]
    request = json.loads(feedback.texts("command")[0])
    assert request["barriers"] is None
    assert request["confidence"] == sure


def test_a_model_hands_the_network_on(context: QgsProcessingContext, tmp_path: Path):
    raster = write_crossing(tmp_path / "classes.tif")
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("roads", "roads")
    model.addModelParameter(QgsProcessingParameterRasterLayer("map", "map"), QgsProcessingModelParameter("map"))
    roads = QgsProcessingModelChildAlgorithm(ALGORITHM)
    roads.setChildId("roads")
    roads.addParameterSources("INPUT", [source.fromModelParameter("map")])
    model.addChildAlgorithm(roads)
    joined = QgsProcessingModelChildAlgorithm("native:dissolve")
    joined.setChildId("joined")
    joined.addParameterSources("INPUT", [source.fromChildOutput("roads", "OUTPUT")])
    result = QgsProcessingModelOutput("joined", "joined")
    result.setChildId("joined")
    result.setChildOutputName("OUTPUT")
    joined.setModelOutputs({"joined": result})
    model.addChildAlgorithm(joined)
    model.initAlgorithm()
    name = next(p.name() for p in model.destinationParameterDefinitions())
    feedback = RecordingFeedback()  # the context keeps no reference
    results, done = model.run({"map": raster, name: str(tmp_path / "joined.gpkg")}, context, feedback)
    assert done, feedback.lines
    assert len(features(results[name])) == 1


def test_results_load_styled(tmp_path: Path):
    raster = write_crossing(tmp_path / "classes.tif")
    processing.runAndLoadResults(
        ALGORITHM, {"INPUT": raster, "OUTPUT": "TEMPORARY_OUTPUT", "NODES": "TEMPORARY_OUTPUT"}
    )
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    assert set(layers) == {"Road network: classes", "Nodes: classes"}
    lines = layers["Road network: classes"]
    assert QgsWkbTypes.displayString(lines.wkbType()) == "LineString"
    assert isinstance(lines.renderer(), QgsSingleSymbolRenderer)
    assert lines.renderer().symbol().symbolLayerCount() == 2
    assert lines.renderer().symbol().symbolLayer(1).color().name() == "#d94801"
    nodes = layers["Nodes: classes"].renderer()
    assert isinstance(nodes, QgsRuleBasedRenderer)
    assert [rule.label() for rule in nodes.rootRule().children()] == ["Junction", "End", "Ring"]
    del lines, nodes
    layers.clear()


def test_relative_paths_lie_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    raster = write_crossing(tmp_path / "classes.tif")
    monkeypatch.chdir(tmp_path)
    run({"INPUT": raster, "OUTPUT": "roads.gpkg", "NODES": "nodes.gpkg"})
    assert (tmp_path / "roads.gpkg").is_file()
    assert (tmp_path / "nodes.gpkg").is_file()


def test_without_a_crs_lengths_are_pixels(tmp_path: Path, feedback: RecordingFeedback):
    raster = write_crossing(tmp_path / "classes.tif", epsg=None)
    result = run({"INPUT": raster, "OUTPUT": str(tmp_path / "roads.gpkg")}, feedback)
    assert result["LENGTH"] == pytest.approx(320, abs=3)
    assert "length_px" in features(result["OUTPUT"])[0]
    assert "pixels" in " ".join(feedback.texts("warning"))


def test_classes_and_barriers_of_another_model(tmp_path: Path, feedback: RecordingFeedback):
    raster = write_crossing(tmp_path / "classes.tif")
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "roads.gpkg"), "OTHER_CLASS": "3", "OTHER_BARRIERS": "land; 4"}
    assert run(values, feedback)["BRIDGED"] == 0
    assert json.loads(feedback.texts("command")[0])["barriers"] == ["land", "4"]
    feedback = RecordingFeedback()
    run({"INPUT": raster, "OUTPUT": str(tmp_path / "b.gpkg"), "BARRIERS": []}, feedback)
    assert json.loads(feedback.texts("command")[0])["barriers"] == []


def test_errors_tell_the_remedy_and_leave_nothing(tmp_path: Path):
    raster = write_crossing(tmp_path / "classes.tif")
    other = write_raster(tmp_path / "other.tif", np.ones((1, 9, 9), np.uint8))
    image = write_raster(tmp_path / "image.tif", np.ones((3, 9, 9), np.uint8))
    output = tmp_path / "roads.gpkg"
    for values, words in (
        ({"OTHER_CLASS": "Rail"}, "Rail"),
        ({"CONFIDENCE": other}, "same run"),
        ({"INPUT": image}, "not a classified raster"),
    ):
        with pytest.raises(QgsProcessingException, match=words):
            run({"INPUT": raster, "OUTPUT": str(output), **values})
    assert not output.exists()


def test_what_is_rarely_needed_is_advanced(algorithm: Callable[[str], Any]):
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    made = algorithm("extractroadnetwork")
    plain = [p.name() for p in made.parameterDefinitions() if not p.flags() & advanced]
    assert plain == ["INPUT", "CLASS", "CONFIDENCE", "MAX_GAP", "MIN_LENGTH", "MAX_WIDTH", "OUTPUT", "NODES"]
    assert [p.name() for p in made.destinationParameterDefinitions() if p.createByDefault()] == ["OUTPUT"]
