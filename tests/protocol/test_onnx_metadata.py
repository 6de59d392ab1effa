"""Metadata of third-party ONNX files, read without a package."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.onnx_metadata import read_onnx
from tests.factories import write_onnx


def test_it_is_read_without_a_package(tmp_path):
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
def test_what_is_missing_is_told(tmp_path, keys, message):
    with pytest.raises(BundleError, match=message):
        read_metadata(write_onnx(tmp_path / "m.onnx", **keys))


def test_names_that_are_equal_or_missing_are_told_apart(tmp_path):
    path = write_onnx(tmp_path / "m.onnx", class_names={"0": "field", "1": "field"})
    assert [entry.name for entry in read_metadata(path).scheme.classes] == ["field 0", "field 1", "Class 2"]
    path = write_onnx(tmp_path / "m.onnx", classes=1, class_names={"0": "roof"})
    assert [entry.name for entry in read_metadata(path).scheme.classes] == ["Background", "roof"]


@pytest.mark.parametrize("harm", [lambda data: b"", lambda data: b"no network", lambda data: data[: len(data) // 2]])
def test_another_file_is_refused(tmp_path, harm):
    path = write_onnx(tmp_path / "m.onnx")
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(BundleError):
        read_metadata(path)


def test_a_network_of_another_kind_is_refused(tmp_path):
    path = write_onnx(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.output.append(model.graph.output[0])
    onnx.save(model, path)
    with pytest.raises(BundleError, match="1 inputs and 2 outputs"):
        read_metadata(path)


def test_large_weights_are_not_read(tmp_path):
    """Weights that older files list among the inputs are no inputs, however large."""
    path = write_onnx(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1 << 19), np.float32), "large"))
    model.graph.input.append(helper.make_tensor_value_info("large", TensorProto.FLOAT, [1 << 19]))
    onnx.save(model, path)
    assert read_metadata(path).bands == ("red", "green", "blue")


def test_sides_are_read_whether_fixed_or_not(tmp_path):
    fixed = read_onnx(write_onnx(tmp_path / "m.onnx", side=96), "item")
    assert (fixed.input.shape, fixed.window, fixed.is_fixed) == ((None, 3, 96, 96), 96, True)
    free = read_onnx(write_onnx(tmp_path / "m.onnx", tile_size=None, tiles_size=80), "item")
    assert (free.input.shape, free.window, free.is_fixed) == ((None, 3, None, None), 80, False)
    assert read_onnx(write_onnx(tmp_path / "m.onnx", tile_size=None), "item").window == 512


@pytest.mark.parametrize("keys", [{"resolution": 0}, {"resolution": -5.0}, {"tile_size": 0}])
def test_sizes_must_be_positive(tmp_path, keys):
    with pytest.raises(BundleError, match="must be positive"):
        read_onnx(write_onnx(tmp_path / "m.onnx", **keys), "item")


def test_a_model_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BundleError, match=r"gone\.onnx cannot be read"):
        read_onnx(tmp_path / "gone.onnx", "item")


def test_absurd_numbers_of_classes_are_refused_at_once(tmp_path):
    path = write_onnx(tmp_path / "m.onnx")
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 2**62
    onnx.save(model, path)
    with pytest.raises(BundleError, match="the maximum is 253"):
        read_metadata(path)
