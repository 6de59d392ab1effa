"""ONNX files in ONNX Runtime against the networks they were made of."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.networks import SegmentationModel, architectures, build_model
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.model_file import HEADER_KEY
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from training.errors import TrainingError
from training.exports import onnx_file as onnx_export
from training.exports.onnx_file import MOST_DEVIATION, deepness_keys, export_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed (requirements/training.txt)")
ort = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (requirements/training.txt)")

SPECS = {
    "unet": ModelSpec("unet", arguments={"width": 4, "depth": 2}),
    "unet_transposed": ModelSpec("unet", arguments={"width": 4, "depth": 1, "bilinear": False}),
    "vit": ModelSpec("vit", arguments={"patch": 8, "dim": 16, "depth": 1, "heads": 2, "grid": 4, "pool": "cls"}),
    "unet_vit": ModelSpec(
        "unet_vit", arguments={"width": 4, "depth": 2, "dim": 16, "blocks": 1, "heads": 2, "grid": 4, "pool": "mean"}
    ),
    "unet_efficientnet": ModelSpec("unet_efficientnet"),
    "hybrid": ModelSpec("unet_efficientnet", arguments={"blocks": 1, "dim": 16, "heads": 2, "grid": 4}),
}
SIZES = [(1, 64, 64), (3, 32, 96), (2, 33, 47), (1, 7, 130), (1, 1, 1)]


def make(name: str) -> tuple[BundleMetadata, SegmentationModel]:
    """Return a network with weights large enough to tell pixels apart, and its description."""
    torch.manual_seed(3)
    model = build_model(SPECS[name]).eval()
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            parameter.add_((1.0 if "position" in key else 0.02) * torch.randn_like(parameter))
        model.head.weight.mul_(60.0)
    metadata = BundleMetadata(
        name="small",
        title="A model",
        spec=SPECS[name],
        scheme=DUBAI,
        bands=("red", "green", "blue"),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4),
        gsd=0.6,
        window=64,
        stride=model.stride,
        temperature=1.4,
    )
    return metadata, model


def as_deepness_feeds(chips: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return what Deepness gives a model for (N, C, H, W) uint8: /255, then the file's own mean and deviation."""
    return (chips / 255.0).astype(np.float32)


def random_pixels(seed: int, count: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (count, 3, height // 8 + 1, width // 8 + 1), dtype=np.uint8)
    return np.ascontiguousarray(coarse.repeat(8, axis=2).repeat(8, axis=3)[:, :, :height, :width])


def shapes(session: Any) -> tuple[list[Any], list[Any]]:
    return session.get_inputs()[0].shape, session.get_outputs()[0].shape


def test_every_architecture_is_tried() -> None:
    assert {spec.architecture for spec in SPECS.values()} == set(architectures())


@pytest.mark.parametrize("name", SPECS)
def test_answers_are_those_of_the_network_at_any_size(name: str, tmp_path: Path) -> None:
    metadata, model = make(name)
    parity = export_onnx(tmp_path / "small.onnx", metadata, model)
    assert parity.deviation <= MOST_DEVIATION
    session = ort.InferenceSession(str(tmp_path / "small.onnx"), providers=["CPUExecutionProvider"])
    assert shapes(session) == (["batch", 3, "height", "width"], ["batch", 5, "height", "width"])
    assert [entry.name for entry in session.get_inputs()] == ["input"]
    predict = Predictor(ModelBundle(metadata, model, ""), device="cpu", precision="float32")
    for seed, (count, height, width) in enumerate(SIZES):
        chips = random_pixels(seed, count, height, width)
        (given,) = session.run(None, {"input": as_deepness_feeds(chips)})
        wanted = predict(chips)
        assert given.shape == wanted.shape == (count, 5, height, width)
        np.testing.assert_allclose(given, wanted, rtol=0, atol=MOST_DEVIATION)
        if seed == 0:
            assert wanted.std(axis=(0, 2, 3)).max() > 0.02  # else anything would agree


@pytest.mark.parametrize("name", ["unet", "vit"])
def test_a_fixed_window_is_what_deepness_accepts(name: str, tmp_path: Path) -> None:
    metadata, model = make(name)
    export_onnx(tmp_path / "small.onnx", metadata, model, window=48)
    session = ort.InferenceSession(str(tmp_path / "small.onnx"), providers=["CPUExecutionProvider"])
    assert shapes(session) == (["batch", 3, 48, 48], ["batch", 5, 48, 48])
    keys = session.get_modelmeta().custom_metadata_map
    assert json.loads(keys["tile_size"]) == json.loads(keys["tiles_size"]) == 48
    assert json.loads(keys[HEADER_KEY])["properties"]["mlm:input"][0]["input"]["shape"] == [-1, 3, 48, 48]
    chips = random_pixels(0, 4, 48, 48)
    (given,) = session.run(None, {"input": as_deepness_feeds(chips)})
    wanted = Predictor(ModelBundle(metadata, model, ""), device="cpu", precision="float32")(chips)
    np.testing.assert_allclose(given, wanted, rtol=0, atol=MOST_DEVIATION)


def test_keys_are_read_as_deepness_reads_them(tmp_path: Path) -> None:
    metadata, model = make("unet")
    export_onnx(tmp_path / "small.onnx", metadata, model)
    file = onnx.load(tmp_path / "small.onnx")
    # what ONNX Runtime 1.12, the oldest for Deepness, reads
    assert [(entry.domain, entry.version) for entry in file.opset_import] == [("", 17)]
    assert file.ir_version <= 8
    keys = {entry.key: entry.value for entry in file.metadata_props}
    assert deepness_keys(metadata).items() <= keys.items()
    assert ast.literal_eval(keys["class_names"]) == {
        "0": "Water",
        "1": "Land",
        "2": "Road",
        "3": "Building",
        "4": "Vegetation",
    }
    assert str(json.loads(keys["model_type"])).capitalize() == "Segmentor"
    assert json.loads(keys["resolution"]) == pytest.approx(60)  # cm
    assert json.loads(keys["seg_thresh"]) == 0  # below a threshold, everything would be Water
    assert json.loads(keys["seg_small_segment"]) == 0
    mean, std = json.loads(keys["standardization_mean"]), json.loads(keys["standardization_std"])
    assert (mean, std) == ([0, 0, 0], [1, 1, 1])  # it is in the graph, see as_deepness_feeds
    item = json.loads(keys[HEADER_KEY])
    assert item["assets"]["model"]["href"] == "./small.onnx"
    assert item["properties"]["landcover:training"]["onnx_parity"]["deviation"] <= MOST_DEVIATION
    assert from_stac_item(item | {"properties": item["properties"] | scaling(metadata)}).scheme == DUBAI


def scaling(metadata: BundleMetadata) -> dict[str, Any]:
    return {"mlm:input": to_stac_item(metadata)["properties"]["mlm:input"]}


def test_a_real_image_is_compared_on_too(tmp_path: Path) -> None:
    metadata, model = make("unet")
    pixels = torch.rand(1, 3, 20, 24)
    parity = export_onnx(tmp_path / "small.onnx", metadata, model, pixels=pixels)
    without = export_onnx(tmp_path / "small.onnx", metadata, model)
    assert parity.pixels == without.pixels + 20 * 24
    assert "an image" in parity.chips
    assert "an image" not in without.chips


def test_a_graph_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata, model = make("unet")
    target = tmp_path / "small.onnx"
    target.write_bytes(b"earlier")
    trace = onnx_export._trace

    def trace_another(description: BundleMetadata, network: SegmentationModel, window: int | None) -> bytes:
        with torch.no_grad():
            network.head.bias += torch.tensor([0.02, 0.0, 0.0, 0.0, 0.0])
            graph = trace(description, network, window)
            network.head.bias -= torch.tensor([0.02, 0.0, 0.0, 0.0, 0.0])
        return graph

    monkeypatch.setattr(onnx_export, "_trace", trace_another)
    with pytest.raises(TrainingError, match="differs from the trained one"):
        export_onnx(target, metadata, model)
    assert target.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [target]


REFUSALS: dict[str, tuple[str, int | None, str]] = {
    "another suffix": ("small.pt", None, "ONNX files end in .onnx"),
    "window": ("small.onnx", 50, "multiple of the network's stride, 4 px, got 50 px. Give 48"),
    "no window": ("small.onnx", 0, "got 0 px"),
    "folder": ("file/small.onnx", None, "cannot be made"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_exported_is_reported(case: str, tmp_path: Path) -> None:
    name, window, message = REFUSALS[case]
    (tmp_path / "file").write_text("")
    with pytest.raises((TrainingError, OutputError), match=message):
        export_onnx(tmp_path / name, *make("unet"), window=window)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named(package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TrainingError, match=rf"require the package {package}, .*pip install"):
        export_onnx(tmp_path / "small.onnx", *make("unet"))
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_none_are_reported(tmp_path: Path) -> None:
    metadata, model = make("unet")

    with torch.no_grad():
        model.head.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="returns NaN"):
        export_onnx(tmp_path / "small.onnx", metadata, model)
