"""The form of 8 bit: nearly the same classes, in the same file, gone when scaling changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.bundle.bundle import load_bundle, open_bundle
from dubai_landcover_plugin.core.bundle.graphs import pack_whole, unpack
from dubai_landcover_plugin.core.bundle.save import add_graphs, replace_metadata
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.training.dataset import write_dataset
from training.__main__ import main
from training.config import TrainingConfig
from training.data.dataset import Dataset
from training.errors import TrainingError
from training.exports import quantize
from training.exports.parity import Parity

pytest.importorskip("nncf")
SHAPE = (3, 64, 64)


@pytest.fixture(autouse=True)
def few_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantize, "_CHIPS", 4)


def test_it_goes_into_the_file_and_computes(
    trained: Callable[[], Path], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained()
    weights = load_bundle(model).model.state_dict()
    assert main(["quantize", str(model), "--data", str(data)]) == 0
    assert "int8 added" in capsys.readouterr().out
    bundle = load_bundle(model)
    assert all((value == weights[key]).all() for key, value in bundle.model.state_dict().items())
    assert bundle.metadata.training["int8"]["agreement"] >= quantize.LEAST_AGREEMENT
    chips = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), np.uint8)
    told: list[tuple[str, str]] = []
    given = Predictor(bundle, "cpu", "int8", shape=SHAPE, log=lambda *line: told.append(line))
    exact = Predictor(bundle, "cpu", "float32", shape=SHAPE)
    assert (given.runtime, given.precision, told) == ("openvino", "int8", [])
    assert 0 < np.abs(given(chips) - exact(chips)).max() < 0.3
    assert main(["card", str(model)]) == 0
    assert "## 8-bit form" in model.with_suffix(".md").read_text(encoding="utf-8")


def test_other_remarks_keep_it_and_another_temperature_drops_it(
    trained: Callable[[], Path], data: Path, tmp_path: Path
) -> None:
    model = trained()
    metadata = read_metadata(model)
    whole = pack_whole(b"<net><layers/><edges/></net>", b"constants")
    add_graphs(model, metadata, {"int8": whole})
    replace_metadata(model, replace(metadata, title="Another"))
    assert open_bundle(model).graph("int8") == whole
    copy = tmp_path / "copy.safetensors"
    assert main(["export", str(model), str(copy), "--storage", "int8", "--no-graphs"]) == 0
    stored = open_bundle(copy).graph("int8")
    assert stored is not None
    assert [bytes(part) for part in unpack(stored, copy)] == [bytes(part) for part in unpack(whole)]
    replace_metadata(model, replace(metadata, temperature=1.5))
    assert open_bundle(model).graph("int8") is None


def test_one_that_differs_too_much_is_not_written(
    trained: Callable[[], Path], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained()
    before = model.read_bytes()
    monkeypatch.setattr(quantize, "_compare", lambda *arguments: Parity(0.9, 0.5, 100, "chips"))
    with pytest.raises(TrainingError, match=r"50\.000 % of 100 pixels"):
        quantize.quantize_model(model, data)
    assert model.read_bytes() == before
    assert list(model.parent.glob(".*")) == []


def test_without_it_a_run_goes_on_in_another_arithmetic(trained: Callable[[], Path]) -> None:
    told: list[tuple[str, str]] = []
    bundle = open_bundle(trained())
    predictor = Predictor(bundle, "cpu", "int8", shape=SHAPE, log=lambda *line: told.append(line))
    assert (predictor.runtime, predictor.precision) == ("openvino", "float32")
    assert "has no int8 graph" in told[0][1]
    with pytest.raises(RuntimeUnavailableError, match="Only OpenVINO supports int8"):
        Predictor(bundle, "cpu", "int8", runtime="torch", shape=SHAPE)
    assert SegmentOptions(precision="int8").precision == "int8"


def test_the_sources_of_the_training_are_read(
    trained: Callable[[], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration with several sources has no images in the data folder itself."""
    model = trained()
    for number in (1, 2):
        write_dataset(tmp_path / "all" / f"part{number}")
    sources = [{"name": f"s{number}", "folder": f"part{number}", "gsd": 1.0} for number in (1, 2)]
    metadata = read_metadata(model)
    config = TrainingConfig.from_mapping({"sources": sources, "model": {"gsd": 1.0}})
    training = {**metadata.training, "config": json.loads(json.dumps(config.to_json()))}
    replace_metadata(model, replace(metadata, training=training))
    seen: list[set[str]] = []

    def draw(dataset: Dataset, side: int, count: int) -> list[np.ndarray]:
        seen.append({entry.name.partition("/")[0] for entry in dataset.entries})
        raise TrainingError("Enough.")

    monkeypatch.setattr(quantize, "_draw", draw)
    for folder in ("all", "all/part1"):  # the second one has other images
        with pytest.raises(TrainingError, match="Enough"):
            quantize.quantize_model(model, tmp_path / folder)
    assert seen == [{"s1", "s2"}, {"tile1", "tile2"}]
    monkeypatch.undo()
    assert main(["export", str(model), str(tmp_path / "copy.safetensors"), "--data", str(tmp_path / "all")]) == 0
