"""The algorithms with the real engine, in the plugin folder that users get."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from osgeo import gdal, ogr
from qgis.core import (
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsGeometry,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)

from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_classes, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
FAST = {"WINDOW": 64, "DEVICE": "cpu"}
GRID = Callable[[str], tuple]
VALUES = Callable[[str], np.ndarray]


def run(name: str, values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(f"dubailandcover:{name}", values, feedback=feedback or RecordingFeedback())


def features(path: str) -> list[dict[str, Any]]:
    layer = QgsVectorLayer(path, "polygons", "ogr")
    assert layer.isValid(), path
    return [dict(zip(layer.fields().names(), feature.attributes())) for feature in layer.getFeatures()]


def test_segment_gives_every_output_on_the_inputs_grid(
    raster: str, tmp_path: Path, feedback: RecordingFeedback, grid_of: GRID, values_of: VALUES
):
    names = {
        "OUTPUT": "o.tif",
        "POLYGONS": "o.gpkg",
        "CONFIDENCE": "c.tif",
        "NOVELTY_RASTER": "n.tif",
        "REPORT": "r.html",
    }
    paths = {key: str(tmp_path / "results" / name) for key, name in names.items()}
    (tmp_path / "results").mkdir()
    result = run("segmentlandcover", {"INPUT": raster, **paths, **FAST}, feedback)
    assert {key: result[key] for key in paths} == paths
    assert (
        grid_of(paths["OUTPUT"]) == grid_of(paths["CONFIDENCE"]) == grid_of(paths["NOVELTY_RASTER"]) == grid_of(raster)
    )
    classes = values_of(paths["OUTPUT"])
    assert set(np.unique(classes)) <= set(DUBAI.ids)
    assert result["VALID_PIXELS"] == classes.size
    pixels = json.loads(result["PIXELS"])
    for entry in DUBAI.classes:
        assert pixels[entry.name] == np.count_nonzero(classes == entry.id)
    assert sum(json.loads(result["AREAS"]).values()) == pytest.approx(classes.size, rel=2e-3)
    assert 0 < values_of(paths["CONFIDENCE"]).max() <= 100
    assert result["NOVELTY"] == pytest.approx(values_of(paths["NOVELTY_RASTER"])[:64].mean(), abs=3)
    assert features(paths["POLYGONS"])
    assert "<html" in Path(paths["REPORT"]).read_text(encoding="utf-8")
    assert json.loads(Path(result["RECORD"]).read_text(encoding="utf-8"))
    request = json.loads(feedback.texts("command")[0])
    assert request["input"] == raster
    assert request["options"]["window"] == 64
    assert not [name for name in os.listdir(tmp_path / "results") if name.startswith(".")]


def test_results_load_named_and_styled(raster: str):
    values = dict.fromkeys(("OUTPUT", "POLYGONS", "CONFIDENCE", "NOVELTY_RASTER"), "TEMPORARY_OUTPUT")
    processing.runAndLoadResults("dubailandcover:segmentlandcover", {"INPUT": raster, **values, **FAST})
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    assert set(layers) == {"Land cover: town", "Polygons: town", "Confidence: town", "Novelty: town"}
    renderer = layers["Land cover: town"].renderer()
    assert isinstance(renderer, QgsPalettedRasterRenderer)
    shown = {(int(c.value), c.label, c.color.name().upper()) for c in renderer.classes()}
    assert shown == {(c.id, c.name, c.colour) for c in coloured(DUBAI).entries}
    assert isinstance(layers["Confidence: town"].renderer(), QgsSingleBandPseudoColorRenderer)
    polygons = layers["Polygons: town"].renderer()
    assert isinstance(polygons, QgsCategorizedSymbolRenderer)
    assert {c.label() for c in polygons.categories()} <= {c.name for c in DUBAI.entries}
    assert polygons.categories()
    shown = [node.name().split(":")[0] for node in QgsProject.instance().layerTreeRoot().findLayers()]
    assert shown == ["Polygons", "Land cover", "Confidence", "Novelty"]
    ramp = layers["Novelty: town"].renderer().shader().rasterShaderFunction().colorRampItemList()
    assert [(item.value, item.color.name()) for item in ramp][-1] == (100, "#67001f")
    assert [node.name() for node in QgsProject.instance().layerTreeRoot().children()] == ["town"]
    for name in ("Land cover: town", "Confidence: town", "Novelty: town"):
        hidden = QgsProject.instance().layerTreeRoot().findLayer(layers[name].id())
        assert not hidden.itemVisibilityChecked()
    del hidden, ramp
    del renderer, polygons
    layers.clear()


def test_an_extent_cuts_and_another_crs_of_the_layer_counts(tmp_path: Path, grid_of: GRID):
    raster = write_raster(tmp_path / "plain.tif", town())
    layer = QgsRasterLayer(raster, "plain")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32639"))
    QgsProject.instance().addMapLayer(layer)
    values = {"INPUT": layer.id(), "OUTPUT": str(tmp_path / "o.tif"), "EXTENT": "300010,300050,2779930,2779970", **FAST}
    run("segmentlandcover", values)
    assert grid_of(str(tmp_path / "o.tif")) == (40, 40, (300010, 1, 0, 2779970, 0, -1), "32639")
    del layer


def test_only_selected_polygons_in_another_crs_are_classified(tmp_path: Path, values_of: VALUES):
    layer = QgsVectorLayer("Polygon?crs=EPSG:4326", "areas", "memory")
    into_degrees = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:32640"), QgsCoordinateReferenceSystem("EPSG:4326"), QgsProject.instance()
    )
    for left, top in ((10, 10), (40, 40)):
        box = QgsGeometry.fromRect(QgsRectangle(300_000 + left, 2_779_984 - top, 300_016 + left, 2_780_000 - top))
        box.transform(into_degrees)
        feature = QgsFeature()
        feature.setGeometry(box)
        layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    layer.selectByIds([next(layer.getFeatures()).id()])
    raster = write_raster(tmp_path / "in.tif", town(64, 64))
    selected = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    whole = values_of(run("segmentlandcover", {"INPUT": raster, "OUTPUT": str(tmp_path / "w.tif"), **FAST})["OUTPUT"])
    for given, boxes in ((selected, [(10, 10)]), (layer.id(), [(10, 10), (40, 40)])):
        values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "WITHIN": given, **FAST}
        result = run("segmentlandcover", values)
        expected = np.zeros_like(whole)
        for left, top in boxes:
            expected[top : top + 16, left : left + 16] = whole[top : top + 16, left : left + 16]
        assert (values_of(result["OUTPUT"]) == expected).all()
        assert result["VALID_PIXELS"] == 256 * len(boxes)
    with pytest.raises(QgsProcessingException, match="WITHIN"):
        run("segmentlandcover", {"INPUT": raster, "OUTPUT": str(tmp_path / "n.tif"), "WITHIN": "missing", **FAST})


def test_an_extent_on_a_raster_without_georeference_means_the_pixels_seen(tmp_path: Path, values_of: VALUES):
    raster = write_raster(tmp_path / "plain.tif", town(64, 64), epsg=None)
    extent = QgsRasterLayer(raster, "plain").extent()
    upper = f"{extent.xMinimum()},{extent.xMaximum()},{extent.yMaximum() - 32},{extent.yMaximum()}"
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "upper.tif"), "EXTENT": upper, "WINDOW": 32, "OVERLAP": 0}
    cut = run("segmentlandcover", values)
    assert values_of(str(tmp_path / "upper.tif")).shape == (32, 64)
    assert json.loads(cut["AREAS"]) == {}
    first = run("segmentlandcover", {"INPUT": write_raster(tmp_path / "cut.tif", town(64, 64)[:, :32], epsg=None),
                                     "OUTPUT": str(tmp_path / "cut_o.tif"), "WINDOW": 32, "OVERLAP": 0})  # fmt: skip
    assert np.array_equal(values_of(str(tmp_path / "upper.tif")), values_of(first["OUTPUT"]))


def test_an_error_of_the_engine_reaches_the_user_and_leaves_no_file(tmp_path: Path):
    raster = write_raster(tmp_path / "two.tif", town()[:2])
    with pytest.raises(QgsProcessingException, match=r"3 bands.*2 band"):
        run("segmentlandcover", {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif")})
    assert sorted(os.listdir(tmp_path)) == ["two.tif"]


def test_buildings_and_roads_come_from_the_chosen_classes(raster: str, tmp_path: Path, feedback: RecordingFeedback):
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "BUILDINGS": str(tmp_path / "b.gpkg"), **FAST}
    with pytest.raises(QgsProcessingException, match=r"no class Roof; it has Water, Land, .*BUILDING_CLASS"):
        run("segmentlandcover", {**values, "BUILDING_CLASS": "Roof"})
    assert not (tmp_path / "o.tif").exists()
    run("segmentlandcover", {**values, "BUILDING_CLASS": "land", "ROAD_CLASS": "4"}, feedback)
    request = json.loads(feedback.texts("command")[0])
    assert (request["building_class"], request["road_class"]) == ("land", "4")
    assert {feature["class"] for feature in features(values["BUILDINGS"])} <= {"Land"}


def test_side_files_of_the_input_are_kept(raster: str, tmp_path: Path):
    """QGIS always allows overwriting, and asks the user only about ``town.shp``, which does not exist."""
    source = QgsRasterLayer(raster, "town")
    source.saveDefaultStyle()
    source.saveDefaultMetadata()
    del source  # the traceback below would keep it until after the end of QGIS, which crashes
    folder = Path(raster).parent
    (folder / "town.dbf").write_text("the user's")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert {"town.tif", "town.qml", "town.qmd", "town.dbf"} <= set(before)
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(folder / "town.shp"), **FAST}
    with pytest.raises(QgsProcessingException, match=r"town\.dbf exists and does not belong to .*; nor do town\.qml"):
        run("segmentlandcover", values)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before


def test_cancel_takes_less_than_two_seconds_and_leaves_no_file(tmp_path: Path, stretched: Callable[[float], float]):
    raster = write_raster(tmp_path / "large.tif", town(2000, 2000))
    feedback = RecordingFeedback()
    moments: list[float] = []

    def cancel(percent: float) -> None:
        if percent > 0 and not moments:
            moments.append(time.monotonic())
            feedback.cancel()

    feedback.progressChanged.connect(cancel)
    values = {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "o.gpkg"), "WINDOW": 128}
    assert run("segmentlandcover", values, feedback) == {}
    assert feedback.texts("error") == []
    assert sum("ancelled" in text for _, text in feedback.lines) == 1
    taken = time.monotonic() - moments[0]
    assert taken < stretched(2)
    # QGIS itself stores statistics beside the image.
    assert set(os.listdir(tmp_path)) - {"large.tif.aux.xml"} == {"large.tif"}


def test_segment_folder_goes_on_after_a_failure_and_skips_what_is_done(tmp_path: Path, feedback: RecordingFeedback):
    (tmp_path / "in" / "inner").mkdir(parents=True)
    write_raster(tmp_path / "in" / "a.tif", town(40, 48))
    write_raster(tmp_path / "in" / "inner" / "b.tif", town(48, 40))
    write_raster(tmp_path / "in" / "one_band.tif", town(40, 40)[:1])
    values = {
        "INPUT_FOLDER": str(tmp_path / "in"), "OUTPUT_FOLDER": str(tmp_path / "out"), "RECURSIVE": True,
        "POLYGON_FORMAT": "geojson", **FAST,
    }  # fmt: skip
    result = run("segmentfolder", values, feedback)
    assert (result["DONE"], result["SKIPPED"], result["FAILED"]) == (2, 0, 1)
    assert any("one_band.tif" in text for text in feedback.texts("error"))
    assert Path(result["MANIFEST_CSV"]).is_file()
    made = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.geojson"))
    assert len(made) == 2
    assert made[1].startswith("inner/")
    again = run("segmentfolder", values)
    assert (again["DONE"], again["SKIPPED"], again["FAILED"]) == (0, 2, 1)


def test_segment_folder_loads_its_results_and_lists_what_it_left_out(tmp_path: Path):
    (tmp_path / "in").mkdir()
    write_raster(tmp_path / "in" / "a.tif", town(200, 240))
    values = {
        "INPUT_FOLDER": str(tmp_path / "in"), "OUTPUT_FOLDER": str(tmp_path / "in"), "BUILDING_FORMAT": "gpkg",
        "ROAD_FORMAT": "gpkg", "LOAD_LAYERS": True, **FAST,
    }  # fmt: skip
    result = processing.runAndLoadResults("dubailandcover:segmentfolder", values)
    assert result["DONE"] == 1
    layers = {layer.name() for layer in QgsProject.instance().mapLayers().values()}
    assert layers == {"Land cover: a", "Buildings: a", "Road network: a"}
    (tmp_path / "in" / "a_landcover.tif").rename(tmp_path / "in" / "other.tif")
    again = run("segmentfolder", {**values, "LOAD_LAYERS": False})
    (left_out,) = json.loads(again["LEFT_OUT"])
    assert left_out["input"].endswith("other.tif")


def test_buildings_and_roads_in_the_same_run(tmp_path: Path):
    source = write_raster(tmp_path / "town.tif", town(200, 240))
    values = {"INPUT": source, "OUTPUT": str(tmp_path / "o.tif"), "BUILDINGS": str(tmp_path / "b.shp")}
    processing.runAndLoadResults(
        "dubailandcover:segmentlandcover", {**values, "ROADS": str(tmp_path / "r.gpkg"), "POLYGONS": None}
    )
    layers = {layer.name(): layer for layer in QgsProject.instance().mapLayers().values()}
    assert set(layers) == {"Land cover: town", "Buildings: town", "Road network: town"}
    assert "regular" in layers["Buildings: town"].fields().names()
    assert "width" in " ".join(layers["Road network: town"].fields().names())
    order = [node.name() for node in QgsProject.instance().layerTreeRoot().findLayers()]
    assert order == ["Road network: town", "Buildings: town", "Land cover: town"]
    del layers


def test_a_result_is_no_input(raster: str, tmp_path: Path):
    classified = run("segmentlandcover", {"INPUT": raster, "OUTPUT": str(tmp_path / "o.tif"), **FAST})["OUTPUT"]
    for name in ("segmentlandcover", "previewlandcover"):
        made = QgsApplication.processingRegistry().algorithmById(f"dubailandcover:{name}").create()
        values = {"INPUT": classified, "OUTPUT": str(tmp_path / "again.tif"), **FAST}
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        possible, text = made.checkParameterValues(values, context)
        assert not possible
        assert "The layer 'o' is a classified raster, a result, and no image. Choose the image as input." in text
        assert made.checkParameterValues({**values, "INPUT": raster}, context)[0]


def test_second_steps_are_named_after_the_image(tmp_path: Path):
    source = write_raster(tmp_path / "town.tif", town(200, 240))
    classified = run("segmentlandcover", {"INPUT": source, "OUTPUT": "TEMPORARY_OUTPUT", **FAST})["OUTPUT"]
    assert Path(classified).stem == "OUTPUT"
    processing.runAndLoadResults(
        "dubailandcover:polygonizelandcover", {"INPUT": classified, "OUTPUT": "TEMPORARY_OUTPUT"}
    )
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.name() == "Polygons: town"
    feature = next(layer.getFeatures())
    assert feature["source"] == "town.tif"
    assert feature["area_m2"] == round(feature["area_m2"], 2)
    del layer, feature


@pytest.mark.parametrize("suffix", ["shp", "gpkg", "geojson", "fgb"])
def test_export_writes_one_file_for_each_class(tmp_path: Path, suffix: str):
    raster = write_classes(tmp_path / "classes.tif")
    values = {"INPUT": raster, "OUTPUT_FOLDER": str(tmp_path / "vectors"), "FORMAT": suffix, "SIMPLIFY": 0}
    result = run("exportclasspolygons", values)
    assert json.loads(result["COUNTS"]) == {"Building": 1, "Road": 1}
    assert Path(result["BUILDING"]).suffix == f".{suffix}"
    assert Path(result["ROAD"]).is_file()
    (building,) = features(result["BUILDING"])
    assert (building["class_id"], building["class"]) == (4, "Building")
    assert json.loads(result["AREAS"])["Building"] == pytest.approx(200, rel=2e-3)
    assert ogr.Open(result["BUILDING"]) is not None


def test_exported_polygons_load_styled(tmp_path: Path):
    raster = write_classes(tmp_path / "classes.tif")
    values = {"INPUT": raster, "OUTPUT_FOLDER": "TEMPORARY_OUTPUT", "CLASSES": ["Building"]}
    processing.runAndLoadResults("dubailandcover:exportclasspolygons", values)
    (layer,) = QgsProject.instance().mapLayers().values()
    assert layer.name() == "Building: classes"
    assert [category.label() for category in layer.renderer().categories()] == ["Building"]
    del layer


@pytest.mark.shared
def test_a_real_mosaic_is_covered_to_the_pixel(shared: Path, tmp_path: Path, grid_of: GRID, values_of: VALUES):
    source = shared / "mosaics" / "dubai_tile1.tif"
    _, _, transform, code = grid_of(str(source))
    west, north = transform[0] + 700, transform[3] - 500
    values = {
        "INPUT": str(source), "OUTPUT": str(tmp_path / "o.tif"), "POLYGONS": str(tmp_path / "o.fgb"),
        "EXTENT": f"{west},{west + 320},{north - 288},{north}", "WINDOW": 256,
    }  # fmt: skip
    result = run("segmentlandcover", values)
    assert grid_of(result["OUTPUT"]) == (320, 288, (west, 1, 0, north, 0, -1), code)
    assert result["VALID_PIXELS"] == 320 * 288
    assert (values_of(result["OUTPUT"]) > 0).all()
    areas = {entry.name: 0.0 for entry in DUBAI.entries}
    for feature in features(result["POLYGONS"]):
        areas[feature["class"]] += feature["area_m2"]
    assert sum(areas.values()) == pytest.approx(320 * 288, rel=0.05)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("rio-tiler__cog_gcps.tif", {}, ["ground control points", "Warp"]),
        ("rasterio__RGBA.uint16.tif", {"BANDS": [3, 2, 1], "MATCH_GSD": False}, None),
        ("rasterio__corrupt.tif", {}, ["rasterio__corrupt.tif"]),
        ("rio-tiler__inverted_lat.tif", {}, ["bands"]),
    ],
)
def test_rasters_of_other_people(shared: Path, tmp_path: Path, name: str, values: dict, words: list[str] | None):
    target = {"INPUT": str(shared / "rasters" / name), "OUTPUT": str(tmp_path / "o.tif"), "WINDOW": 128, **values}
    if words is None:
        result = run("segmentlandcover", target)
        before, after = gdal.Open(target["INPUT"]), gdal.Open(result["OUTPUT"])
        assert (after.RasterXSize, after.RasterYSize) == (before.RasterXSize, before.RasterYSize)
        assert after.GetGeoTransform(can_return_null=True) == before.GetGeoTransform(can_return_null=True)
        assert result["VALID_PIXELS"] > 0
        return
    with pytest.raises(QgsProcessingException) as caught:
        run("segmentlandcover", target)
    for word in words:
        assert word in str(caught.value)
    assert list(tmp_path.iterdir()) == []
