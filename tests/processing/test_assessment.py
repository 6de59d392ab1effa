"""Draw Accuracy Sample and Accuracy Assessment with the real engine, labelled as people do it in QGIS."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import processing
import pytest
from qgis.core import (
    NULL,
    QgsCategorizedSymbolRenderer,
    QgsFeatureRequest,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProject,
    QgsVectorLayer,
    edit,
)

from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_classes, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
SMALL = {"SIZE": 90, "MIN_PER_CLASS": 20}


def run(name: str, values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(f"dubailandcover:{name}", values, feedback=feedback or RecordingFeedback())


@pytest.fixture
def classes(tmp_path: Path) -> str:
    return write_classes(tmp_path / "classes.tif")


def drawn(classes: str, path: Path, **values: Any) -> QgsVectorLayer:
    """Draw points of a map and open them."""
    result = run("accuracysample", {"INPUT": classes, "OUTPUT": str(path), **SMALL, **values})
    layer = QgsVectorLayer(result["OUTPUT"], "points", "ogr")
    assert layer.isValid()
    assert layer.featureCount() == result["COUNT"]
    return layer


def label(layer: QgsVectorLayer, wrong: int = 0) -> None:
    """Choose the class of the map for each point, but Water for the first few, and save."""
    with edit(layer):
        for number, feature in enumerate(layer.getFeatures(QgsFeatureRequest().addOrderBy("point_id"))):
            feature["reference"] = "Water" if number < wrong else feature["map_class"]
            layer.updateFeature(feature)


def test_points_come_with_a_form_to_label_them(classes: str, tmp_path: Path, feedback: RecordingFeedback):
    values = {"INPUT": classes, "OUTPUT": str(tmp_path / "p.gpkg"), **SMALL, "EXPECTED": "road=0.6; 4=0.7"}
    result = run("accuracysample", values, feedback)
    assert json.loads(result["POINTS"]) == {"Land": 50, "Road": 20, "Building": 20}
    assert result["COUNT"] == 90
    layer = QgsVectorLayer(result["OUTPUT"], "points", "ogr")
    assert layer.crs().authid() == "EPSG:32640"
    widget = layer.editorWidgetSetup(layer.fields().indexOf("reference"))
    assert widget.type() == "ValueMap"
    choices = {name: value for entry in widget.config()["map"] for name, value in entry.items()}
    assert [choices[entry.name] for entry in DUBAI.classes] == [entry.name for entry in DUBAI.classes]
    assert choices["Unlabeled (cannot tell)"] == "Unlabeled"
    shown = [element.name() for element in layer.editFormConfig().invisibleRootContainer().children()]
    assert shown == ["point_id", "reference"]
    assert layer.attributeAlias(layer.fields().indexOf("reference")) == "Class on the ground"
    assert layer.editFormConfig().readOnly(layer.fields().indexOf("map_class"))
    assert not layer.editFormConfig().readOnly(layer.fields().indexOf("reference"))
    assert {feature["reference"] for feature in layer.getFeatures()} == {NULL}
    renderer = layer.renderer()
    assert isinstance(renderer, QgsCategorizedSymbolRenderer)
    assert [c.label() for c in renderer.categories()] == ["not labelled yet", *(c.name for c in DUBAI.entries)]
    assert renderer.categories()[4].symbol().color().name().upper() == DUBAI.by_name("Building").colour
    assert json.loads(feedback.texts("command")[0])["expected"] == {"4": 0.7, "road": 0.6}
    assert any("Building: 20 points" in text for text in feedback.texts("info"))
    del renderer, layer


def test_points_load_named_and_styled(classes: str):
    values = {"INPUT": classes, "OUTPUT": "TEMPORARY_OUTPUT", **SMALL}
    processing.runAndLoadResults("dubailandcover:accuracysample", values)
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.name() == "Points to label: classes"
    assert layer.renderer().classAttribute() == "reference"
    assert layer.editorWidgetSetup(layer.fields().indexOf("reference")).type() == "ValueMap"
    del layer


def test_labelled_points_give_page_table_and_figures(classes: str, tmp_path: Path, feedback: RecordingFeedback):
    layer = drawn(classes, tmp_path / "p.gpkg")
    label(layer, wrong=9)
    values = {
        "INPUT": classes, "REFERENCE": str(tmp_path / "p.gpkg"), "REPORT": str(tmp_path / "r.html"),
        "TABLE": str(tmp_path / "t.csv"),
    }  # fmt: skip
    result = run("accuracyassessment", values, feedback)
    assert result["COUNT"] == 90
    assert 0.8 < result["OVERALL_ACCURACY"] < 0.97
    assert 0 < result["OVERALL_MARGIN"] < 0.1
    areas = json.loads(result["AREAS"])
    assert sum(area["value"] for area in areas.values()) == pytest.approx(2400, rel=2e-3)
    assert json.loads(result["PRODUCERS_ACCURACY"])["Land"]["value"] == 1
    assert sum(map(sum, json.loads(result["CONFUSION"])["counts"])) == 90
    assert "Accuracy assessment" in Path(result["REPORT"]).read_text(encoding="utf-8")
    with open(result["TABLE"], encoding="utf-8", newline="") as stream:
        assert [row["class"] for row in csv.DictReader(stream)][-1] == "All"
    assert any(text.startswith("Overall accuracy: ") and "±" in text for text in feedback.texts("info"))
    del layer


def test_edits_must_be_saved_first(classes: str, tmp_path: Path, algorithm: Callable, context: QgsProcessingContext):
    layer = drawn(classes, tmp_path / "p.gpkg")
    QgsProject.instance().addMapLayer(layer)
    layer.startEditing()
    feature = next(layer.getFeatures())
    layer.changeAttributeValue(feature.id(), layer.fields().indexOf("reference"), "Land")
    made = algorithm("accuracyassessment")
    selected = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    for value in (layer, layer.id(), selected):
        possible, text = made.checkParameterValues({"INPUT": classes, "REFERENCE": value}, context)
        assert not possible
        assert "not saved" in text
    layer.rollBack()
    possible, text = made.checkParameterValues({"INPUT": classes, "REFERENCE": layer}, context)
    assert possible, text
    del layer


def test_layers_in_memory_and_selections(classes: str, tmp_path: Path):
    layer = drawn(classes, tmp_path / "p.gpkg")
    label(layer)
    memory = layer.materialize(QgsFeatureRequest())
    QgsProject.instance().addMapLayer(memory)
    assert run("accuracyassessment", {"INPUT": classes, "REFERENCE": memory})["COUNT"] == 90
    memory.selectByExpression("\"map_class\" = 'Road'")
    some = QgsProcessingFeatureSourceDefinition(memory.id(), True)
    assert run("accuracyassessment", {"INPUT": classes, "REFERENCE": some})["COUNT"] == 20
    del layer, memory


def test_polygons_and_rasters_as_reference(classes: str, tmp_path: Path, feedback: RecordingFeedback):
    polygons = run("exportclasspolygons", {"INPUT": classes, "OUTPUT_FOLDER": str(tmp_path / "v"), "SIMPLIFY": 0})
    values = {"INPUT": classes, "REFERENCE": polygons["BUILDING"], "FIELD": "class"}
    result = run("accuracyassessment", values, feedback)
    assert (result["OVERALL_ACCURACY"], result["COUNT"]) == (1, 200)
    assert any("intervals are unreliable" in text for text in feedback.texts("warning"))
    result = run("accuracyassessment", {"INPUT": classes, "REFERENCE_RASTER": classes})
    assert (result["OVERALL_ACCURACY"], result["COUNT"]) == (1, 2400)
    assert "OVERALL_MARGIN" not in result


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "0 references"),
        ({"REFERENCE": "points", "REFERENCE_RASTER": "classes"}, "2 references"),
    ],
)
def test_one_reference_is_needed(
    classes: str, tmp_path: Path, algorithm: Callable, context: QgsProcessingContext, values: dict, words: str
):
    paths = {"points": str(tmp_path / "p.gpkg"), "classes": classes}
    given = {key: paths[value] for key, value in values.items()}
    possible, text = algorithm("accuracyassessment").checkParameterValues({"INPUT": classes, **given}, context)
    assert not possible
    assert words in text


def test_what_cannot_be_drawn_is_refused(classes: str, tmp_path: Path, algorithm: Callable, context: Any):
    unlabelled = drawn(classes, tmp_path / "q.gpkg").source()
    values = {"INPUT": classes, "OUTPUT": str(tmp_path / "p.gpkg"), "EXPECTED": "Road: 0.6"}
    possible, text = algorithm("accuracysample").checkParameterValues(values, context)
    assert not possible
    assert "Building=0.7" in text
    with pytest.raises(QgsProcessingException, match="not a classified raster"):
        run("accuracysample", {"INPUT": write_raster(tmp_path / "rgb.tif", town()), "OUTPUT": str(tmp_path / "p.gpkg")})
    with pytest.raises(QgsProcessingException, match="Label the points"):
        run("accuracyassessment", {"INPUT": classes, "REFERENCE": unlabelled})
    assert not [name for name in os.listdir(tmp_path) if name.startswith((".", "p."))]


def test_both_in_a_model(classes: str, context: QgsProcessingContext, tmp_path: Path):
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("sample", "tests")
    model.addModelParameter(QgsProcessingParameterRasterLayer("map", "map"), QgsProcessingModelParameter("map"))
    sample = QgsProcessingModelChildAlgorithm("dubailandcover:accuracysample")
    sample.setChildId("sample")
    sample.addParameterSources("INPUT", [source.fromModelParameter("map")])
    sample.addParameterSources("SIZE", [source.fromStaticValue(60)])
    sample.addParameterSources("MIN_PER_CLASS", [source.fromStaticValue(10)])
    model.addChildAlgorithm(sample)
    assess = QgsProcessingModelChildAlgorithm("dubailandcover:accuracyassessment")
    assess.setChildId("assess")
    assess.addParameterSources("INPUT", [source.fromModelParameter("map")])
    assess.addParameterSources("REFERENCE", [source.fromChildOutput("sample", "OUTPUT")])
    assess.addParameterSources("FIELD", [source.fromStaticValue("map_class")])
    table = QgsProcessingModelOutput("table", "table")
    table.setChildId("assess")
    table.setChildOutputName("TABLE")
    assess.setModelOutputs({"table": table})
    model.addChildAlgorithm(assess)
    model.initAlgorithm()
    (written,) = (parameter.name() for parameter in model.destinationParameterDefinitions())  # QGIS chooses the name
    values = {"map": classes, written: str(tmp_path / "t.csv")}
    result, done = model.run(values, context, RecordingFeedback())
    assert done
    assert Path(result[written]).read_text(encoding="utf-8").startswith("class,id,")
