"""Apply Corrections, Recode Classes, Model from Samples and Preview Land Cover in QGIS, with the real engine."""

from __future__ import annotations

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
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPalettedRasterRenderer,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

from tests.processing.qgis_fixtures import RecordingFeedback, town, write_class_map, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
LAND, ROAD, BUILDING, VEGETATION = 2, 3, 4, 5


def run(name: str, values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(f"dubailandcover:{name}", values, feedback=feedback or RecordingFeedback())


def box(left: float, top: float, right: float, bottom: float) -> QgsGeometry:
    return QgsGeometry.fromRect(QgsRectangle(300_000 + left, 2_780_000 - bottom, 300_000 + right, 2_780_000 - top))


def layer(
    features: list[tuple[QgsGeometry, dict[str, Any]]], fields: str, kind: str = "Polygon", crs: str = "EPSG:32640"
) -> QgsVectorLayer:
    """Make a layer in memory and add it to the project."""
    made = QgsVectorLayer(f"{kind}?crs={crs}{fields}", "drawn", "memory")
    for geometry, values in features:
        feature = QgsFeature(made.fields())
        feature.setGeometry(geometry)
        for name, value in values.items():
            feature.setAttribute(name, value)
        made.dataProvider().addFeature(feature)
    made.updateExtents()
    QgsProject.instance().addMapLayer(made)
    return made


CORRECTION_FIELDS = "&field=from:string&field=to:string&field=time:string&field=brush:double"


@pytest.fixture
def classified(tmp_path: Path) -> str:
    """A classified raster of 60 × 40 px: land, a building of 200 px and a road of 300 px."""
    ids = np.full((40, 60), LAND, np.uint8)
    ids[5:15, 5:25] = BUILDING
    ids[25:30] = ROAD
    return write_class_map(tmp_path / "map.tif", ids)


@pytest.fixture
def corrections() -> QgsVectorLayer:
    """One correction of Building, and one everywhere that was drawn before it."""
    return layer(
        [
            (box(0, 0, 30, 20), {"from": "Building", "to": "Land", "time": "2026-01-02T00:00:00"}),
            (box(40, 0, 60, 10), {"to": "Vegetation", "time": "2026-01-01T00:00:00"}),
        ],
        CORRECTION_FIELDS,
    )


def test_corrections_give_a_new_styled_raster_and_polygons(
    classified: str, corrections: QgsVectorLayer, tmp_path: Path, values_of: Callable[[str], np.ndarray]
):
    before = Path(classified).read_bytes()
    paths = {"OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "p.gpkg")}
    result = processing.runAndLoadResults(
        "dubailandcover:applycorrections",
        {"INPUT": classified, "CORRECTIONS": corrections.id(), **paths},
        feedback=RecordingFeedback(),
    )
    ids = values_of(paths["OUTPUT"])
    assert (ids[5:15, 5:25] == LAND).all()
    assert (ids[:10, 40:] == VEGETATION).all()
    assert json.loads(result["CHANGES"]) == {"Building → Land": 200, "Land → Vegetation": 200}
    assert (result["CHANGED"], result["UNUSED"]) == (400, 0)
    assert Path(classified).read_bytes() == before
    layers = {one.name(): one for one in QgsProject.instance().mapLayers().values()}
    assert set(layers) == {"drawn", "Corrected land cover: map", "Polygons: map"}
    renderer = layers["Corrected land cover: map"].renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    assert {entry.label for entry in renderer.classes()} >= {"Land", "Road", "Vegetation"}
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    del renderer
    layers.clear()


def test_a_selection_and_edits_that_are_not_saved_count(
    classified: str, corrections: QgsVectorLayer, tmp_path: Path, values_of: Callable[[str], np.ndarray]
):
    first = next(iter(corrections.getFeatures()))
    corrections.startEditing()
    corrections.changeAttributeValue(first.id(), corrections.fields().indexOf("to"), "Road")
    corrections.select(first.id())
    source = QgsProcessingFeatureSourceDefinition(corrections.id(), selectedFeaturesOnly=True)
    result = run("applycorrections", {"INPUT": classified, "CORRECTIONS": source, "OUTPUT": str(tmp_path / "o.tif")})
    corrections.rollBack()
    assert json.loads(result["CHANGES"]) == {"Building → Road": 200}


def test_lines_in_another_crs_have_the_width_of_their_brush(classified: str, tmp_path: Path):
    degrees = QgsCoordinateReferenceSystem("EPSG:4326")
    to_degrees = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32640"), degrees, QgsProject.instance().transformContext()
    )
    line = QgsGeometry.fromWkt("LineString(300000 2779964.5, 300060 2779964.5)")
    line.transform(to_degrees)
    drawn = layer([(line, {"to": "Water", "brush": 3.0})], CORRECTION_FIELDS, "LineString", "EPSG:4326")
    result = run(
        "applycorrections", {"INPUT": classified, "CORRECTIONS": drawn.id(), "OUTPUT": str(tmp_path / "o.tif")}
    )
    assert json.loads(result["CHANGES"]) == {"Land → Water": 180}


def test_what_cannot_be_corrected_is_said(classified: str, corrections: QgsVectorLayer, tmp_path: Path):
    values = {"INPUT": classified, "CORRECTIONS": corrections.id(), "OUTPUT": str(tmp_path / "o.tif")}
    with pytest.raises(QgsProcessingException, match="would replace the raster"):
        run("applycorrections", {**values, "OUTPUT": classified})
    unknown = layer([(box(0, 0, 9, 9), {"to": "Street"})], CORRECTION_FIELDS)
    feedback = RecordingFeedback()
    with pytest.raises(QgsProcessingException, match="not classes of the raster: 'Street'"):
        run("applycorrections", {**values, "CORRECTIONS": unknown.id()}, feedback)
    assert not [name for name in os.listdir(tmp_path) if "o.tif" in name or name.startswith(".")]


def test_classes_are_recoded_everywhere_and_within_polygons(
    classified: str, tmp_path: Path, values_of: Callable[[str], np.ndarray]
):
    values = {"INPUT": classified, "CLASSES": "Land=Road; Road=Land", "OUTPUT": str(tmp_path / "all.tif")}
    result = run("recodeclasses", values)
    assert json.loads(result["CHANGES"]) == {"Land → Road": 1900, "Road → Land": 300}
    zone = layer([(box(0, 20, 10, 40), {})], "")
    result = run("recodeclasses", {**values, "WITHIN": zone.id(), "OUTPUT": str(tmp_path / "part.tif")})
    assert json.loads(result["CHANGES"]) == {"Land → Road": 150, "Road → Land": 50}
    assert (values_of(str(tmp_path / "part.tif"))[25:30, 10:] == ROAD).all()
    with pytest.raises(QgsProcessingException, match="'Land' is not a pair of classes"):
        run("recodeclasses", {**values, "CLASSES": "Land", "OUTPUT": str(tmp_path / "bad.tif")})


def test_probabilities_are_classified_anew_and_averaged(
    image: str, tmp_path: Path, values_of: Callable[[str], np.ndarray]
):
    paths = {name: str(tmp_path / f"{name.lower()}.tif") for name in ("OUTPUT", "PROBABILITIES", "CONFIDENCE")}
    run("segmentlandcover", {"INPUT": image, "WINDOW": 64, "DEVICE": "cpu", **paths})
    classes = values_of(paths["OUTPUT"])
    bands = gdal.Open(paths["PROBABILITIES"])
    assert [bands.GetRasterBand(number).GetDescription() for number in range(1, 6)] == [
        "Water", "Land", "Road", "Building", "Vegetation",
    ]  # fmt: skip
    assert (bands.ReadAsArray().argmax(axis=0) + 1 == classes).all()
    values = {"INPUT": paths["PROBABILITIES"], "OUTPUT": str(tmp_path / "again.tif")}
    result = run("reclassifyprobabilities", {**values, "AVERAGE": [paths["PROBABILITIES"]]})
    assert (values_of(result["OUTPUT"]) == classes).all()
    assert result["CHANGED"] == 0
    rules = {"WEIGHTS": "Building=3; 3=0", "MINIMUMS": "Vegetation=0.9", "UNCERTAINTY": str(tmp_path / "u.tif")}
    result = run("reclassifyprobabilities", {**values, **rules})
    new = values_of(result["OUTPUT"])
    assert result["CHANGED"] == int((new != classes).sum()) > 0
    assert not (new == ROAD).any()
    assert values_of(result["UNCERTAINTY"]).max() <= 100
    with pytest.raises(QgsProcessingException, match="not a class with a number"):
        run("reclassifyprobabilities", {**values, "WEIGHTS": "Building"})
    with pytest.raises(QgsProcessingException, match="is not a probability raster"):
        run("reclassifyprobabilities", {**values, "INPUT": paths["CONFIDENCE"]})
    with pytest.raises(QgsProcessingException, match="would replace the raster"):
        run("reclassifyprobabilities", {**values, "OUTPUT": paths["PROBABILITIES"]})


@pytest.fixture
def image(tmp_path: Path) -> str:
    return write_raster(tmp_path / "town.tif", town(96, 128))


def test_a_model_from_samples_is_used_by_a_run(image: str, tmp_path: Path):
    fields = "&field=class:string&field=note:string"
    samples = layer(
        [
            (box(4, 4, 20, 20), {"class": "Water", "note": "Land"}),
            (box(60, 4, 110, 30), {"class": "Yard", "note": "Land"}),
            (box(22, 64, 46, 76), {"class": "Building", "note": "Land"}),
            (box(60, 80, 120, 94), {"class": "Yard", "note": "Land"}),
        ],
        fields,
    )
    model = str(tmp_path / "own.safetensors")
    feedback = RecordingFeedback()
    values = {"INPUT": image, "LABELS": samples.id(), "CLASS_FIELD": "class", "NEW_CLASSES": "Yard=#AABBCC"}
    result = run("modelfromsamples", {**values, "MODEL": "dubai", "OUTPUT": model}, feedback)
    assert result["OUTPUT"] == model
    assert json.loads(result["SAMPLES"]) == {"Water": 1, "Building": 1, "Yard": 2}
    assert 0 <= result["BEFORE"] <= 1
    assert any("Agreement with the samples" in text for text in feedback.texts("info"))
    preview = run("previewlandcover", {"INPUT": image, "MODEL_FILE": model, "OUTPUT": str(tmp_path / "preview.tif")})
    assert json.loads(preview["PIXELS"])["Yard"] > 1000


def test_a_preview_is_a_small_styled_raster_that_equals_the_run(
    image: str, tmp_path: Path, values_of: Callable[[str], np.ndarray], grid_of: Callable[[str], tuple]
):
    extent = "300020,300084,2779920,2779980 [EPSG:32640]"
    values = {"INPUT": image, "MODEL": "dubai", "EXTENT": extent, "CONFIDENCE": str(tmp_path / "c.tif")}
    result = processing.runAndLoadResults(
        "dubailandcover:previewlandcover",
        {**values, "OUTPUT": str(tmp_path / "preview.tif")},
        feedback=RecordingFeedback(),
    )
    assert grid_of(result["OUTPUT"])[:2] == (64, 60)
    assert grid_of(str(tmp_path / "c.tif"))[:2] == (64, 60)
    layers = {one.name(): one for one in QgsProject.instance().mapLayers().values()}
    assert isinstance(layers["Preview: town"].renderer(), QgsPalettedRasterRenderer)
    layers.clear()
    whole = run("segmentlandcover", {"INPUT": image, "MODEL": "dubai", "OUTPUT": str(tmp_path / "whole.tif")})
    same = values_of(whole["OUTPUT"])[20:80, 20:84] == values_of(result["OUTPUT"])
    assert same.mean() > 0.99
    assert sorted(name for name in os.listdir(tmp_path) if name.startswith("preview")) == ["preview.tif"]


def test_a_preview_of_a_layer_in_memory_and_a_missing_extent(tmp_path: Path):
    gdal.FileFromMemBuffer("/vsimem/town.tif", Path(write_raster(tmp_path / "a.tif", town(64, 64))).read_bytes())
    source = QgsRasterLayer("/vsimem/town.tif", "in memory")
    QgsProject.instance().addMapLayer(source)
    result = run("previewlandcover", {"INPUT": source.id(), "MODEL": "dubai", "OUTPUT": str(tmp_path / "preview.tif")})
    assert sum(json.loads(result["PIXELS"]).values()) == 64 * 64
    elsewhere = {"EXTENT": "10,20,10,20 [EPSG:32640]", "OUTPUT": str(tmp_path / "elsewhere.tif")}
    with pytest.raises(QgsProcessingException, match="does not touch the raster"):
        run("previewlandcover", {"INPUT": str(tmp_path / "a.tif"), "MODEL": "dubai", **elsewhere})
    QgsProject.instance().removeMapLayer(source.id())
    gdal.Unlink("/vsimem/town.tif")
