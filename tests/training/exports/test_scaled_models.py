"""Exports of a model that scales its bands: four bands of 16 bits, the same classes in every form as in a run."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import torch

from dubai_landcover_plugin.core import segment_raster
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.protocol.requests.training import ExportRequest
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from tests.factories import write_raster
from training.tasks import export_model

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
SIDE = 64
BANDS = ("red", "green", "blue", "nir")
LIMITS = ((0.0, 6000.0), (0.0, 5000.0), (200.0, 4000.0), (0.0, 9000.0))
Pixels = npt.NDArray[np.uint16]


def write_model(path: Path) -> BundleMetadata:
    """Write a small network whose classes depend on all bands."""
    torch.manual_seed(3)
    spec = ModelSpec("unet", 4, 5, {"width": 8, "depth": 1})
    model = build_model(spec)
    for _ in range(8):  # statistics of the norms
        model(torch.randn(4, 4, SIDE, SIDE))
    with torch.no_grad():
        model.head.weight *= 6
    metadata = BundleMetadata(
        name=path.stem, title="Four bands", spec=spec, scheme=DUBAI, bands=BANDS, band_numbers=(1, 2, 3, 4),
        mean=(0.3, 0.35, 0.3, 0.4), std=(0.15, 0.15, 0.2, 0.2), scaling=BandScaling(LIMITS), gsd=1.0, window=SIDE,
        stride=model.stride,
    )  # fmt: skip
    save_bundle(path, metadata, model.eval())
    return metadata


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Pixels, npt.NDArray[np.uint8]]:
    """Model, folder of its exports, an image of the size of a window, and its classes in a run."""
    root = tmp_path_factory.mktemp("scaled")
    model = root / "four.safetensors"
    write_model(model)
    folder = root / "out"
    export_model(ExportRequest(str(folder), str(model), ("onnx", "openvino", "esri", "stac")))
    draw = np.random.default_rng(5)
    coarse = draw.integers(0, 7000, (4, SIDE // 8, SIDE // 8))
    pixels = (np.kron(coarse, np.ones((1, 8, 8))) + draw.normal(0, 150, (4, SIDE, SIDE))).clip(1, 12_000)
    image = write_raster(root / "image.tif", pixels.astype(np.uint16))
    with rasterio.open(image, "r+") as dataset:
        dataset.descriptions = BANDS
    classes = run(image, str(model))
    assert len(np.unique(classes)) > 2
    return model, folder, pixels.astype(np.uint16), classes


def run(image: Path, model: str) -> npt.NDArray[np.uint8]:
    options = SegmentOptions(
        model=model, device="cpu", runtime="auto" if model.endswith(".onnx") else "torch", precision="float32",
        window=SIDE, overwrite=True,
    )  # fmt: skip
    segment_raster(SegmentationRequest(str(image), str(image.with_name("classes.tif")), options))
    with rasterio.open(image.with_name("classes.tif")) as dataset:
        found: npt.NDArray[np.uint8] = dataset.read(1)
        return found


def agreement(scores: npt.NDArray[np.float32], classes: npt.NDArray[np.uint8]) -> float:
    """Return the share of pixels with the class of the highest score, of (K, H, W)."""
    return float((scores.argmax(axis=0) + 1 == classes).mean())


def test_onnx_with_the_arithmetic_of_deepness(exported) -> None:
    _, folder, pixels, classes = exported
    session = onnxruntime.InferenceSession(str(folder / "four.onnx"), providers=["CPUExecutionProvider"])
    keys = session.get_modelmeta().custom_metadata_map
    mean, std = (
        np.array(json.loads(keys[f"standardization_{name}"]), np.float32)[:, None, None] for name in ("mean", "std")
    )
    limits = np.array(LIMITS, np.float32)[:, :, None, None]
    given = np.clip(pixels, limits[:, 0], limits[:, 1])  # Deepness cuts nothing off
    (scores,) = session.run(None, {"input": ((given / np.float32(255) - mean) / std)[None].astype(np.float32)})
    assert agreement(scores[0], classes) > 0.999


def test_onnx_in_a_run_of_this_plugin(exported) -> None:
    model, folder, _, classes = exported
    assert (run(model.with_name("image.tif"), str(folder / "four.onnx")) == classes).mean() > 0.999


def test_openvino_with_the_limits_of_its_xml(exported) -> None:
    _, folder, pixels, classes = exported
    openvino = pytest.importorskip("openvino")
    graph = openvino.Core().read_model(folder / "four.xml")
    limits = np.array(json.loads(graph.get_rt_info(["band_limits"]).astype(str)), np.float32)
    low, high = limits.T[:, :, None, None]
    given = 255 * np.clip((pixels - low) / (high - low), 0, 1)
    compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    scores = np.array(compiled(given[None].astype(np.float32))[0])
    assert agreement(scores[0], classes) > 0.999


def test_the_raster_function_of_esri_scales_the_bands(exported) -> None:
    _, folder, pixels, classes = exported
    classifier = runpy.run_path(str(folder / "four.py"))["ImageClassifier"]()
    classifier.initialize(model=str(folder / "four.emd"))
    classifier.getConfiguration(padding=0)
    blocks = classifier.updatePixels((0, 0), None, {"pixelType": "u1"}, raster_pixels=pixels)
    assert (blocks["output_pixels"][0] == classes).mean() > 0.999


def test_the_stac_item_has_mean_and_deviation_in_the_units_of_the_bands(exported) -> None:
    _, folder, _, _ = exported
    item = json.loads((folder / "four.json").read_text(encoding="utf-8"))
    (given,) = item["properties"]["mlm:input"]
    assert given["input"]["data_type"] == "float32"
    assert [scale["mean"] for scale in given["value_scaling"]] == pytest.approx([1800, 1750, 1340, 3600])
    assert item["properties"]["landcover:requires"] == ["scaled bands"]


def test_a_model_of_a_later_version_is_refused(tmp_path: Path) -> None:
    item = to_stac_item(write_model(tmp_path / "four.safetensors"))
    item["properties"]["landcover:requires"] = ["scaled bands", "two dates"]
    with pytest.raises(BundleError, match=r"does not have: two dates\. Update the plugin"):
        from_stac_item(item)
