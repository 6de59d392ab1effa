"""Mosaics and edited copies that QGIS's own tools make of classified rasters, and settings of their layers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingException,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
    QgsVectorLayer,
)

from tests.processing.qgis_fixtures import RecordingFeedback, write_class_map, write_classes, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
RUN = Callable[..., dict[str, Any]]
NEVER_KNOWN = "dubai_landcover_plugin.processing.inputs.is_engine_format"


@pytest.fixture
def counted(tmp_path: Path) -> RUN:
    """Run the report and return its results; the feedback is an attribute of the function."""

    def run(layer: Any, **values: Any) -> dict[str, Any]:
        run.feedback = RecordingFeedback()
        arguments = {"INPUT": layer, "REPORT": str(tmp_path / "report.html"), **values}
        return processing.run("dubailandcover:landcoverreport", arguments, feedback=run.feedback)

    return run


def pixels(result: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in json.loads(result["PIXELS"]).items() if count}


def added(path: str) -> QgsRasterLayer:
    layer = QgsRasterLayer(path, "Old town, 2024")
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


ALL = {"Land": 60 * 40 - 500, "Road": 300, "Building": 200}


def halves(folder: Path) -> list[str]:
    """Write the two halves of the classified raster as files that meet in column 30."""
    classes = gdal.Open(write_classes(folder / "whole.tif")).ReadAsArray()
    parts = [(classes[:, :30], 300000), (classes[:, 30:], 300030)]
    return [
        write_class_map(folder / f"part{number}.tif", np.ascontiguousarray(part), origin=(west, 2780000))
        for number, (part, west) in enumerate(parts)
    ]


def mosaic(folder: Path) -> str:
    values = {"INPUT": halves(folder), "SEPARATE": False, "OUTPUT": str(folder / "mosaic.vrt")}
    return processing.run("gdal:buildvirtualraster", values)["OUTPUT"]


def merged(folder: Path) -> str:
    return processing.run("gdal:merge", {"INPUT": halves(folder), "OUTPUT": str(folder / "merged.tif")})["OUTPUT"]


def sieved(folder: Path) -> str:
    values = {"INPUT": write_classes(folder / "classes.tif"), "THRESHOLD": 3, "OUTPUT": str(folder / "sieved.tif")}
    return processing.run("gdal:sieve", values)["OUTPUT"]


def calculated(folder: Path) -> str:
    values = {"INPUT_A": write_classes(folder / "classes.tif"), "BAND_A": 1, "FORMULA": "A*1"}
    return processing.run("gdal:rastercalculator", {**values, "OUTPUT": str(folder / "calculated.tif")})["OUTPUT"]


def translated(folder: Path) -> str:
    values = {"INPUT": write_classes(folder / "classes.tif"), "DATA_TYPE": 2, "OUTPUT": str(folder / "int16.tif")}
    return processing.run("gdal:translate", values)["OUTPUT"]


@pytest.mark.parametrize("make", [mosaic, merged, sieved, calculated, translated])
def test_results_of_qgis_tools_are_classified_rasters(tmp_path: Path, counted: RUN, make: Callable[[Path], str]):
    result = counted(make(tmp_path))
    assert pixels(result) == ALL


def test_polygons_of_a_mosaic_have_its_classes(tmp_path: Path):
    values = {"INPUT": mosaic(tmp_path), "MIN_AREA": 0, "OUTPUT": str(tmp_path / "p.gpkg")}
    result = processing.run("dubailandcover:polygonizelandcover", values, feedback=RecordingFeedback())
    layer = QgsVectorLayer(result["OUTPUT"], "p", "ogr")
    assert sorted(feature["class"] for feature in layer.getFeatures()) == ["Building", "Land", "Land", "Road"]


def test_a_raster_for_each_file_is_refused_with_the_remedy(tmp_path: Path, counted: RUN):
    values = {"INPUT": halves(tmp_path), "SEPARATE": True, "OUTPUT": str(tmp_path / "separate.vrt")}
    path = processing.run("gdal:buildvirtualraster", values)["OUTPUT"]
    with pytest.raises(QgsProcessingException, match=r"2 bands of uint8.*do not place each file into a separate band"):
        counted(path)


def test_a_class_scheme_from_a_file_or_a_model(tmp_path: Path, counted: RUN, monkeypatch: pytest.MonkeyPatch):
    path = write_raster(tmp_path / "plain.tif", np.array([[[11, 12], [12, 12]]], np.uint8))
    (tmp_path / "own.csv").write_text("id,name,colour\n11,Palm,#00FF00\n12,Roof,#FF0000\n")
    assert pixels(counted(path, SCHEME=str(tmp_path / "own.csv"))) == {"Palm": 1, "Roof": 3}
    monkeypatch.chdir(tmp_path)
    assert pixels(counted(path, SCHEME="own.csv")) == {"Palm": 1, "Roof": 3}
    with pytest.raises(QgsProcessingException, match="values that are not classes: 11, 12"):
        counted(path, SCHEME="dubai")


def test_one_no_data_value_of_the_layer(tmp_path: Path, counted: RUN):
    layer = added(write_classes(tmp_path / "classes.tif"))
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(3, 3)])
    assert pixels(counted(layer.id())) == {"Land": ALL["Land"], "Building": 200}
    assert any("layer 'Old town, 2024' are used: 3." in text for text in counted.feedback.texts("info"))
    assert not list(Path(tmp_path).glob("Old*"))


def test_ranges_and_a_no_data_value_that_is_switched_off(tmp_path: Path, counted: RUN):
    layer = added(write_classes(tmp_path / "classes.tif"))
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(3, 9), QgsRasterRange(1, 1)])
    assert pixels(counted(layer.id())) == {"Land": ALL["Land"]}
    path = write_classes(tmp_path / "other.tif")
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.GetRasterBand(1).SetNoDataValue(4)
    del dataset
    layer = added(path)
    assert pixels(counted(layer.id())) == {"Land": ALL["Land"], "Road": 300}
    layer.dataProvider().setUseSourceNoDataValue(1, False)
    assert pixels(counted(layer.id())) == ALL
    assert any("is not used, as set on the layer" in text for text in counted.feedback.texts("info"))
    layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(-5.5, 2.2)])
    assert pixels(counted(layer.id())) == {"Road": 300, "Building": 200}


def test_names_of_own_classes_survive_the_copy(tmp_path: Path, counted: RUN):
    path = write_classes(tmp_path / "classes.tif")
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.SetMetadata({"CLASS_2": "Sand #FFFF00", "CLASS_3": "Track #808080", "CLASS_4": "Roof #FF0000"})
    del dataset
    vrt = processing.run(
        "gdal:buildvirtualraster", {"INPUT": [path], "SEPARATE": False, "OUTPUT": str(tmp_path / "m.vrt")}
    )["OUTPUT"]
    dataset = gdal.Open(write_classes(tmp_path / "other.tif"), gdal.GA_Update)
    dataset.SetMetadata({"CLASS_1": "Palm #FFFF00", "CLASS_2": "Sand #808080"})
    del dataset
    both = processing.run(
        "gdal:buildvirtualraster",
        {"INPUT": [path, str(tmp_path / "other.tif")], "SEPARATE": False, "OUTPUT": str(tmp_path / "both.vrt")},
    )["OUTPUT"]
    mixed = added(both)
    mixed.dataProvider().setUserNoDataValue(1, [QgsRasterRange(3, 3)])
    before = set(Path(QgsProcessingUtils.tempFolder()).rglob("Old*"))
    with pytest.raises(QgsProcessingException, match=r"different classes\. Choose a class scheme"):
        counted(mixed.id())
    assert set(Path(QgsProcessingUtils.tempFolder()).rglob("Old*")) == before
    assert pixels(counted(mixed.id(), SCHEME="dubai")) == {"Land": ALL["Land"], "Building": 200}
    for source in (path, vrt):
        layer = added(source)
        layer.dataProvider().setUserNoDataValue(1, [QgsRasterRange(3, 3)])
        assert pixels(counted(layer.id())) == {"Sand": ALL["Land"], "Roof": 200}


def test_the_crs_of_the_layer_counts(tmp_path: Path):
    layer = added(write_classes(tmp_path / "classes.tif"))
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32639"))
    values = {"INPUT": layer.id(), "MIN_AREA": 0, "OUTPUT": str(tmp_path / "p.gpkg")}
    result = processing.run("dubailandcover:polygonizelandcover", values, feedback=RecordingFeedback())
    polygons = QgsVectorLayer(result["OUTPUT"], "p", "ogr")
    assert polygons.crs().authid() == "EPSG:32639"
    assert {feature["source"] for feature in polygons.getFeatures()} == {"Old_town_2024.tif"}


def test_formats_that_qgis_alone_reads_are_copied(tmp_path: Path, counted: RUN, monkeypatch: pytest.MonkeyPatch):
    path = write_classes(tmp_path / "classes.tif")
    monkeypatch.setattr(NEVER_KNOWN, lambda driver: driver != "GTiff")
    assert pixels(counted(path)) == ALL
    assert any("the engine cannot open its source" in text for text in counted.feedback.texts("info"))
    assert pixels(counted(mosaic(tmp_path))) == ALL


def test_layers_in_memory_are_copied_for_change_and_accuracy_too(tmp_path: Path):
    earlier = write_classes(tmp_path / "earlier.tif")
    gdal.Translate("/vsimem/later.tif", earlier)
    later = added("/vsimem/later.tif")
    values = {"EARLIER": earlier, "LATER": later.id(), "OUTPUT": str(tmp_path / "change.tif")}
    result = processing.run("dubailandcover:changebetweendates", values, feedback=RecordingFeedback())
    assert result["CHANGED"] == 0
    assert result["UNCHANGED"] == 2400
    values = {"INPUT": later.id(), "REFERENCE_RASTER": earlier, "REPORT": str(tmp_path / "a.html")}
    result = processing.run("dubailandcover:accuracyassessment", values, feedback=RecordingFeedback())
    assert result["OVERALL_ACCURACY"] == 1
    QgsProject.instance().clear()
    gdal.Unlink("/vsimem/later.tif")
