"""Damaged graphs in model files: they are refused, or compute with the shape that the metadata state."""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, load_bundle, open_bundle
from dubai_landcover_plugin.core.bundle.save import add_graphs
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.core.runtimes.openvino_runtime import OpenVinoRuntime, convert_network, pack_graph
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec
from tests.factories import METADATA, write_tiny_model

pytest.importorskip("openvino")
NUMBER = re.compile(rb'(?<=[">])(-?\d+)(?=["<])')


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelBundle:
    return load_bundle(write_tiny_model(tmp_path_factory.mktemp("graphs") / "m.safetensors"))


@pytest.fixture(scope="module")
def parts(model: ModelBundle) -> tuple[bytes, bytes]:
    """XML and weights of the graph."""
    packed = pack_graph(convert_network(model))
    end = 8 + int.from_bytes(packed[:8], "little")
    return zlib.decompress(packed[8:end]), packed[end:]


def pack(text: bytes, weights: bytes) -> bytes:
    packed = zlib.compress(text)
    return len(packed).to_bytes(8, "little") + packed + weights


def compute(model: ModelBundle, graph: bytes, path: Path) -> tuple[int, ...] | None:
    """Return the shape that a model file with this graph computes; None if the graph is refused."""
    assert model.path is not None
    path.write_bytes(model.path.read_bytes())
    add_graphs(path, model.metadata, {"int8": graph})
    try:
        runtime = OpenVinoRuntime(open_bundle(path), False, (3, 64, 64), "cpu", "int8", 1)
    except RuntimeUnavailableError:
        return None
    try:
        return tuple(runtime.submit(np.zeros((1, 3, 64, 64), np.uint8)).result().shape)
    finally:
        runtime.close()


def test_a_graph_is_computed(model: ModelBundle, parts: tuple[bytes, bytes], tmp_path: Path) -> None:
    assert compute(model, pack(*parts), tmp_path / "c.safetensors") == (1, 5, 64, 64)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text, weights: b"\0",
        lambda text, weights: b"\xff" * 100,
        lambda text, weights: pack(b" " * (65 << 20), weights),
        lambda text, weights: pack(text[:-100], weights),
        lambda text, weights: pack(text, weights[: len(weights) // 2]),
        lambda text, weights: pack(text, weights)[:500],
        lambda text, weights: (10**15).to_bytes(8, "little") + pack(text, weights)[8:],
    ],
    ids=["empty", "bytes", "bomb", "cut text", "cut weights", "cut", "length"],
)
def test_damaged_graphs_are_refused(model: ModelBundle, parts: tuple[bytes, bytes], tmp_path: Path, damage) -> None:
    assert compute(model, damage(*parts), tmp_path / "c.safetensors") is None


def test_a_graph_of_other_classes_is_refused(model: ModelBundle, tmp_path: Path) -> None:
    scheme = ClassScheme(DUBAI.classes[:2], DUBAI.unlabeled)
    spec = ModelSpec("unet", 3, 2, {"width": 4})
    metadata = replace(METADATA, spec=spec, scheme=scheme, window=64, stride=16)
    other = ModelBundle(metadata, build_model(spec).eval(), "0" * 64)
    assert compute(model, pack_graph(convert_network(other)), tmp_path / "c.safetensors") is None


@pytest.mark.parametrize("seed", range(2))
def test_changed_bytes_and_numbers(model: ModelBundle, parts: tuple[bytes, bytes], tmp_path: Path, seed: int) -> None:
    text, weights = parts
    random_ = random.Random(seed)
    for _ in range(4):
        if random_.random() < 0.5:
            place = random_.choice(list(NUMBER.finditer(text)))
            new = random_.choice((b"-1", b"0", b"7", b"1000000", b"9999999999", b"18446744073709551615"))
            damaged = text[: place.start()] + new + text[place.end() :]
        else:
            changed = bytearray(text)
            for _ in range(random_.choice((1, 2, 5))):
                changed[random_.randrange(len(changed))] = random_.randrange(32, 127)
            damaged = bytes(changed)
        assert compute(model, pack(damaged, weights), tmp_path / "c.safetensors") in (None, (1, 5, 64, 64))
