from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from tests.factories import METADATA
from training.exports.esri import model_definition, write_esri

onnx = pytest.importorskip("onnx")


def test_a_definition_has_the_keys_that_the_tools_read():
    found = model_definition(METADATA, "a.onnx", "a.py")
    assert (found["ModelType"], found["ModelFile"], found["InferenceFunction"]) == (
        "ImageClassification", "a.onnx", "a.py",
    )  # fmt: skip
    assert found["ExtractBands"] == [0, 1, 2]
    assert (found["ImageHeight"], found["ImageWidth"]) == (METADATA.window, METADATA.window)
    assert [entry["Value"] for entry in found["Classes"]] == [1, 2, 3, 4, 5]
    assert all(len(entry["Color"]) == 3 for entry in found["Classes"])


def write_identity(path: Path, side: int, classes: int) -> None:
    """Write a network whose score of class k is the k-th band, for three bands; the others have 0."""
    weight = np.zeros((classes, 3, 1, 1), np.float32)
    weight[[0, 1, 2], [0, 1, 2]] = 1
    helper = onnx.helper
    graph = helper.make_graph(
        [helper.make_node("Conv", ["input", "weight"], ["scores"])],
        "bands",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, ["n", 3, side, side])],
        [helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["n", classes, side, side])],
        [onnx.numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))


def test_the_raster_function_gives_the_class_of_the_highest_score(tmp_path: Path) -> None:
    side = METADATA.window
    write_identity(tmp_path / "a.onnx", side, 5)
    definition, function = write_esri(tmp_path / "a.emd", METADATA, tmp_path / "a.onnx")
    classifier = runpy.run_path(str(function))["ImageClassifier"]()
    classifier.initialize(model=str(definition))
    assert {item["name"] for item in classifier.getParameterInfo()} >= {"raster", "model", "device", "padding"}
    configuration = classifier.getConfiguration(padding=4)
    assert configuration["tx"] == side - 8
    info = classifier.updateRasterInfo(output_info={})["output_info"]
    table = json.loads(info["rasterAttributeTable"])
    assert table["features"][0]["attributes"]["Classname"] == "Water"
    pixels = np.zeros((3, side, side), np.uint8)
    pixels[0], pixels[2, :, side // 2 :] = 100, 200
    blocks = classifier.updatePixels((0, 0), None, {"pixelType": "u1"}, raster_pixels=pixels)
    result = blocks["output_pixels"]
    assert result.shape == (1, side - 8, side - 8)
    assert set(np.unique(result[0, :, : side // 2 - 4])) == {1}
    assert set(np.unique(result[0, :, side // 2 - 4 :])) == {3}
