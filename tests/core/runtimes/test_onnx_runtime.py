"""ONNX files of anybody's: described without a package, computed by ONNX Runtime and OpenVINO alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.core.segmentation.segment import segment_raster
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_metadata import read_metadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import random_pixels, write_raster

KEYS = {
    "model_type": "Segmentor", "class_names": {"0": "sand", "1": "roof", "2": "palm"}, "resolution": 100.0,
    "tile_size": 64, "tiles_overlap": 15, "seg_thresh": 0.5, "standardization_mean": [0.4, 0.5, 0.6],
    "standardization_std": [0.2, 0.25, 0.3],
}  # fmt: skip
WEIGHTS = np.random.default_rng(3).normal(size=(3, 3, 1, 1)).astype(np.float32)


def write_onnx(path: Path, last: str | None = None, classes: int = 3, side: int | None = None, **keys: object) -> Path:
    """Write a pixelwise network: a convolution, then perhaps Softmax or Sigmoid."""
    sides = [side or "height", side or "width"]
    nodes = [helper.make_node("Conv", ["pixels", "weights"], ["scores"])]
    if last:
        nodes.append(helper.make_node(last, ["scores"], ["given"], **({"axis": 1} if last == "Softmax" else {})))
    graph = helper.make_graph(
        nodes, "pixelwise",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, *sides])],
        [helper.make_tensor_value_info("given" if last else "scores", TensorProto.FLOAT, ["batch", classes, *sides])],
        [numpy_helper.from_array(WEIGHTS[:classes], "weights")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    values = {key: value for key, value in {**KEYS, **keys}.items() if value is not None}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in values.items()})
    onnx.save(model, path)
    return path


def expected(pixels: np.ndarray, classes: int = 3) -> np.ndarray:
    """Return (K, H, W) probabilities for (3, H, W) uint8, from the definition."""
    mean, std = (np.array(KEYS[f"standardization_{name}"])[:, None, None] for name in ("mean", "std"))
    scores = np.einsum("kc,chw->khw", WEIGHTS[:classes, :, 0, 0], (pixels / 255 - mean) / std)
    if classes == 1:
        found = 1 / (1 + np.exp(-scores))
        return np.concatenate([1 - found, found])
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


class TestDescription:
    def test_it_is_read_without_a_package(self, tmp_path):
        known = read_metadata(write_onnx(tmp_path / "palms.onnx", side=96))
        assert (known.name, known.bands, known.gsd) == ("palms", ("red", "green", "blue"), 1.0)
        assert (known.window, known.stride) == (96, 96)
        assert [entry.name for entry in known.scheme.entries] == ["sand", "roof", "palm", "Unlabeled"]
        assert known.mean == pytest.approx((0.4, 0.5, 0.6))
        free = read_metadata(write_onnx(tmp_path / "free.onnx", tile_size=100))
        assert (free.window, free.stride) == (96, 32)

    @pytest.mark.parametrize(
        ("keys", "message"),
        [
            ({"resolution": None}, "no number under 'resolution'"),
            ({"resolution": "coarse"}, "no number under 'resolution'"),
            ({"model_type": "Detector"}, "is a Detector"),
            ({"standardization_mean": [0.1]}, "needs 3 numbers under 'standardization_mean'"),
            ({"class_names": ["a", "b"]}, "must be an object"),
        ],
    )
    def test_what_is_missing_is_told(self, tmp_path, keys, message):
        with pytest.raises(BundleError, match=message):
            read_metadata(write_onnx(tmp_path / "m.onnx", **keys))

    def test_names_that_are_equal_or_missing_are_told_apart(self, tmp_path):
        path = write_onnx(tmp_path / "m.onnx", class_names={"0": "field", "1": "field"})
        assert [entry.name for entry in read_metadata(path).scheme.classes] == ["field 0", "field 1", "Class 2"]
        path = write_onnx(tmp_path / "m.onnx", classes=1, class_names={"0": "roof"})
        assert [entry.name for entry in read_metadata(path).scheme.classes] == ["Background", "roof"]

    @pytest.mark.parametrize(
        "harm", [lambda data: b"", lambda data: b"no network", lambda data: data[: len(data) // 2]]
    )
    def test_another_file_is_refused(self, tmp_path, harm):
        path = write_onnx(tmp_path / "m.onnx")
        path.write_bytes(harm(path.read_bytes()))
        with pytest.raises(BundleError):
            read_metadata(path)

    def test_a_network_of_another_kind_is_refused(self, tmp_path):
        path = write_onnx(tmp_path / "m.onnx")
        model = onnx.load(path)
        model.graph.output.append(model.graph.output[0])
        onnx.save(model, path)
        with pytest.raises(BundleError, match="1 inputs and 2 outputs"):
            read_metadata(path)

    def test_large_weights_are_not_read(self, tmp_path):
        """Weights that older files list among the inputs are no inputs, however large."""
        path = write_onnx(tmp_path / "m.onnx")
        model = onnx.load(path)
        model.graph.initializer.append(numpy_helper.from_array(np.zeros((1 << 19), np.float32), "large"))
        model.graph.input.append(helper.make_tensor_value_info("large", TensorProto.FLOAT, [1 << 19]))
        onnx.save(model, path)
        assert read_metadata(path).bands == ("red", "green", "blue")


class TestRuns:
    @pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
    @pytest.mark.parametrize(("last", "classes"), [(None, 3), ("Softmax", 3), (None, 1), ("Sigmoid", 1)])
    def test_probabilities_are_those_of_the_definition(self, tmp_path, runtime, last, classes):
        names = {"class_names": {"0": "rest", "1": "roof"}} if classes == 1 else {}
        bundle = open_bundle(write_onnx(tmp_path / "m.onnx", last, classes, **names))
        predictor = Predictor(bundle, "cpu", "float32", runtime=runtime, shape=(3, 64, 96))
        chips = np.stack([random_pixels(64, 96, seed) for seed in range(2)])
        given = predictor(chips)
        predictor.close()
        for chip, probabilities in zip(chips, given, strict=True):
            np.testing.assert_allclose(probabilities, expected(chip, classes), atol=1e-4)

    @pytest.mark.parametrize(("height", "width"), [(150, 200), (40, 30)])
    @pytest.mark.parametrize("side", [None, 64])
    def test_a_raster_of_any_size_is_segmented(self, tmp_path, height, width, side):
        pixels = random_pixels(height, width)
        source = write_raster(tmp_path / "in.tif", pixels)
        model = write_onnx(tmp_path / "m.onnx", side=side)
        result = segment_raster(
            SegmentationRequest(str(source), str(tmp_path / "out.tif"), SegmentOptions(model=str(model)))
        )
        counts = np.bincount(expected(pixels).argmax(axis=0).ravel(), minlength=3)
        assert result.runtime == "onnxruntime"
        assert [result.pixels[name] for name in ("sand", "roof", "palm")] == pytest.approx(counts, abs=2)

    def test_openvino_is_tried_on_a_larger_raster(self, tmp_path):
        pytest.importorskip("openvino")
        source = write_raster(tmp_path / "in.tif", random_pixels(1500, 1500))
        options = SegmentOptions(model=str(write_onnx(tmp_path / "m.onnx", side=256)), device="cpu")
        result = segment_raster(SegmentationRequest(str(source), str(tmp_path / "out.tif"), options))
        assert result.runtime in ("openvino", "onnxruntime")
        assert result.valid_pixels == 1500 * 1500

    def test_what_does_not_go_is_told(self, tmp_path):
        bundle = open_bundle(write_onnx(tmp_path / "m.onnx"))
        with pytest.raises(RuntimeUnavailableError, match="torch does not support ONNX models"):
            Predictor(bundle, "cpu", runtime="torch")
        with pytest.raises(RuntimeUnavailableError, match="augmentation"):
            Predictor(bundle, "cpu", tta=True)
        with pytest.raises(BundleError, match="no network for PyTorch"):
            _ = bundle.model

    def test_scores_on_other_pixels_are_refused(self, tmp_path):
        path = write_onnx(tmp_path / "m.onnx")
        model = onnx.load(path)
        model.graph.node[0].attribute.append(helper.make_attribute("strides", [2, 2]))
        onnx.save(model, path)
        with pytest.raises(RuntimeUnavailableError, match="3 classes on the same pixels"):
            Predictor(open_bundle(path), "cpu", runtime="onnxruntime", shape=(3, 64, 64))
