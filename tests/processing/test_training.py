"""The algorithms of the group Models with the real engine, on tiny data."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
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
    QgsProcessingModelParameter,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterVectorLayer,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
    edit,
)

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.runner.settings import profile_model_folder
from tests.processing.conftest import BUILD
from tests.processing.qgis_fixtures import RecordingFeedback, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]


def run(name: str, values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(f"dubailandcover:{name}", values, feedback=feedback or RecordingFeedback())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where the sample of a synthetic town is; a test makes it."""
    folder = tmp_path_factory.mktemp("sample")
    return {"OUTPUT": str(folder / "town.tif"), "LABELS": str(folder / "labels.gpkg")}


@pytest.fixture
def town(sample: dict[str, str], provider: Any) -> dict[str, Any]:
    """Parameters of labelled data: a town of 256 px with two labelled places of 96 px."""
    if not os.path.exists(sample["OUTPUT"]):
        run("sampledata", {**sample, "SIZE": 256, "COUNT": 2, "PLACE": 96})
    return {"RASTERS": [sample["OUTPUT"]], "LABELS": sample["LABELS"]}


def test_sample_data_load_with_the_form_of_labels(sample: dict[str, str]):
    processing.runAndLoadResults("dubailandcover:sampledata", {**sample, "SIZE": 256, "COUNT": 2, "PLACE": 96})
    layer = next(one for one in QgsProject.instance().mapLayers().values() if isinstance(one, QgsVectorLayer))
    assert layer.name() == "Labels of the sample"
    tree = [node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()]
    assert tree == ["Labels of the sample", "Sample town"]  # labels above the image
    assert layer.featureCount() > 10
    assert layer.editorWidgetSetup(layer.fields().indexOf("class")).type() == "ValueMap"
    assert '"class"' in layer.mapTipTemplate()
    del layer


def test_a_label_layer_is_drawn_on_and_checked(town: dict[str, Any], tmp_path: Path, feedback: RecordingFeedback):
    values = {
        "INPUT": town["RASTERS"][0], "OUTPUT": str(tmp_path / "own.gpkg"), "PLACES": str(tmp_path / "places.gpkg"),
        "SAMPLING": "spread", "COUNT": 2, "SIZE": 96, "NEW_CLASSES": "Pool=#40A0E0",
    }  # fmt: skip
    result = run("createlabellayer", values)
    assert result["COUNT_PLACES"] == 2
    places = QgsVectorLayer(result["PLACES"], "places", "ogr")
    layer = QgsVectorLayer(result["OUTPUT"], "labels", "ogr")
    assert layer.featureCount() == 0
    choices = [
        name for entry in layer.editorWidgetSetup(layer.fields().indexOf("class")).config()["map"] for name in entry
    ]
    assert choices == [*(entry.name for entry in DUBAI.classes), "Pool"]
    names = iter(("Road", "Pool"))
    with edit(layer):
        for place in places.getFeatures():
            feature = type(place)(layer.fields())
            feature.setGeometry(place.geometry())
            feature["class"] = next(names)
            layer.addFeature(feature)
    checked = run(
        "checklabels",
        {"RASTERS": town["RASTERS"], "LABELS": layer, "NEW_CLASSES": "Pool", "REPORT": str(tmp_path / "c.html")},
        feedback,
    )
    assert checked["USABLE"]
    assert json.loads(checked["PIXELS"])["Pool"] == 96 * 96
    assert (checked["ERRORS"], checked["LABEL_COUNT"]) == (0, 2)
    assert any("Only 2 labels" in text for text in feedback.texts("info"))
    assert "Images and labels" in Path(checked["REPORT"]).read_text(encoding="utf-8")
    unknown = run("checklabels", {"RASTERS": town["RASTERS"], "LABELS": layer}, feedback)
    assert not unknown["USABLE"]
    assert any("'Pool' in 'class' is not a class" in text for text in feedback.texts("warning"))
    del places, layer


def test_a_model_is_evaluated(town: dict[str, Any], tmp_path: Path, feedback: RecordingFeedback):
    result = run("evaluatemodel", {**town, "MODEL": "dubai", "TABLE": str(tmp_path / "t.csv")}, feedback)
    assert 0 < result["MIOU"] < 1
    counts = json.loads(result["CONFUSION"])["counts"]
    assert sum(map(sum, counts)) == 2 * 96 * 96
    assert (tmp_path / "t.csv").read_text(encoding="utf-8").startswith("class,iou,")
    assert any(text.startswith("Accuracy ") for text in feedback.texts("info"))


def test_a_model_is_exported(tmp_path: Path):
    result = run("exportmodel", {"MODEL": "dubai", "FORMATS": ["stac"], "OUTPUT": str(tmp_path / "out")})
    assert [Path(file).name for file in json.loads(result["FILES"])] == ["dubai.json"]


def test_a_training_is_estimated_and_its_model_belongs_to_the_profile(
    town: dict[str, Any], algorithm: Callable[[str], Any], feedback: RecordingFeedback
):
    made = algorithm("trainmodel")
    default = made.parameterDefinition("OUTPUT").defaultValue()
    assert Path(default).parent == profile_model_folder()
    result = run("trainmodel", {**town, "START": "dubai", "OUTPUT": default, "ESTIMATE": True}, feedback)
    assert "OUTPUT" not in result
    assert result["ESTIMATED"] > 0
    assert any(text.startswith("This will take") for text in feedback.texts("info"))
    assert not Path(default).exists()


def check(algorithm: Callable[[str], Any], values: dict[str, Any]) -> str:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    given = {"OUTPUT": "/tmp/own-model.safetensors", "START": "dubai", **values}
    fine, message = algorithm("trainmodel").checkParameterValues(given, context)
    assert not fine
    return message


def test_what_cannot_be_trained_is_refused_before_it_starts(
    town: dict[str, Any], algorithm: Callable[[str], Any], tmp_path: Path
):
    assert "no rasters" in check(algorithm, {"LABELS": town["LABELS"]})
    assert "No labels are given" in check(algorithm, {"RASTERS": town["RASTERS"]})
    bare = write_raster(tmp_path / "bare.tif", np.zeros((3, 32, 32), np.uint8), epsg=None)
    assert "has no CRS" in check(algorithm, {**town, "RASTERS": [bare]})
    assert "is not installed" in check(algorithm, {**town, "START": "none-such"})
    layer = QgsVectorLayer(town["LABELS"], "labels", "ogr")
    QgsProject.instance().addMapLayer(layer)
    layer.startEditing()
    layer.deleteFeature(next(layer.getFeatures()).id())
    assert "has edits that are not saved" in check(algorithm, {**town, "LABELS": layer.id()})
    layer.rollBack()
    shipped = str(BUILD / "dubai_landcover_plugin" / "resources" / "models" / "dubai.safetensors")
    assert "The model dubai is installed" in check(algorithm, {**town, "OUTPUT": shipped})
    del layer


def test_an_engine_without_training_says_how_to_get_it(town: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    from dubai_landcover_plugin.runner import run as runner

    plain = runner.worker_command
    blocked = "import sys; sys.modules['lightning_fabric'] = None; "

    def without(python: str) -> list[str]:
        command = plain(python)
        return [blocked + part if part.startswith("import sys;") else part for part in command]

    monkeypatch.setattr(runner, "worker_command", without)
    with pytest.raises(QgsProcessingException, match=r"needs the package lightning_fabric.*Set up the engine with"):
        run("trainmodel", {**town, "START": "dubai", "OUTPUT": "/tmp/own-model.safetensors", "ESTIMATE": True})


def test_a_model_of_the_modeler_checks_labels(town: dict[str, Any], tmp_path: Path):
    model = QgsProcessingModelAlgorithm("check")
    model.addModelParameter(QgsProcessingParameterMultipleLayers("r", "r"), QgsProcessingModelParameter("r"))
    model.addModelParameter(QgsProcessingParameterVectorLayer("l", "l"), QgsProcessingModelParameter("l"))
    child = QgsProcessingModelChildAlgorithm("dubailandcover:checklabels")
    for key, name in (("RASTERS", "r"), ("LABELS", "l")):
        child.addParameterSources(key, [QgsProcessingModelChildParameterSource.fromModelParameter(name)])
    report = tmp_path / "check.html"
    child.addParameterSources("REPORT", [QgsProcessingModelChildParameterSource.fromStaticValue(str(report))])
    model.addChildAlgorithm(child)
    rasters = [QgsRasterLayer(path, "town") for path in town["RASTERS"]]
    processing.run(model, {"r": rasters, "l": town["LABELS"]}, feedback=RecordingFeedback())
    assert "Images and labels" in report.read_text(encoding="utf-8")
    del rasters


def test_qgis_process_trains_from_a_folder(sample: dict[str, str], town: dict[str, Any], tmp_path: Path, engine: str):
    program = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    if program is None:
        pytest.skip("needs qgis_process")
    folder = tmp_path / "rasters"
    folder.mkdir()
    shutil.copy(sample["OUTPUT"], folder)
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
        "QT_QPA_PLATFORM": "offscreen", "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "profile"),
        "QGIS_PLUGINPATH": str(BUILD), "DUBAI_LANDCOVER_PYTHON": engine,
    }  # fmt: skip

    def call(*arguments: str) -> str:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout

    call("plugins", "enable", "dubai_landcover_plugin")
    said = call(
        "run", "dubailandcover:trainmodel", "--", f"FOLDER={folder}", f"LABELS={sample['LABELS']}", "START=dubai",
        f"OUTPUT={tmp_path / 'own-model.safetensors'}", "ESTIMATE=1",
    )  # fmt: skip
    assert "This will take" in said
    assert "ESTIMATED:" in said
