"""Weights are read without PyTorch, bit for bit, and graphs whose parts do not fit them are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.graphs import MAGIC, Part, open_weights, pack_parts, pack_whole, unpack
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.runtimes.network import fold_norms, norms_to_fold
from tests.core.runtimes.test_selection import SPECS, make_bundle

TEXT, BLOCK = b"<net/>" * 50, np.arange(40, dtype=np.uint8)


def write(kind: str, path: Path, storage: str = "int8", seed: int = 0) -> Path:
    """Write a model file of random weights, without graphs."""
    bundle = make_bundle(kind, seed)
    save_bundle(path, bundle.metadata, bundle.model, storage)
    return path


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("storage", ["int8", "float32"])
def test_weights_read_without_pytorch_are_those_of_the_network(kind: str, storage: str, tmp_path: Path) -> None:
    path = write(kind, tmp_path / "m.safetensors", storage)
    with open_weights(path) as weight:
        for name, value in load_bundle(path).model.state_dict().items():
            np.testing.assert_array_equal(weight(name), value.numpy())


def test_parts_are_computed_from_the_weights(tmp_path: Path) -> None:
    """Plain, folded, literal and quantized parts, the last with a difference of one; other weights are refused."""
    path, other = write("unet", tmp_path / "m.safetensors"), write("unet", tmp_path / "other.safetensors", seed=1)
    model = load_bundle(path).model
    layer, norm, eps = norms_to_fold(model)[0]
    folded = fold_norms(load_bundle(path).model).get_submodule(layer)
    kernel, bias = (getattr(folded, name).detach().numpy() for name in ("weight", "bias"))
    scale = np.abs(kernel).reshape(len(kernel), -1).max(axis=1) / 127
    integers = np.rint(kernel / scale.reshape(-1, 1, 1, 1)).astype(np.int8).reshape(-1)
    integers[0] -= 1
    difference = np.zeros(integers.size, np.uint8)
    difference[0] = 255
    source = Part(kernel.nbytes, "folded", (f"{layer}.weight", norm), eps)
    parts = [
        Part(integers.nbytes, "quantized", source=source, scale=integers.nbytes, exact=False),
        Part(scale.nbytes, "literal"),
        source,
        Part(
            bias.nbytes,
            "folded_bias",
            (norm, *([f"{layer}.bias"] if model.get_submodule(layer).bias is not None else [])),
            eps,
        ),
    ]
    block = np.concatenate([part.view(np.uint8).reshape(-1) for part in (integers, scale, kernel, bias)])
    stored = pack_parts(b"<net/>", block, parts, difference.tobytes() + scale.tobytes())
    text, given = unpack(stored, path)
    assert (text, given.tobytes()) == (b"<net/>", block.tobytes())
    with pytest.raises(ValueError, match="not those of the weights"):
        unpack(stored, other)
    with pytest.raises(ValueError, match=r"the weight .* is missing"):
        unpack(stored, write("vit", tmp_path / "vit.safetensors"))


def test_a_whole_graph_comes_back_without_the_model_file():
    text, block = unpack(pack_whole(TEXT, BLOCK.tobytes()))
    assert text == TEXT
    np.testing.assert_array_equal(block, BLOCK)


def test_a_graph_of_weights_needs_their_file():
    stored = pack_parts(TEXT, BLOCK, [], b"")
    assert stored.startswith(MAGIC)
    with pytest.raises(ValueError, match="needs the weights of its model file"):
        unpack(stored)


@pytest.mark.parametrize("kept", [4, 12])
def test_a_graph_cut_short_is_refused(kept: int):
    with pytest.raises(ValueError, match=r"damaged|cut short"):
        unpack(pack_whole(TEXT, BLOCK.tobytes())[:kept], Path("model.safetensors"))
