"""Graphs are stored without the weights of the file, give the same constants, and spare runs PyTorch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.bundle import load_bundle, open_bundle
from dubai_landcover_plugin.core.bundle.graphs import MAGIC, pack_whole, unpack
from dubai_landcover_plugin.core.bundle.save import add_graphs, replace_metadata, save_bundle
from dubai_landcover_plugin.core.runtimes import openvino_runtime, torch_runtime
from dubai_landcover_plugin.core.runtimes.openvino_runtime import OpenVinoRuntime, convert_network, serialize_graph
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.protocol.errors import LandCoverError
from tests.core.runtimes.test_selection import make_bundle
from tests.factories import random_pixels, write_raster
from training.errors import TrainingError
from training.exports.graphs import add_float_graphs, float_graphs, pack_for

pytest.importorskip("openvino")
SHAPE = (3, 64, 96)
ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "resources" / "models").glob("*.safetensors"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBAI_LANDCOVER_CACHE", str(tmp_path / "cache"))


def write(kind: str, path: Path, storage: str = "int8") -> Path:
    """Write a model file of random weights, without graphs."""
    bundle = make_bundle(kind)
    save_bundle(path, bundle.metadata, bundle.model, storage)
    return path


@pytest.mark.parametrize("kind", ["unet", "unet_efficientnet"])
def test_a_stored_graph_computes_the_bytes_of_the_converted_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, chips = write(kind, tmp_path / "m.safetensors"), random_pixels(*SHAPE[1:])[None]
    without = Predictor(open_bundle(path), "cpu", "float32", runtime="openvino", shape=SHAPE)(chips)
    add_float_graphs(path)
    monkeypatch.setattr(openvino_runtime, "convert_network", lambda *arguments: pytest.fail("converted"))
    given = Predictor(open_bundle(path), "cpu", "float32", shape=SHAPE)
    assert given.runtime == "openvino"
    assert given(chips).tobytes() == without.tobytes()


def test_hardly_any_constants_are_stored(tmp_path: Path) -> None:
    path = write("unet_efficientnet", tmp_path / "m.safetensors")
    bundle = load_bundle(path)
    text, constants = serialize_graph(convert_network(bundle))
    packed = pack_for(path, bundle, text, constants)
    assert packed.startswith(MAGIC)
    given = unpack(packed, path)
    assert (given[0], given[1].tobytes()) == (text, constants)
    assert len(packed) < len(pack_whole(text, constants)) / 10


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A model file and its float32 graph."""
    path = write("unet", tmp_path_factory.mktemp("graphs") / "m.safetensors")
    return path, float_graphs(path, load_bundle(path))["float32"]


@pytest.mark.parametrize(
    "damage",
    [lambda graph: graph[:-20], lambda graph: MAGIC, lambda graph: graph[:40] + b"\0\0\0" + graph[43:]],
    ids=["cut", "empty", "bytes"],
)
def test_a_damaged_graph_is_refused_and_the_network_converted(
    packed: tuple[Path, bytes], tmp_path: Path, damage
) -> None:
    path = Path(shutil.copy(packed[0], tmp_path / "m.safetensors"))
    with pytest.raises(ValueError, match=r"damaged|cut short"):
        unpack(damage(packed[1]), path)
    chips = random_pixels(*SHAPE[1:])[None]
    expected = Predictor(open_bundle(path), "cpu", "float32", runtime="openvino", shape=SHAPE)(chips)
    add_graphs(path, open_bundle(path).metadata, {"float32": damage(packed[1])})
    given = Predictor(open_bundle(path), "cpu", "float32", shape=SHAPE)
    assert (given.runtime, given(chips).tobytes()) == ("openvino", expected.tobytes())


def test_pytorch_is_not_tried_but_used_if_openvino_fails(
    packed: tuple[Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(packed[0], tmp_path / "m.safetensors"))
    add_graphs(path, open_bundle(path).metadata, {"float32": packed[1]})
    lines: list[tuple[str, str]] = []
    chips = random_pixels(*SHAPE[1:])[None]

    def log(level: str, text: str) -> None:
        lines.append((level, text))

    def predictor() -> Predictor:
        return Predictor(open_bundle(path), "cpu", shape=SHAPE, sample=lambda: chips, log=log)

    with monkeypatch.context() as patch:
        patch.setattr(torch_runtime, "TorchRuntime", lambda *arguments: pytest.fail("loaded"))
        assert predictor().runtime == "openvino"
    assert not [text for _, text in lines if "torch" in text]

    def fail(*arguments: object) -> None:
        raise RuntimeUnavailableError("OpenVINO cannot compute this network.")

    monkeypatch.setattr(openvino_runtime, "OpenVinoRuntime", fail)
    assert predictor().runtime == "torch"  # all others fail
    shutil.rmtree(tmp_path / "cache")
    assert predictor().runtime == "torch"  # the reference fails


def test_another_temperature_drops_the_graphs(packed: tuple[Path, bytes], tmp_path: Path) -> None:
    path = Path(shutil.copy(packed[0], tmp_path / "m.safetensors"))
    metadata = open_bundle(path).metadata
    add_graphs(path, metadata, {"float32": packed[1]})
    replace_metadata(path, replace(metadata, title="Another"))
    assert open_bundle(path).graph("float32") == packed[1]
    replace_metadata(path, replace(metadata, temperature=1.5))
    assert not open_bundle(path).has_graph("float32")


def test_a_damaged_int8_graph_is_named(tmp_path: Path) -> None:
    path = write("unet", tmp_path / "m.safetensors")
    add_graphs(path, open_bundle(path).metadata, {"int8": b"any"})
    with pytest.raises(TrainingError, match=r"int8 graph .* cannot be read"):
        add_float_graphs(path)


RUN = """
import sys
from dubai_landcover_plugin.core import segment_raster
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
result = segment_raster(SegmentationRequest(sys.argv[1], sys.argv[2], options=SegmentOptions(model=sys.argv[3])))
print(result.runtime, "torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def raster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_raster(tmp_path_factory.mktemp("raster") / "a.tif", random_pixels(160, 200))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_run_of_a_shipped_model_does_not_load_pytorch(path: Path, raster: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(raster), str(tmp_path / "out.tif"), str(path)],
        capture_output=True, text=True, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.stdout.split() == ["openvino", "False"], done.stderr


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_the_graphs_of_shipped_models_are_those_of_their_networks(shipped: Path) -> None:
    """The constants are those that are traced today, so that the compiled networks compute the same bytes."""
    bundle = load_bundle(shipped)
    stored = bundle.graph("float32")
    assert stored is not None
    assert stored.startswith(MAGIC)
    traced = serialize_graph(convert_network(bundle))[1]
    assert unpack(stored, shipped)[1].tobytes() == traced
    with safe_open(shipped, framework="numpy") as content:
        names = {name for name in content.keys() if name.startswith("graph.")}  # noqa: SIM118
    assert names == {"graph.float32", "graph.float32_tta", "graph.features", "graph.int8"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_int8_graph_of_a_shipped_model_computes(path: Path) -> None:
    chips = random_pixels(64, 64)[None]
    try:
        given = OpenVinoRuntime(open_bundle(path), False, (3, 64, 64), "cpu", "int8", 1)
    except LandCoverError as error:
        pytest.fail(str(error))
    exact = OpenVinoRuntime(open_bundle(path), False, (3, 64, 64), "cpu", "float32", 1)
    results = [runtime.submit(chips).result() for runtime in (given, exact)]
    for runtime in (given, exact):
        runtime.close()
    assert 0 < np.abs(results[0] - results[1]).max() < 0.5
