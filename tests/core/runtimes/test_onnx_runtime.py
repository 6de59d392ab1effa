"""ONNX files of anybody's: described without a package, computed by ONNX Runtime and OpenVINO alike."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.runtimes import onnx_runtime
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.core.segmentation.segment import segment_raster
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import ONNX_KEYS, ONNX_WEIGHTS, random_pixels, write_onnx, write_raster


def expected(pixels: np.ndarray, classes: int = 3) -> np.ndarray:
    """Return (K, H, W) probabilities for (3, H, W) uint8, from the definition."""
    mean, std = (np.array(ONNX_KEYS[f"standardization_{name}"])[:, None, None] for name in ("mean", "std"))
    scores = np.einsum("kc,chw->khw", ONNX_WEIGHTS[:classes, :, 0, 0], (pixels / 255 - mean) / std)
    if classes == 1:
        found = 1 / (1 + np.exp(-scores))
        return np.concatenate([1 - found, found])
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


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

    def test_without_onnx_runtime_openvino_computes_the_same(self, tmp_path, monkeypatch):
        pytest.importorskip("openvino")
        source = write_raster(tmp_path / "in.tif", random_pixels(150, 200))
        options = SegmentOptions(model=str(write_onnx(tmp_path / "m.onnx")), device="cpu")
        expected_pixels = segment_raster(SegmentationRequest(str(source), str(tmp_path / "a.tif"), options)).pixels
        monkeypatch.setattr(onnx_runtime, "is_installed", lambda: False)
        result = segment_raster(SegmentationRequest(str(source), str(tmp_path / "b.tif"), options))
        assert result.runtime == "openvino"
        assert list(result.pixels.values()) == pytest.approx(list(expected_pixels.values()), abs=2)
        with pytest.raises(RuntimeUnavailableError, match="Add more formats"):
            Predictor(open_bundle(tmp_path / "m.onnx"), "cpu", runtime="onnxruntime", shape=(3, 64, 64))

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
