"""A second raster and an area of interest in the toolbox, with the real engine and a model that reads heights."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processing
import pytest
from osgeo import gdal
from qgis.core import (
    QgsFeature,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)

from dubai_landcover_plugin.gui.panel.header import Header
from dubai_landcover_plugin.gui.panel.keep import run_parameters
from dubai_landcover_plugin.gui.panel.subject import make_subject
from dubai_landcover_plugin.protocol.errors import BandError
from tests.processing.conftest import ROOT
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_raster

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
_MODEL = """
import sys, torch
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
torch.manual_seed(0)
spec = ModelSpec("unet", 4, 5, {"width": 4, "depth": 1})
model = build_model(spec)
optimizer = torch.optim.AdamW(model.parameters(), 2e-2)
for _ in range(30):  # high ground is building, low ground road
    chips = torch.rand(4, 4, 32, 32) * 5 - 2.5
    chips[:, 3, :, :16] = -chips[:, 3, :, 16:].abs()
    chips[:, 3, :, 16:].abs_()
    labels = torch.where(chips[:, 3] > 0, 3, 2)
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(chips), labels).backward()
    optimizer.step()
model.eval()
metadata = BundleMetadata(
    name="heights", title="Heights", spec=spec, scheme=DUBAI, bands=("red", "green", "blue", "height"),
    mean=(0.5,) * 4, std=(0.2,) * 4, scaling=BandScaling(((0, 255),) * 3 + ((0, 20),), ()), gsd=1.0, window=64,
    stride=model.stride,
)
save_bundle(sys.argv[1], metadata, model)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, engine: str) -> str:
    """A network that reads red, green, blue and height."""
    path = tmp_path_factory.mktemp("model") / "heights.safetensors"
    subprocess.run([engine, "-c", _MODEL, str(path)], check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    return str(path)


@pytest.fixture
def heights(tmp_path: Path) -> str:
    """A height model of the town, on its grid; its band has no colour interpretation, but a name."""
    rows = np.linspace(0, 20, 80)[:, np.newaxis].repeat(96, axis=1)
    path = write_raster(tmp_path / "heights.tif", rows.astype(np.uint16)[np.newaxis])
    dataset = gdal.Open(path, gdal.GA_Update)
    dataset.GetRasterBand(1).SetDescription("nDSM")
    del dataset
    return path


def run(name: str, values: dict[str, Any], feedback: RecordingFeedback | None = None) -> dict[str, Any]:
    return processing.run(f"dubailandcover:{name}", values, feedback=feedback or RecordingFeedback())


def classes(path: str) -> np.ndarray:
    return gdal.Open(path).ReadAsArray()


def area(path: Path, *extent: float) -> QgsVectorLayer:
    """Return a layer with one rectangle."""
    layer = QgsVectorLayer("Polygon?crs=EPSG:32640", "area", "memory")
    feature = QgsFeature()
    feature.setGeometry(QgsGeometry.fromRect(QgsRectangle(*extent)))
    layer.dataProvider().addFeature(feature)
    return layer


def test_a_run_and_a_preview_read_heights(
    raster: str, heights: str, model: str, tmp_path: Path, feedback: RecordingFeedback
):
    values = {"INPUT": raster, "MODEL_FILE": model, "SECOND": heights}
    found = run("segmentlandcover", {**values, "OUTPUT": str(tmp_path / "a.tif")}, feedback)
    assert any("as red, green, blue, height" in text for text in feedback.texts("info"))
    record = json.loads(Path(found["RECORD"]).read_text(encoding="utf-8"))
    assert record["request"]["options"]["second"] == heights
    assert os.path.realpath(heights) in [file["path"] for file in record["input_files"]]
    preview = run("previewlandcover", {**values, "OUTPUT": str(tmp_path / "p.tif")})
    np.testing.assert_array_equal(classes(preview["OUTPUT"]), classes(found["OUTPUT"]))
    flat = gdal.Open(heights, gdal.GA_Update)
    flat.GetRasterBand(1).WriteArray(np.zeros((80, 96)))
    del flat
    other = run("segmentlandcover", {**values, "OUTPUT": str(tmp_path / "b.tif")})
    assert (classes(other["OUTPUT"]) != classes(found["OUTPUT"])).mean() > 0.05


def test_a_model_that_lacks_bands_says_so_before_the_run(
    raster: str, heights: str, model: str, algorithm: Callable[[str], Any], tmp_path: Path
):
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    values = {"INPUT": raster, "MODEL_FILE": model, "OUTPUT": str(tmp_path / "a.tif")}

    def check(**more: Any) -> str:
        fine, message = algorithm("segmentlandcover").checkParameterValues({**values, **more}, context)
        return "" if fine else message

    assert "reads 4 bands (red, green, blue, height)" in check()
    assert "second raster" in check()
    assert check(SECOND=heights) == ""
    bare = write_raster(tmp_path / "bare.tif", np.zeros((1, 8, 8), np.uint8), epsg=None)
    assert "has no CRS" in check(SECOND=bare)
    assert "none.tif" in check(SECOND=str(tmp_path / "none.tif"))


def test_a_folder_with_heights_within_polygons(raster: str, heights: str, model: str, tmp_path: Path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name, origin in (("here", (300000, 2780000)), ("elsewhere", (310000, 2780000))):
        write_raster(folder / f"{name}.tif", town(), origin=origin)
    values = {
        "INPUT_FOLDER": str(folder), "OUTPUT_FOLDER": str(tmp_path / "out"), "MODEL_FILE": model, "SECOND": heights,
        "WITHIN": area(tmp_path, 300010, 2779950, 300050, 2779990),
    }  # fmt: skip
    result = run("segmentfolder", values)
    assert (result["DONE"], result["FAILED"]) == (1, 0)
    (left_out,) = json.loads(result["LEFT_OUT"])
    assert left_out["input"].endswith("elsewhere.tif")
    assert "polygons" in left_out["reason"]
    whole = run("segmentlandcover", {
        "INPUT": str(folder / "here.tif"), "MODEL_FILE": model, "SECOND": heights, "OUTPUT": str(tmp_path / "w.tif")
    })  # fmt: skip
    found, all_classes = classes(str(tmp_path / "out" / "here_landcover.tif")), classes(whole["OUTPUT"])
    inside = np.zeros(found.shape, bool)
    inside[10:50, 10:50] = True
    np.testing.assert_array_equal(found, np.where(inside, all_classes, 0))


def test_labels_are_checked_and_a_model_evaluated_with_heights(
    raster: str, heights: str, model: str, tmp_path: Path, feedback: RecordingFeedback
):
    labels = tmp_path / "labels.geojson"
    squares = [
        {
            "type": "Feature",
            "properties": {"class": name},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, 2779940], [x + 20, 2779940], [x + 20, 2779980], [x, 2779980], [x, 2779940]]],
            },
        }
        for name, x in (("Road", 300010), ("Building", 300040))
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32640"}}
    labels.write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": squares}), encoding="utf-8")
    data = {"RASTERS": [raster], "LABELS": str(labels), "SECOND": heights}
    result = run("evaluatemodel", {**data, "MODEL_FILE": model}, feedback)
    assert sum(map(sum, json.loads(result["CONFUSION"])["counts"])) == 2 * 20 * 40
    with pytest.raises(QgsProcessingException, match="height"):
        run("evaluatemodel", {"RASTERS": [raster], "LABELS": str(labels), "MODEL_FILE": model})
    bands = "red=1;green=2;blue=3;height=4"
    checked = run("checklabels", {**data, "START": "none", "BANDS": bands}, feedback)
    assert checked["USABLE"]
    lacking = run("checklabels", {**data, "SECOND": None, "START": "none", "BANDS": bands}, feedback)
    assert not lacking["USABLE"]
    assert any("Band 4 was asked for" in text for text in feedback.texts("warning"))


def test_the_panel_shows_the_choice_for_models_with_further_bands(raster: str, heights: str, model: str):
    header = Header()
    header.add_file(model, choose=False)
    assert header.second.isHidden()
    header.load_models(model)
    assert not header.second.isHidden()
    image, second = QgsRasterLayer(raster, "image"), QgsRasterLayer(heights, "heights")
    QgsProject.instance().addMapLayers([image, second])
    header.second.setLayer(second)
    subject = make_subject(image, model, header.second_layer)
    assert subject.opening().options.second == heights
    assert run_parameters(subject, model)["SECOND"] == heights
    with pytest.raises(BandError, match="reads 4 bands"):
        make_subject(image, model)
    header.load_models()
    QgsProject.instance().clear()
    del image, second, header
