"""Change Between Dates in QGIS, with the real engine."""

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
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)

from tests.processing.qgis_fixtures import RecordingFeedback, town, write_class_map, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
ALGORITHM = "dubailandcover:changebetweendates"


def write_map(path: Path, houses: int, **place: Any) -> str:
    """Write a classified raster of 80 × 60 px: land, a road and some houses of 100 px in a row."""
    classes = np.full((60, 80), 2, np.uint8)
    classes[25:30] = 3
    for house in range(houses):
        classes[8:18, 5 + 15 * house : 15 + 15 * house] = 4
    return write_class_map(path, classes, **place)


@pytest.fixture
def dates(tmp_path: Path) -> dict[str, str]:
    """The two rasters of a town that grew by two houses, one of which stood before."""
    return {"EARLIER": write_map(tmp_path / "y2015.tif", 1), "LATER": write_map(tmp_path / "y2023.tif", 3)}


def run(values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(ALGORITHM, values, feedback=feedback or RecordingFeedback())


def test_every_output_is_there(dates: dict[str, str], tmp_path: Path, values_of: Callable[[str], np.ndarray]):
    names = {"OUTPUT": "o.tif", "POLYGONS": "o.gpkg", "CSV": "o.csv", "REPORT": "o.html"}
    paths = {key: str(tmp_path / name) for key, name in names.items()}
    feedback = RecordingFeedback()
    result = run({**dates, **paths}, feedback)
    assert {key: result[key] for key in paths} == paths
    codes = values_of(paths["OUTPUT"])
    assert {int(code): int((codes == code).sum()) for code in np.unique(codes)} == {22: 4100, 24: 200, 33: 400, 44: 100}
    assert result["CHANGED"] == pytest.approx(200, rel=2e-3)
    assert result["UNCERTAIN"] == 0
    assert json.loads(result["AREAS"])["Land → Building"] == pytest.approx(200, rel=2e-3)
    assert json.loads(result["CLASSES"])["Building"]["gain"] == pytest.approx(200, rel=2e-3)
    json.loads(result["SHIFT"])
    layer = QgsVectorLayer(paths["POLYGONS"], "changes", "ogr")
    assert sorted((f["from_class"], f["to_class"], f["pixels"]) for f in layer.getFeatures()) == [
        ("Land", "Building", 100),
        ("Land", "Building", 100),
    ]
    with open(paths["CSV"], encoding="utf-8", newline="") as stream:
        assert sum(int(row["pixels"]) for row in csv.DictReader(stream)) == codes.size
    assert "Change matrix" in Path(paths["REPORT"]).read_text(encoding="utf-8")
    assert any("Land → Building" in text for text in feedback.texts("info"))
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    del layer


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson"])
def test_results_load_named_and_styled(dates: dict[str, str], tmp_path: Path, suffix: str):
    outputs = {"OUTPUT": str(tmp_path / "new.tif"), "POLYGONS": str(tmp_path / f"new.{suffix}")}
    processing.runAndLoadResults(ALGORITHM, {**dates, **outputs})
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    assert set(layers) == {"Change: y2015 → y2023", "Polygons of change: y2015 → y2023"}
    renderer = layers["Change: y2015 → y2023"].renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    assert {(int(c.value), c.label) for c in renderer.classes()} == {
        (22, "Land unchanged"), (24, "Land → Building"), (33, "Road unchanged"), (44, "Building unchanged"),
    }  # fmt: skip
    polygons = layers["Polygons of change: y2015 → y2023"].renderer()
    assert isinstance(polygons, QgsCategorizedSymbolRenderer)
    assert [category.label() for category in polygons.categories()] == ["Land → Building"]
    shown = [node.name().split(":")[0] for node in QgsProject.instance().layerTreeRoot().findLayers()]
    assert shown == ["Polygons of change", "Change"]
    del renderer, polygons
    layers.clear()


def test_the_files_bring_their_style_along(dates: dict[str, str], tmp_path: Path):
    run({**dates, "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "o.gpkg")})
    run({**dates, "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "areas.shp")})
    for name in ("o.gpkg", "areas.shp"):
        layer = QgsVectorLayer(str(tmp_path / name), "changes", "ogr")
        assert isinstance(layer.renderer(), QgsCategorizedSymbolRenderer), name
        labels = [category.label() for category in layer.renderer().categories()]
        assert "Land → Building" in labels
        index = labels.index("Land → Building")
        assert layer.renderer().categories()[index].symbol().color().alpha() < 255
        del layer
    raster = QgsRasterLayer(str(tmp_path / "o.tif"), "change")
    assert isinstance(raster.renderer(), QgsPalettedRasterRenderer)
    del raster


def test_confidence_makes_pixels_uncertain(dates: dict[str, str], tmp_path: Path):
    confidence = np.full((1, 60, 80), 90, np.uint8)
    confidence[0, :, 40:] = 30
    values = {
        **dates, "LATER_CONFIDENCE": write_raster(tmp_path / "c.tif", confidence), "MIN_CONFIDENCE": 0.5,
        "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "o.fgb"),
    }  # fmt: skip
    feedback = RecordingFeedback()
    result = run(values, feedback)
    assert result["UNCERTAIN"] == pytest.approx(2400, rel=2e-3)
    layer = QgsVectorLayer(values["POLYGONS"], "changes", "ogr")
    assert {feature["conf_pct"] for feature in layer.getFeatures()} == {90}
    assert any("only one date" in text for text in feedback.texts("warning"))
    del layer


def test_other_tiles_are_laid_upon_each_other(dates: dict[str, str], tmp_path: Path, grid_of: Callable[[str], tuple]):
    moved = write_map(tmp_path / "moved.tif", 3, origin=(300010, 2779995))
    feedback = RecordingFeedback()
    result = run({**dates, "LATER": moved, "OUTPUT": str(tmp_path / "o.tif")}, feedback)
    assert "POLYGONS" not in result
    assert grid_of(result["OUTPUT"]) == (70, 55, (300010, 1, 0, 2779995, 0, -1), "32640")
    assert any("different areas" in text for text in feedback.texts("warning"))


def refused(algorithm: Callable[[str], Any], context: QgsProcessingContext, values: dict[str, Any]) -> str:
    allowed, text = algorithm("changebetweendates").checkParameterValues(values, context)
    assert not allowed
    return text


def test_what_cannot_run_is_refused_before(
    algorithm: Callable[[str], Any], context: QgsProcessingContext, dates: dict[str, str], tmp_path: Path
):
    values = {**dates, "OUTPUT": str(tmp_path / "o.tif")}
    assert algorithm("changebetweendates").checkParameterValues(values, context) == (True, "")
    assert "same raster" in refused(algorithm, context, {**values, "LATER": dates["EARLIER"]})
    assert "confidence raster" in refused(algorithm, context, {**values, "MIN_CONFIDENCE": 0.5})
    assert ".gpkg" in refused(algorithm, context, {**values, "POLYGONS": str(tmp_path / "o.kml")})
    assert ".tif" in refused(algorithm, context, {**values, "OUTPUT": str(tmp_path / "o.img")})


def test_an_error_of_the_engine_leaves_no_file(dates: dict[str, str], tmp_path: Path):
    image = write_raster(tmp_path / "image.tif", town())
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(QgsProcessingException, match="not a classified raster"):
        run({**dates, "LATER": image, "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "o.gpkg")})
    assert sorted(os.listdir(tmp_path)) == before


def test_in_a_model(dates: dict[str, str], tmp_path: Path, context: QgsProcessingContext):
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("change", "tests")
    child = QgsProcessingModelChildAlgorithm(ALGORITHM)
    child.setChildId("change")
    for name, path in dates.items():
        child.addParameterSources(name, [source.fromStaticValue(path)])
    outputs = {}
    for name in ("OUTPUT", "POLYGONS"):
        outputs[name] = QgsProcessingModelOutput(name, name)
        outputs[name].setChildId("change")
        outputs[name].setChildOutputName(name)
    child.setModelOutputs(outputs)
    model.addChildAlgorithm(child)
    names = {p.name().split(":")[-1].upper(): p.name() for p in model.destinationParameterDefinitions()}
    values = {names["OUTPUT"]: str(tmp_path / "o.tif"), names["POLYGONS"]: str(tmp_path / "o.gpkg")}
    feedback = RecordingFeedback()
    _, done = model.run(values, context, feedback)
    assert done, feedback.lines
    assert (tmp_path / "o.gpkg").is_file()
    assert gdal.Open(str(tmp_path / "o.tif")) is not None
