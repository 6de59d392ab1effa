"""Parameters, help, and what is refused before a run starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import qgis.utils
from qgis.core import QgsProcessingContext, QgsProcessingParameterDefinition, QgsSettings

from dubai_landcover_plugin.processing.band_choice import chosen_bands
from dubai_landcover_plugin.processing.parameters import stretch_limits
from dubai_landcover_plugin.processing.segment_request import chosen_model, segment_options
from dubai_landcover_plugin.protocol.errors import BandError, RequestError
from dubai_landcover_plugin.runner.settings import available_models

pytestmark = pytest.mark.qgis
NAMES = [
    "segmentlandcover",
    "segmentfolder",
    "polygonizelandcover",
    "exportclasspolygons",
    "regularizebuildings",
    "extractroadnetwork",
    "landcoverreport",
    "accuracysample",
    "accuracyassessment",
    "changebetweendates",
    "applycorrections",
    "recodeclasses",
    "reclassifyprobabilities",
    "modelfromsamples",
    "previewlandcover",
]
MAKE = Callable[[str], Any]


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_explained(algorithm: MAKE, name: str):
    made = algorithm(name)
    assert len(made.shortHelpString()) > 150
    assert made.shortDescription().endswith(".")
    assert made.displayName()
    assert made.group()
    assert made.groupId().islower()
    assert len(made.tags()) > 3
    assert made.helpUrl().startswith("file://")
    assert Path(made.svgIconPath()).is_file()
    for parameter in made.parameterDefinitions():
        assert len(parameter.help()) > 10, parameter.name()
        assert parameter.name().isupper()
    for output in made.outputDefinitions():
        assert output.description(), output.name()


@pytest.mark.parametrize("name", NAMES)
def test_an_instance_is_like_its_origin(algorithm: MAKE, name: str):
    first, second = algorithm(name), algorithm(name).create()
    assert type(first) is type(second)
    assert [p.name() for p in first.parameterDefinitions()] == [p.name() for p in second.parameterDefinitions()]


def test_what_is_rarely_needed_is_advanced(algorithm: MAKE):
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    made = algorithm("segmentlandcover")
    plain = [p.name() for p in made.parameterDefinitions() if not p.flags() & advanced]
    assert plain == [
        "INPUT", "MODEL", "EXTENT", "WITHIN",
        "OUTPUT", "POLYGONS", "BUILDINGS", "ROADS", "CONFIDENCE", "NOVELTY_RASTER", "PROBABILITIES", "REPORT",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_advanced_parameters_of_a_section_stand_together(algorithm: MAKE, name: str):
    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    made = algorithm(name)  # owns its parameters
    titles = [p.description() for p in made.parameterDefinitions() if p.flags() & advanced]
    sections = [title.split(": ")[0] if ": " in title else "" for title in titles]
    runs = [section for section, before in zip(sections, [None, *sections]) if section != before]
    assert len(runs) == len(set(runs)), titles


def test_choices_are_shown_in_words(algorithm: MAKE):
    made = algorithm("segmentlandcover")
    for name in ("MODEL", "DEVICE", "RUNTIME", "PRECISION", "ALPHA", "STRETCH"):
        parameter = made.parameterDefinition(name)
        words = parameter.metadata()["widget_wrapper"]["words"]
        assert len(set(words)) == len(parameter.options())
        assert words[0] != parameter.options()[0]


def test_the_dialog_proposes_raster_and_polygons(algorithm: MAKE):
    made = algorithm("segmentlandcover")
    proposed = [p.name() for p in made.destinationParameterDefinitions() if p.createByDefault()]
    assert proposed == ["OUTPUT", "POLYGONS"]


def test_can_execute_names_menu_and_command(algorithm: MAKE, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(qgis.utils, "iface", None)
    made = algorithm("segmentlandcover")
    assert made.canExecute() == (True, "")
    monkeypatch.delenv("DUBAI_LANDCOVER_PYTHON")
    possible, text = made.canExecute()
    assert not possible
    assert "Set up the engine" in text
    assert "make setup" not in text
    assert "DUBAI_LANDCOVER_PYTHON" in text
    QgsSettings().setValue("dubai_landcover/interpreter", "/gone/python")
    assert "/gone/python" in made.canExecute()[1]


def test_windows_of_qgis_have_a_link_to_the_set_up(
    algorithm: MAKE, context: QgsProcessingContext, raster: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("DUBAI_LANDCOVER_PYTHON")
    monkeypatch.setattr(qgis.utils, "iface", object())
    made = algorithm("segmentlandcover")
    text = refused(made, context, INPUT=raster)
    assert text == made.canExecute()[1]
    assert '<a href="landcover:setup">Set up now</a>' in text
    assert "DUBAI_LANDCOVER_PYTHON" not in text


@pytest.mark.parametrize("name", NAMES)
def test_help_has_no_tags_without_windows(algorithm: MAKE, name: str, monkeypatch: pytest.MonkeyPatch):
    made = algorithm(name)
    monkeypatch.setattr(qgis.utils, "iface", None)
    assert "<" not in made.shortHelpString()
    monkeypatch.setattr(qgis.utils, "iface", object())
    assert "<div" in made.shortHelpString()
    assert not made.hasHtmlOutputs()


def refused(made: Any, context: QgsProcessingContext, **values: Any) -> str:
    possible, text = made.checkParameterValues({"OUTPUT": "TEMPORARY_OUTPUT", **values}, context)
    assert not possible
    return text


def test_good_values_pass(algorithm: MAKE, context: QgsProcessingContext, raster: str, tmp_path: Path):
    made = algorithm("segmentlandcover")
    values = {"INPUT": raster, "OUTPUT": "TEMPORARY_OUTPUT", "BANDS": [1, 2, 3], "MODEL": "dubai"}
    assert made.checkParameterValues(values, context) == (True, "")
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "o.fgb")}
    assert made.checkParameterValues(values, context) == (True, "")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"MODEL": "venus"}, ["venus", "dubai"]),
        ({"MODEL_FILE": "/gone/model.safetensors"}, ["/gone/model.safetensors"]),
        ({"BANDS": [1, 2]}, ["3 bands", "2"]),
        ({"BANDS": [1, 2, 9]}, ["9", "3"]),
        ({"BANDS": "1;2;x"}, ["1;2;x", "semicolons"]),
        ({"RED": 3, "BLUE": 1}, ["green", "all three"]),
        ({"RED": 9, "GREEN": 2, "BLUE": 1}, ["9", "3"]),
        ({"WINDOW": 64, "OVERLAP": 40}, ["32", "40"]),
        ({"LIMITS": "0,3000;5"}, ["0,3000;5", "pair"]),
        ({"OUTPUT": "/tmp/result.png"}, ["result.png", ".tif"]),
        ({"POLYGONS": "/tmp/result.kml"}, ["result.kml", ".gpkg"]),
    ],
)
def test_bad_values_are_refused_with_the_reason(
    algorithm: MAKE, context: QgsProcessingContext, raster: str, values: dict, words: list[str]
):
    text = refused(algorithm("segmentlandcover"), context, INPUT=raster, **values)
    for word in words:
        assert word in text


def test_the_input_is_never_the_output(algorithm: MAKE, context: QgsProcessingContext, raster: str):
    assert raster in refused(algorithm("segmentlandcover"), context, INPUT=raster, OUTPUT=raster)
    assert raster in refused(algorithm("segmentlandcover"), context, INPUT=raster, CONFIDENCE=raster)
    assert raster in refused(algorithm("segmentlandcover"), context, INPUT=raster, NOVELTY_RASTER=raster)


def test_novelty_needs_a_model_with_ground_samples(
    algorithm: MAKE, context: QgsProcessingContext, raster: str, tmp_path: Path
):
    made, older = algorithm("segmentlandcover"), tmp_path / "older.safetensors"
    older.write_bytes(available_models()["dubai"].read_bytes().replace(b"landcover:ground", b"landcover:unread"))
    values = {"INPUT": raster, "MODEL_FILE": str(older), "NOVELTY_RASTER": "TEMPORARY_OUTPUT"}
    assert "no samples of its training images" in refused(made, context, **values)
    given = {**values, "OUTPUT": "TEMPORARY_OUTPUT"}
    assert made.checkParameterValues({**given, "NOVELTY_RASTER": None}, context) == (True, "")
    assert made.checkParameterValues({**given, "MODEL_FILE": None}, context) == (True, "")


def test_a_missing_layer_is_named(algorithm: MAKE, context: QgsProcessingContext):
    assert "/gone.tif" in refused(algorithm("segmentlandcover"), context, INPUT="/gone.tif")


def test_segment_folder_refuses_what_is_no_folder(algorithm: MAKE, context: QgsProcessingContext, tmp_path: Path):
    made = algorithm("segmentfolder")
    values = {"OUTPUT_FOLDER": "TEMPORARY_OUTPUT"}
    assert "/gone" in refused(made, context, INPUT_FOLDER="/gone", **values)
    assert "pattern" in refused(made, context, INPUT_FOLDER=str(tmp_path), PATTERN=" ; ", **values)
    assert made.checkParameterValues({"INPUT_FOLDER": str(tmp_path), **values}, context) == (True, "")


def test_export_wants_a_class(algorithm: MAKE, context: QgsProcessingContext, raster: str):
    made = algorithm("exportclasspolygons")
    values = {"INPUT": raster, "OUTPUT_FOLDER": "TEMPORARY_OUTPUT"}
    assert "CLASSES" in refused(made, context, CLASSES=[], **values)
    assert made.checkParameterValues({"CLASSES": ["Water"], **values}, context) == (True, "")


def test_values_become_the_engines_options(algorithm: MAKE, context: QgsProcessingContext):
    made = algorithm("segmentlandcover")
    values = {
        "BANDS": [3, 2, 1], "MIN_CONFIDENCE": 0.4, "WINDOW": 128, "OVERLAP": 0, "BATCH": 3, "MEMORY": 900,
        "DEVICE": "cpu", "RUNTIME": "torch", "PRECISION": "float32", "TTA": True, "MATCH_GSD": False, "GSD": 0.5,
        "NODATA": 0, "STRETCH": "none", "LIMITS": "0,10;0,20;5,30", "PIXEL_SPACE": True, "COG": True, "KEEP": True,
        "MIN_AREA": 7, "SIMPLIFY": 0,
    }  # fmt: skip
    options = segment_options(made, values, context, "EPSG:32640")
    assert options.bands == (3, 2, 1)
    assert (options.window, options.overlap, options.batch, options.memory) == (128, 0, 3, 900)
    assert (options.device, options.runtime, options.precision) == ("cpu", "torch", "float32")
    assert options.gsd_mode == "never"
    assert (options.gsd, options.nodata, options.stretch, options.crs) == (0.5, 0, "none", "EPSG:32640")
    assert options.limits == ((0, 10), (0, 20), (5, 30))
    assert (options.min_confidence, options.min_area, options.simplify) == (0.4, 7, 0)
    assert options.pixel_space
    assert options.tta
    assert options.overwrite
    assert options.cog
    assert options.keep


@pytest.mark.parametrize(
    "values",
    [
        {"BANDS": [3, 2, 1]},
        {"BANDS": ["3", "2", "1"]},
        {"BANDS": "3;2;1"},
        {"BANDS": "3, 2 1"},
        {"RED": 3, "GREEN": 2, "BLUE": 1},
        {"RED": 1, "GREEN": 1, "BLUE": 1, "BANDS": "3;2;1"},
    ],
)
def test_bands_keep_their_order(algorithm: MAKE, context: QgsProcessingContext, values: dict):
    assert segment_options(algorithm("segmentlandcover"), values, context).bands == (3, 2, 1)


def test_one_band_and_models_of_other_bands(algorithm: MAKE, context: QgsProcessingContext):
    made = algorithm("segmentlandcover")
    assert chosen_bands(made, {"BANDS": 4}, context, ["nir"]) == (4,)
    assert chosen_bands(made, {"RED": 1, "GREEN": 2, "BLUE": 3}, context, ["blue", "green", "red"]) == (3, 2, 1)
    with pytest.raises(BandError, match="reads 4 bands"):
        chosen_bands(made, {"RED": 1, "GREEN": 2, "BLUE": 3}, context, ["red", "green", "blue", "nir"])


def test_nothing_given_leaves_the_choice_to_the_engine(algorithm: MAKE, context: QgsProcessingContext):
    for name in ("segmentlandcover", "segmentfolder"):
        options = segment_options(algorithm(name), {}, context)
        assert options.bands is None
        assert (
            options.window is options.overlap is options.batch is options.gsd is options.nodata is options.crs is None
        )
        assert options.limits is None
        assert (options.tta, options.cog, options.keep) == (False, False, False)
        assert options.gsd_mode == options.device == options.runtime == options.precision == options.stretch == "auto"
        assert Path(options.model).stem == "world"


def test_a_model_file_wins(algorithm: MAKE, context: QgsProcessingContext, tmp_path: Path):
    made = algorithm("segmentlandcover")
    path = chosen_model(made, {"MODEL": "dubai", "MODEL_FILE": str(tmp_path / "own.safetensors")}, context)
    assert path == tmp_path / "own.safetensors"


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b", "5,5", "9,1", "0,1;;0,1"])
def test_stretch_limits_are_pairs(text: str):
    with pytest.raises(RequestError, match="pair"):
        stretch_limits(text)
