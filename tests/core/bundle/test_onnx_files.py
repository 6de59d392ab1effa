"""All files of an ONNX model count: weights stored beside it as much as the model itself."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.bundle.onnx_files import external_files
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.factories import ONNX_WEIGHTS, random_pixels, write_onnx, write_raster


def write_outside(path, location="weights.bin"):
    """Write a model whose weights are in a file beside it."""
    model = onnx.load(write_onnx(path))
    tensor = model.graph.initializer[0]
    set_external_data(tensor, location)
    tensor.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    if location == "weights.bin":
        write_weights(path, ONNX_WEIGHTS)
    return path


def write_weights(path, values):
    """Replace the weights; size and modification time stay."""
    weights = path.with_name("weights.bin")
    weights.write_bytes(values.tobytes())
    os.utime(weights, (1e9, 1e9))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "model").mkdir()
    return write_outside(tmp_path / "model" / "m.onnx")


def probabilities(path, runtime):
    predictor = Predictor(open_bundle(path), "cpu", "float32", runtime=runtime, shape=(3, 64, 64))
    try:
        return predictor(random_pixels(64, 64)[None])
    finally:
        predictor.close()


def test_the_digest_covers_all_files_and_is_that_of_the_file_if_there_is_one(path, tmp_path):
    first = open_bundle(path)
    assert [os.path.basename(file.path) for file in first.files] == ["m.onnx", "weights.bin"]
    write_weights(path, ONNX_WEIGHTS[::-1])
    assert open_bundle(path).digest != first.digest
    assert not first.is_unchanged
    write_weights(path, ONNX_WEIGHTS)
    assert open_bundle(path).digest == first.digest
    whole = write_onnx(tmp_path / "whole.onnx")
    assert open_bundle(whole).digest == hashlib.sha256(whole.read_bytes()).hexdigest()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_new_weights_are_not_computed_with_the_network_in_the_cache(path, runtime):
    pytest.importorskip(runtime)
    old = probabilities(path, runtime)
    write_weights(path, ONNX_WEIGHTS[::-1])
    new = probabilities(path, runtime)
    np.testing.assert_allclose(new, old[:, ::-1], atol=1e-4)
    assert np.abs(new - old).max() > 0.1


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_weights_that_change_after_opening_are_noticed_before_the_network_is_used(path, runtime):
    pytest.importorskip(runtime)
    write_weights(path, 2 * ONNX_WEIGHTS)  # which no other test has in the cache
    bundle = open_bundle(path)
    write_weights(path, ONNX_WEIGHTS[::-1])
    with pytest.raises(BundleError, match=r"m\.onnx was changed or replaced while it was in use"):
        Predictor(bundle, "cpu", "float32", runtime=runtime, shape=(3, 64, 64))


def test_a_batch_with_new_weights_is_done_again(path, tmp_path):
    write_raster(tmp_path / "in" / "a.tif", random_pixels(20, 20))
    options = SegmentOptions(model=str(path), device="cpu")
    request = FolderRequest(str(tmp_path / "in"), str(tmp_path / "out"), options=options)
    assert run_folder(request).done == 1
    assert run_folder(request).skipped == 1
    write_weights(path, ONNX_WEIGHTS[::-1])
    assert run_folder(request).done == 1


def outside(location):
    tensor = TensorProto(data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def test_tensors_anywhere_in_the_model_are_found(tmp_path):
    def constant(name):
        return helper.make_node("Constant", [], ["c"], value=outside(name))

    branch = helper.make_graph([constant("branch")], "branch", [], [], [outside("initializer of a branch")])
    condition = helper.make_node("If", ["c"], ["d"], then_branch=branch, else_branch=helper.make_graph([], "e", [], []))
    several = helper.make_node("Own", [], [], domain="own", tensors=[outside("list")], graphs=[branch])
    sparse = onnx.SparseTensorProto(values=outside("values"), indices=outside("indices"), dims=[1])
    graph = helper.make_graph(
        [constant("node"), condition, several], "graph", [], [], [outside("initializer")], sparse_initializer=[sparse]
    )
    function = helper.make_function("own", "Own", [], [], [constant("function")], [])
    model = helper.make_model(graph, functions=[function])
    model.training_info.add().algorithm.CopyFrom(helper.make_graph([constant("training")], "t", [], []))
    names = {
        "node", "branch", "initializer of a branch", "list", "values", "indices", "initializer", "function", "training",
    }  # fmt: skip
    for name in names:
        (tmp_path / name).touch()
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert {file.name for file in external_files(path)} == names


@pytest.mark.parametrize("location", ["/etc/hostname", "../weights.bin", "sub/../../weights.bin"])
def test_weights_outside_of_the_folder_are_refused(tmp_path, location):
    (tmp_path / "weights.bin").write_bytes(ONNX_WEIGHTS.tobytes())
    (tmp_path / "model").mkdir()
    with pytest.raises(BundleError, match="outside of its folder"):
        open_bundle(write_outside(tmp_path / "model" / "m.onnx", location))


@pytest.mark.parametrize("location", ["none.bin", "", "folder", "pipe", "a\0b", "x" * 5000])
def test_weights_that_are_not_there_are_named(tmp_path, location):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BundleError, match="is missing"):
        open_bundle(write_outside(tmp_path / "m.onnx", location))


def test_deeply_nested_messages_are_refused(tmp_path):
    message = b""
    for _ in range(50):
        for field in (6, 5, 1):  # graph of an attribute of a node of a graph
            size = len(message)
            message = bytes([field << 3 | 2, size & 127 | 128, size >> 7]) + message
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes([7 << 3 | 2, len(message) & 127 | 128, len(message) >> 7]) + message)
    with pytest.raises(BundleError, match="levels"):
        external_files(path)


def test_numbers_survive(tmp_path):
    """A model with many values that are not in a file of their own has no other files."""
    model = onnx.load(write_onnx(tmp_path / "m.onnx"))
    model.graph.initializer.append(numpy_helper.from_array(np.arange(100_000, dtype=np.float32), "more"))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert external_files(tmp_path / "m.onnx") == []
