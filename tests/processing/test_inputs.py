"""Layers that the engine cannot open from a path are drawn or copied first."""

from __future__ import annotations

import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransformContext,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsRasterRange,
    QgsRectangle,
    QgsVectorLayer,
)

from dubai_landcover_plugin.processing.inputs import engine_path, opened_for_engine, proposed_image, raster_input
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_raster
from tests.processing.test_runs import FAST, run
from tests.processing.web_layers import served

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
EXTENT = QgsRectangle(6146000, 2895000, 6146110, 2895055)


@pytest.fixture
def web_layer(tmp_path: Path) -> Iterator[QgsRasterLayer]:
    """An XYZ layer of the town."""
    with served(tmp_path, town(256, 256)) as layer:
        yield layer


def opened(layer: QgsRasterLayer, extent: QgsRectangle, gsd: float = 1.0) -> Any:
    context = QgsCoordinateTransformContext()
    return opened_for_engine(raster_input(layer), extent, gsd, context, RecordingFeedback())


def test_a_file_is_handed_over_as_it_is(raster: str):
    layer = QgsRasterLayer(raster, "town")
    with opened(layer, QgsRectangle()) as (path, extent):
        assert (path, extent) == (raster, None)
    assert raster_input(layer).crs_override == ""


def test_a_connection_string_is_handed_over(tmp_path: Path, raster: str):
    zipped = tmp_path / "a.zip"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(raster, "town.tif")
    source = f"/vsizip/{zipped}/town.tif"
    assert engine_path(QgsRasterLayer(source, "zipped")) == source


def test_a_layer_in_memory_is_copied_value_by_value(values_of: Callable, grid_of: Callable):
    values = town().astype(np.uint16) * 50
    source = write_raster("/vsimem/town.tif", values)
    layer = QgsRasterLayer(source, "memory")
    with opened(layer, QgsRectangle()) as (path, extent):
        assert extent is None
        assert grid_of(path) == grid_of(source)
        assert np.array_equal(gdal.Open(path).ReadAsArray(), values)
    assert not Path(path).exists()
    del layer
    gdal.Unlink(source)


def test_a_web_layer_is_drawn_at_the_resolution_on_the_ground(web_layer: QgsRasterLayer, grid_of: Callable):
    west, south = 6146000.0, 2895000.0  # Dubai, where a metre is about 1.1 units of Web Mercator
    with opened(web_layer, QgsRectangle(west, south, west + 220, south + 110), gsd=2.0) as (path, extent):
        assert extent is None
        columns, rows, transform, code = grid_of(path)
        assert code == "3857"
        assert transform[1] == pytest.approx(2 * 1.10, rel=0.02)
        assert (columns, rows) == pytest.approx((100, 50), abs=2)
        drawn = gdal.Open(path).ReadAsArray()
    assert drawn.shape[0] == 4
    assert (drawn[3] == 255).all()
    assert drawn[:3].std() > 5
    assert not Path(path).exists()


def test_a_web_layer_without_extent_is_refused_with_the_limit(web_layer: QgsRasterLayer):
    with pytest.raises(QgsProcessingException, match=r"more than 400 million.*smaller extent"):
        opened(web_layer, QgsRectangle()).__enter__()


@pytest.mark.parametrize(("status", "words"), [(403, "status 403"), (500, "status 500"), (404, "404")])
def test_requests_that_fail_end_the_run_with_status_and_address(tmp_path: Path, status: int, words: str):
    with served(tmp_path, town(256, 256), status) as layer, pytest.raises(QgsProcessingException) as caught:
        opened(layer, EXTENT).__enter__()
    assert words in str(caught.value)
    assert "http://127.0.0.1:" in str(caught.value)
    assert ".png" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_requests_that_fail_in_another_thread_are_noticed(tmp_path: Path):
    caught: list[BaseException] = []

    def draw(source: Any) -> None:
        try:
            context = QgsCoordinateTransformContext()
            opened_for_engine(source, EXTENT, 1.0, context, RecordingFeedback()).__enter__()
        except QgsProcessingException as error:
            caught.append(error)

    with served(tmp_path, town(256, 256), 403) as layer:
        thread = threading.Thread(target=draw, args=(raster_input(layer),))
        thread.start()
        while thread.is_alive():
            QgsApplication.processEvents()
            time.sleep(0.02)
    assert "status 403" in str(caught[0])


def test_a_web_layer_without_extent_is_refused_before_the_run(web_layer: QgsRasterLayer, provider: Any):
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    values = {"INPUT": web_layer.id(), "OUTPUT": "TEMPORARY_OUTPUT"}
    for name in ("segmentlandcover", "previewlandcover"):
        possible, text = provider.algorithm(name).create().checkParameterValues(values, context)
        assert not possible
        assert "'tiles' needs an extent" in text


def test_a_server_that_is_down_is_named(tmp_path: Path):
    with served(tmp_path, town(256, 256)) as layer:
        source = layer.source()
    gone = QgsRasterLayer(source, "tiles", "wms")
    with pytest.raises(QgsProcessingException, match=r"'tiles' did not answer .*onnection refused"):
        opened(gone, EXTENT).__enter__()


def test_blank_tiles_are_recognized(tmp_path: Path):
    extent = QgsRectangle(6146000, 2895000, 6147100, 2895550)
    blank = np.full((3, 256, 256), 200, np.uint8)
    with served(tmp_path, blank) as layer, pytest.raises(QgsProcessingException, match="drew an empty image"):
        opened(layer, extent).__enter__()
    half = town(256, 256)
    half[:, :, 100:] = 200
    with served(tmp_path, half) as layer:
        feedback = RecordingFeedback()
        with opened_for_engine(raster_input(layer), extent, 1.0, QgsCoordinateTransformContext(), feedback):
            (warning,) = feedback.texts("warning")
    assert "of the image drawn from 'tiles' is blank" in warning


def test_an_extent_beside_the_layer_is_refused(web_layer: QgsRasterLayer):
    with pytest.raises(QgsProcessingException, match="does not touch"):
        opened(web_layer, QgsRectangle(9e8, 9e8, 9.1e8, 9.1e8)).__enter__()


def test_segment_a_web_layer(web_layer: QgsRasterLayer, tmp_path: Path, grid_of: Callable, values_of: Callable):
    values = {
        "INPUT": web_layer.id(), "EXTENT": "6146000,6146110,2895000,2895088", "OUTPUT": str(tmp_path / "o.tif"),
        "MODEL": "dubai", **FAST,
    }  # fmt: skip
    result = run("segmentlandcover", values)
    assert grid_of(result["OUTPUT"])[3] == "3857"
    assert (values_of(result["OUTPUT"]) > 0).all()
    assert result["VALID_PIXELS"] == pytest.approx(100 * 80, rel=0.06)


@pytest.mark.parametrize("top", [9, 11])
def test_no_data_values_of_the_layer_count(tmp_path: Path, values_of: Callable, top: int):
    values = town()
    values[:, :, :40] = 10
    layer = QgsRasterLayer(write_raster(tmp_path / "town.tif", values), "town")
    for band in (1, 2, 3):
        layer.dataProvider().setUserNoDataValue(band, [QgsRasterRange(10, max(top, 10))])
    QgsProject.instance().addMapLayer(layer)
    feedback = RecordingFeedback()
    result = run("segmentlandcover", {"INPUT": layer.id(), "OUTPUT": str(tmp_path / "o.tif"), **FAST}, feedback)
    has_class = values_of(result["OUTPUT"]) > 0
    assert (~has_class[:, :40]).all()
    assert has_class[:, 40:].all()
    assert any("No data values set on the layer 'town' are used: 10" in text for text in feedback.texts("info"))


@pytest.mark.parametrize("kind", ["file", "web"])
def test_the_toolbox_runs_it_in_another_thread(
    web_layer: QgsRasterLayer, raster: str, tmp_path: Path, kind: str, provider: Any
):
    target = str(tmp_path / "o.tif")
    values = {"INPUT": raster if kind == "file" else web_layer.id(), "OUTPUT": target, **FAST}
    values["EXTENT"] = "300000,300060,2779940,2780000" if kind == "file" else "6146000,6146066,2895000,2895066"
    context, feedback = QgsProcessingContext(), RecordingFeedback()
    context.setProject(QgsProject.instance())
    outcome: list[tuple[bool, dict]] = []
    task = QgsProcessingAlgRunnerTask(provider.algorithm("segmentlandcover"), values, context, feedback)
    task.executed.connect(lambda done, results: outcome.append((done, results)))
    QgsApplication.taskManager().addTask(task)
    deadline = time.monotonic() + 120
    while not outcome and time.monotonic() < deadline:
        QgsApplication.processEvents()
        time.sleep(0.02)
    assert outcome, "the task did not end"
    done, results = outcome[0]
    assert done, feedback.lines
    assert (gdal.Open(target).ReadAsArray() > 0).all()
    assert results["OUTPUT"] == target
    del task


def test_a_crs_without_a_code_is_handed_over_as_text(raster: str):
    layer = QgsRasterLayer(raster, "town")
    layer.setCrs(QgsCoordinateReferenceSystem.fromProj("+proj=tmerc +lat_0=24 +lon_0=55.1 +k=1 +x_0=1000 +datum=WGS84"))
    text = raster_input(layer).crs_override
    assert "55.1" in text
    assert "Transverse" in text


def test_a_run_starts_with_an_image_and_not_with_a_result(tmp_path: Path):
    project, values = QgsProject.instance(), town(32, 32)
    assert proposed_image(project, None) is None
    image = QgsRasterLayer(write_raster(tmp_path / "image.tif", values), "image")
    other = QgsRasterLayer(write_raster(tmp_path / "heights.tif", values[:1]), "heights")
    path = write_raster(tmp_path / "result.tif", values[:1])
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.SetMetadataItem("UNLABELED_CLASS", "6")
    del dataset
    result, points = QgsRasterLayer(path, "result"), QgsVectorLayer("Point", "points", "memory")
    project.addMapLayers([image, other, result, points])
    assert proposed_image(project, None) == image
    assert proposed_image(project, result) == image
    assert proposed_image(project, points) == image
    assert proposed_image(project, other) == other  # chosen by the user
