"""Names that models and scripts of users rely on, and parameters that come from the options of requests."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
)

from dubai_landcover_plugin.processing.algorithm import AlgorithmInfo, LandCoverAlgorithm
from dubai_landcover_plugin.processing.parameters import NONE, add_inputs, add_outputs, option_values
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests import (
    AccuracyRequest,
    AccuracySampleRequest,
    BuildingsRequest,
    ChangeRequest,
    CheckLabelsRequest,
    ClassFilesRequest,
    CorrectionsRequest,
    EvaluateRequest,
    ExportRequest,
    FolderRequest,
    LabelLayerRequest,
    PolygonizeRequest,
    PreviewRequest,
    ReclassifyRequest,
    RecodeRequest,
    ReportRequest,
    Request,
    RoadsRequest,
    SampleDataRequest,
    SegmentationRequest,
    TeachRequest,
    TrainRequest,
    labelling,
    preview,
    teaching,
)
from dubai_landcover_plugin.protocol.requests.options import option

pytestmark = pytest.mark.qgis
STORED = json.loads((Path(__file__).parent / "algorithms.json").read_text(encoding="utf-8"))
"""By id: title, group, and for each parameter its type, whether it is optional and advanced, and its default."""
REQUESTS = {
    "segmentlandcover": SegmentationRequest,
    "segmentfolder": FolderRequest,
    "polygonizelandcover": PolygonizeRequest,
    "exportclasspolygons": ClassFilesRequest,
    "regularizebuildings": BuildingsRequest,
    "extractroadnetwork": RoadsRequest,
    "landcoverreport": ReportRequest,
    "accuracysample": AccuracySampleRequest,
    "accuracyassessment": AccuracyRequest,
    "changebetweendates": ChangeRequest,
    "applycorrections": CorrectionsRequest,
    "recodeclasses": RecodeRequest,
    "reclassifyprobabilities": ReclassifyRequest,
    "modelfromsamples": TeachRequest,
    "previewlandcover": PreviewRequest,
    "createlabellayer": LabelLayerRequest,
    "checklabels": CheckLabelsRequest,
    "trainmodel": TrainRequest,
    "evaluatemodel": EvaluateRequest,
    "exportmodel": ExportRequest,
    "sampledata": SampleDataRequest,
}
WITHOUT_PARAMETER = {
    ("segmentfolder", "bands"),
    ("evaluatemodel", "bands"),
    *(("modelfromsamples", name) for name in teaching.UNUSED_OPTIONS),
    *(("previewlandcover", name) for name in preview.UNUSED_OPTIONS),
    *(("createlabellayer", name) for name in labelling.UNUSED_OPTIONS),
}
FLAGS = QgsProcessingParameterDefinition.Flag
MAKE = Callable[[str], Any]


def facts(parameter: Any) -> list[Any]:
    optional = "optional" if parameter.flags() & FLAGS.FlagOptional else "required"
    advanced = "advanced" if parameter.flags() & FLAGS.FlagAdvanced else "plain"
    return [parameter.type(), optional, advanced, parameter.defaultValue()]


@pytest.mark.parametrize("name", STORED)
def test_names_groups_and_parameters_stay_as_they_are(algorithm: MAKE, name: str):
    made, stored = algorithm(name), STORED[name]
    assert [made.displayName(), made.group(), made.groupId()] == [stored["title"], stored["group"], stored["group_id"]]
    found = {parameter.name(): facts(parameter) for parameter in made.parameterDefinitions()}
    assert {key: found.get(key) for key in stored["parameters"]} == stored["parameters"]
    outputs = {output.name(): output.type() for output in made.outputDefinitions()}
    assert {key: outputs.get(key) for key in stored["outputs"]} == stored["outputs"]


@pytest.mark.parametrize("name", REQUESTS)
def test_every_option_has_a_parameter_with_its_help_and_range(algorithm: MAKE, name: str):
    made = algorithm(name)
    for item in REQUESTS[name].described():
        if item.key is None or (name, item.name) in WITHOUT_PARAMETER:
            continue
        parameter = made.parameterDefinition(item.key)
        assert parameter is not None, item.name
        if parameter.type() == "number":
            assert item.option.help in parameter.help()
            assert parameter.description() == item.option.label()
            assert item.option.low is None or parameter.minimum() >= item.option.low
            assert item.option.high is None or parameter.maximum() == item.option.high


@dataclass(frozen=True)
class ExampleRequest(Request):
    """One option of each kind."""

    source: str = option(title="Source", help="A raster.", reads="raster")
    target: str = option(title="Target", help="A table.", writes="table")
    count: int | None = option(None, low=2, high=9, unit="px", title="Count", help="How many.")
    share: float = option(0.5, low=0, exclusive=True, advanced=True, title="Share", help="How much.")
    fast: bool = option(True, title="Fast", help="Be fast.", key="QUICK")
    mode: str = option("never", choices=("auto", "never"), checkbox=("never", "auto"), title="Mode", help="Mode.")
    suffix: str | None = option(None, choices=(".gpkg", ".shp"), title="Format", help="Format.")
    names: tuple[str, ...] = option((), title="Names", help="Names.")
    table: dict[str, float] = option(factory=dict, title="Table", help="Numbers.")
    text: str | None = option(None, title="Text", help="Text.")
    hidden: bool = option(False, key=None, title="Hidden", help="Not in dialogs.")


class Example(LandCoverAlgorithm):
    """An algorithm with the options of the request and nothing else."""

    INFO = AlgorithmInfo("example", "Example", "Group", "a,b", "Summary.", "Help.", page="example.md")

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:  # noqa: N802
        add_inputs(self, ExampleRequest)
        add_outputs(self, ExampleRequest)

    def canExecute(self) -> tuple[bool, str]:  # noqa: N802
        return True, ""


class Failing(Example):
    INFO = AlgorithmInfo("failing", "Failing", "Group", "a,b", "Summary.", "Help.")
    error: Exception = KeyError("class")

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        raise self.error

    def processAlgorithm(  # noqa: N802
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RequestError("Too few.", "Give more."), "Too few. Give more."),
        (MemoryError(), "There is not enough memory."),
        (KeyError("class"), "Unexpected error: KeyError: 'class'. Please report it with the log "),
        (QgsProcessingException("of QGIS"), "of QGIS"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_exception_of_a_run_becomes_one_sentence(
    qgis_app: object, context: QgsProcessingContext, error: Exception, text: str, monkeypatch, tmp_path: Path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    failing = Failing()
    failing.initAlgorithm()
    failing.error = error
    with pytest.raises(QgsProcessingException) as caught:
        failing.processAlgorithm({}, context, QgsProcessingFeedback())
    assert text in str(caught.value)
    is_good, message = failing.checkParameterValues({}, context)
    assert not is_good
    assert text in message
    assert "Traceback" not in message


@pytest.fixture
def example(qgis_app: object) -> Example:
    made = Example()
    made.initAlgorithm()
    return made


def test_a_parameter_follows_from_its_option(example: Example):
    names = [parameter.name() for parameter in example.parameterDefinitions()]
    assert names == ["SOURCE", "COUNT", "QUICK", "MODE", "SUFFIX", "NAMES", "TABLE", "TEXT", "SHARE", "TARGET"]
    count, share = example.parameterDefinition("COUNT"), example.parameterDefinition("SHARE")
    assert (count.minimum(), count.maximum(), count.description()) == (2, 9, "Count (px)")
    assert count.dataType() == QgsProcessingParameterNumber.Type.Integer
    assert share.minimum() > 0
    assert facts(share) == ["number", "required", "advanced", 0.5]
    assert example.parameterDefinition("SUFFIX").options() == [NONE, "gpkg", "shp"]
    assert example.parameterDefinition("MODE").type() == "boolean"
    assert (example.name(), example.groupId(), example.tags()) == ("example", "group", ["a", "b"])
    assert example.helpUrl().endswith("/docs/example.md")  # of no built page


def test_values_follow_from_parameters(example: Example, context: QgsProcessingContext):
    given = {"COUNT": 3, "QUICK": False, "MODE": True, "SUFFIX": "shp", "NAMES": "a; b", "TABLE": "x=0.5", "TEXT": "t"}
    assert option_values(example, ExampleRequest, given, context) == {
        "count": 3, "share": 0.5, "fast": False, "mode": "auto", "suffix": ".shp", "names": ("a", "b"),
        "table": {"x": 0.5}, "text": "t",
    }  # fmt: skip
    assert option_values(example, ExampleRequest, {}, context) == {
        "count": None, "share": 0.5, "fast": True, "mode": "never", "suffix": None, "names": (), "table": {},
        "text": None,
    }  # fmt: skip
    with pytest.raises(RequestError, match="not a class with a number"):
        option_values(example, ExampleRequest, {"TABLE": "x"}, context)


@pytest.mark.parametrize("word", ["classify", "machine learning", "ai", "cnn", "lulc", "orthophoto", "imagery", "roof"])
def test_the_toolbox_finds_segment_land_cover_by_words_of_users(algorithm: MAKE, word: str):
    assert word in algorithm("segmentlandcover").tags()
