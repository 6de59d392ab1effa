"""From checkpoint to model files through the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.ground_samples import DISTANCES, GroundSamples
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics
from tests.training.dataset import SMALL_RUN, write_dataset
from training.__main__ import main
from training.config import TrainingConfig
from training.errors import TrainingError
from training.exports import export as exporting
from training.exports.export import Remarks, export_model, load_average
from training.exports.parity import LEAST_AGREEMENT, Parity, compare, random_chips, require
from training.loop.checkpoint import LAST, Checkpoint, save_checkpoint
from training.loop.provenance import current_commit, describe_machine

OWN = ClassScheme(
    (LandCoverClass(1, "Palm grove", "#00FF00"), LandCoverClass(2, "Sea", "#0000FF")),
    LandCoverClass(3, "Unknown", "#000000"),
)


def make_checkpoint(path: Path, scheme: ClassScheme = DUBAI, width: int = 4, **values: Any) -> Path:
    """Write a checkpoint of a tiny network whose averaged weights are not the last ones."""
    torch.manual_seed(5)
    config = TrainingConfig.from_mapping(
        {
            "model": {
                "architecture": "unet",
                "arguments": {"width": width, "depth": 1},
                "pretrained": False,
                "window": 32,
            },
            "data": {"title": "Our labels, CC BY 4.0"},
        }
    )
    model, average = (build_model(config.model.spec(len(scheme.classes))) for _ in range(2))
    for network in (model, average):  # else fresh networks give one class everywhere
        with torch.no_grad():
            network.head.weight *= 2000
            network.head.bias -= network.eval()(random_chips((1, 3, 32, 32))).mean((0, 2, 3))
    save_checkpoint(
        path, Checkpoint(config, 40, model.state_dict(), average.state_dict(), {}, 90.0, scheme=scheme, **values)
    )
    return path


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return make_checkpoint(
        tmp_path / "last.ckpt",
        title="Our labels, CC BY 4.0",
        split="Tile 2 kept out.",
        machine="A processor, 2 cores",
        commit="abc123",
    )


def figures(names: list[str] | None = None) -> dict[str, Any]:
    names = names or [entry.name for entry in DUBAI.classes]
    return {
        "split": "Places of the fold.",
        "pixels": 2_500_000,
        "accuracy": 0.87,
        "miou": 0.7,
        "classes": {name: {"iou": 0.7, "precision": 0.8, "recall": 0.8} for name in names},
        "confusion": [[90 if i == j else 2 for j in range(len(names))] for i in range(len(names))],
        "images": [{"name": "image1", "confusion": [[1]]}],
        "scheme": {},
    }


RUN = f"""{SMALL_RUN}batch = 2
[optimizer]
steps = 12
rate = 1e-2
warmup = 2
average = 0.5
"""


def test_from_training_over_export_to_evaluation(tmp_path: Path) -> None:
    data, run, model = write_dataset(tmp_path / "data"), tmp_path / "run", tmp_path / "small.safetensors"
    (tmp_path / "small.toml").write_text(RUN)
    assert main(["train", str(tmp_path / "small.toml"), "--data", str(data), "--run", str(run)]) == 0
    assert export(run / LAST, model, "--data", data) == 0
    metadata = read_metadata(model)
    assert metadata.training["steps"] == 12
    assert metadata.training["machine"] == describe_machine()
    trained = metadata.metrics["accuracy"]

    figures_file = tmp_path / "figures.json"
    arguments = ["--data", str(data), "--validation", "--precision", "float32", "--output", str(figures_file)]
    assert main(["evaluate", str(model), *arguments]) == 0
    assert export(model, model, "--figures", figures_file) == 0
    metadata = read_metadata(model)
    assert metadata.metrics["accuracy"] == pytest.approx(trained, abs=0.02)  # windows, and float16 weights
    assert "intervals" in metadata.metrics
    assert "| Pixel accuracy |" in model.with_suffix(".md").read_text()


def export(*arguments: object) -> int:
    return main(["export", *map(str, arguments)])


def test_a_bundle_has_the_averaged_weights_and_reports_its_parity(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "models" / "small.safetensors"
    (tmp_path / "f.json").write_text(json.dumps(figures()))
    (tmp_path / "n.md").write_text("It takes **pools** for water.\n")
    arguments = ["--figures", tmp_path / "f.json", "--notes", tmp_path / "n.md", "--trained-by", "train small.toml"]
    assert export(checkpoint, target, "--stac", *arguments) == 0
    bundle = load_bundle(target)
    metadata = bundle.metadata
    assert (metadata.name, metadata.dataset) == ("small", "Our labels, CC BY 4.0")
    assert (metadata.training["machine"], metadata.training["commit"]) == ("A processor, 2 cores", "abc123")
    assert metadata.metrics["accuracy"] == 0.87
    assert not {"images", "scheme"} & set(metadata.metrics)
    assert metadata.training["parity"]["agreement"] >= LEAST_AGREEMENT
    assert 1e-6 < metadata.training["parity"]["deviation"] < 0.05  # 16 bit against 32

    chips = torch.randn(1, 3, 40, 33)
    loaded, network = load_average(checkpoint)
    with torch.inference_mode():
        torch.testing.assert_close(bundle.model(chips), network(chips), rtol=0, atol=0.1)
        network.load_state_dict(loaded.model)  # the last weights, which are others
        assert (bundle.model(chips) - network(chips)).abs().max() > 1

    card = target.with_suffix(".md").read_text()
    for part in ("Places of the fold.", "train small.toml", "It takes **pools** for water.", "abc123", "Our labels"):
        assert part in card
    item = json.loads(target.with_suffix(".json").read_text())
    assert item["properties"]["landcover:training"]["parity"] == metadata.training["parity"]
    assert "Agreement with" in capsys.readouterr().out


def test_a_bundle_of_own_classes(tmp_path: Path) -> None:
    path = make_checkpoint(tmp_path / "last.ckpt", OWN, figures=figures(["Palm grove", "Sea"]), split="By hand.")
    metadata = export_model(path, tmp_path / "own.safetensors", Remarks(title="Palms", licence="MIT"), report=str)
    assert read_metadata(tmp_path / "own.safetensors").scheme == OWN
    assert (metadata.title, metadata.licence) == ("Palms", "MIT")
    assert metadata.metrics["accuracy"] == 0.87  # those of the checkpoint
    card = (tmp_path / "own.md").read_text()
    assert "| 1 | Palm grove | #00FF00 |" in card
    assert "Dubai" not in card
    assert "Exported" in card  # and on what, since the checkpoint does not tell


def test_a_bundle_can_be_given_figures_later(checkpoint: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    before = export_model(checkpoint, first, report=str)
    (tmp_path / "f.json").write_text(json.dumps(figures()))
    after = export_model(first, second, Remarks(figures=tmp_path / "f.json", split="Other words."), report=str)
    assert after.metrics["split"] == "Other words."
    assert after.training["parity"] == before.training["parity"]  # against the checkpoint, still
    weights = [load_bundle(path).model.state_dict() for path in (first, second)]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    export_model(second, second, Remarks(title="In place"), report=str)
    assert read_metadata(second).title == "In place"
    assert read_metadata(second).metrics["accuracy"] == 0.87


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
def test_a_model_that_exists_is_replaced_only_on_request(suffix: str, checkpoint: Path, tmp_path: Path) -> None:
    target = tmp_path / f"own{suffix}"
    target.write_bytes(b"a model of weeks")
    with pytest.raises(TrainingError, match=r"own\S+ exists. .*--overwrite"):
        export_model(checkpoint, target, report=str)
    assert target.read_bytes() == b"a model of weeks"
    if suffix == ".safetensors":
        assert export(checkpoint, target, "--overwrite") == 0
        assert read_metadata(target).name == "own"


def test_a_card_can_be_made_anew(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_model(checkpoint, tmp_path / "small.safetensors", report=str)
    card = tmp_path / "small.md"
    text = card.read_text()
    card.write_text("lost")
    assert main(["card", str(tmp_path / "small.safetensors")]) == 0
    assert card.read_text() == text
    assert main(["card", str(card)]) == 1
    assert "Cards are written for .safetensors files" in capsys.readouterr().err


def test_a_real_image_counts_in_the_parity(checkpoint: Path, tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    without = export_model(checkpoint, tmp_path / "one.safetensors", report=str).training["parity"]
    parity = export_model(checkpoint, tmp_path / "two.safetensors", data=data, report=str).training["parity"]
    assert parity["pixels"] == without["pixels"] + 32 * 32
    assert "an image" in parity["chips"]


@pytest.mark.parametrize("kind", ["checkpoint", "bundle"])
def test_onnx_from_both_sources(kind: str, checkpoint: Path, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("onnx", reason="onnx is not installed")
    source = checkpoint
    if kind == "bundle":
        source = tmp_path / "small.safetensors"
        export_model(checkpoint, source, report=str)
    assert export(source, tmp_path / "small.onnx", "--stac", "--fixed-window", 64) == 0
    session = runtime.InferenceSession(str(tmp_path / "small.onnx"), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, 64, 64]
    assert (tmp_path / "small.onnx.json").is_file()


def broken_copy(path: Path, change: Callable[[Checkpoint], Checkpoint]) -> Path:
    other = path.with_name("other.ckpt")
    save_checkpoint(other, change(load_average(path)[0]))
    return other


def test_a_checkpoint_of_another_network_lists_what_differs(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wider = load_average(make_checkpoint(tmp_path / "wide.ckpt", width=6))[0].average
    wider["surplus"] = wider.pop("head.bias")
    other = broken_copy(checkpoint, lambda loaded: replace(loaded, average=wider))
    assert export(other, tmp_path / "small.safetensors") == 1
    told = capsys.readouterr().err
    for part in (
        "weights of another network",
        "Missing (1): head.bias",
        "Unexpected (1): surplus",
        "(6×3×3×3 instead of 4×3×3×3)",
    ):
        assert part in told
    assert not (tmp_path / "small.safetensors").exists()


REFUSALS: dict[str, tuple[str, list[str], str]] = {
    "suffix": ("small.pth", [], "Export to '.pth' is not supported"),
    "name": ("1.safetensors", [], "at least three characters"),
    "window of a bundle": ("small.safetensors", ["--fixed-window", "64"], "Only ONNX files"),
    "window": ("small.onnx", ["--fixed-window", "63"], "multiple of the network's stride, 2 px"),
    "no figures": ("small.safetensors", ["--figures", "nowhere.json"], "nowhere.json cannot be read"),
    "figures in no JSON": ("small.safetensors", ["--figures", "text.md"], "is not valid JSON"),
    "figures of other classes": ("small.safetensors", ["--figures", "own.json"], "of the classes .*'Sea'"),
    "figures in a list": ("small.safetensors", ["--figures", "list.json"], "metrics of the classes None"),
    "figures without classes": ("small.safetensors", ["--figures", "three.json"], "metrics of the classes None"),
    "figures that are no numbers": (
        "small.safetensors",
        ["--figures", "words.json"],
        "has 'x' instead of a number",
    ),
    "no notes": ("small.safetensors", ["--notes", "nowhere.md"], "nowhere.md cannot be read"),
    "no data": ("small.safetensors", ["--data", "nowhere"], "nowhere does not exist"),
    "empty data": ("small.safetensors", ["--data", "empty"], "empty"),
    "folder": ("text.md/small.safetensors", [], "cannot be written"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_exported_is_reported(
    case: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.md").write_text("text")
    Path("own.json").write_text(json.dumps(figures(["Palm grove", "Sea"])))
    Path("list.json").write_text("[1]")
    Path("three.json").write_text('{"classes": 3}')
    Path("words.json").write_text(json.dumps({**figures(), "miou": "x"}))
    Path("empty").mkdir()
    name, arguments, message = REFUSALS[case]
    assert export(checkpoint, name, *arguments) == 1
    assert re.search(f"error: .*{message}", capsys.readouterr().err)
    assert not list(tmp_path.rglob("*small*"))


def test_own_texts_are_not_replaced_by_a_card(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = tmp_path / "small.md"
    notes.write_text("My notes")
    assert export(checkpoint, tmp_path / "small.safetensors", "--notes", notes) == 1
    assert "small.md, which is not a model card. Rename that file" in capsys.readouterr().err
    assert notes.read_text() == "My notes"
    assert not (tmp_path / "small.safetensors").exists()
    assert export(checkpoint, tmp_path / "model.safetensors", "--notes", notes) == 0
    assert export(checkpoint, tmp_path / "model.safetensors", "--notes", notes, "--overwrite") == 0  # with its card


def test_a_missing_or_damaged_source_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert export(tmp_path / "none.ckpt", tmp_path / "small.safetensors") == 1
    assert "The checkpoint" in capsys.readouterr().err
    (tmp_path / "bad.safetensors").write_bytes(b"no model")
    assert export(tmp_path / "bad.safetensors", tmp_path / "small.onnx") == 1
    assert "is not a safetensors file" in capsys.readouterr().err


def test_a_bundle_that_answers_otherwise_is_refused(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "small.safetensors"
    target.write_bytes(b"earlier")
    save = exporting.save_bundle

    def save_another(path: Path, metadata: Any, model: Any, *others: object) -> str:
        with torch.no_grad():
            model.head.weight.neg_()  # as if rounding had cost so much
        return save(path, metadata, model)

    def compare_with_original(reference: Any, *rest: Any) -> Parity:
        with torch.no_grad():
            reference.model.head.weight.neg_()
        return compare(reference, *rest)

    monkeypatch.setattr(exporting, "save_bundle", save_another)
    monkeypatch.setattr(exporting, "compare", compare_with_original)
    with pytest.raises(TrainingError, match="differs from the trained one"):
        export_model(checkpoint, target, report=str, overwrite=True)
    assert target.read_bytes() == b"earlier"


def test_parity_counts_pixels_and_finds_the_largest_difference() -> None:
    first = torch.tensor([[0.6, 0.9], [0.4, 0.1]]).view(1, 2, 1, 2)
    second = torch.tensor([[0.45, 0.88], [0.55, 0.12]]).view(1, 2, 1, 2)
    parity = compare(lambda _: first, lambda _: second, [torch.zeros(1), torch.zeros(1)], "two")
    assert (parity.agreement, parity.pixels) == (0.5, 4)
    assert parity.deviation == pytest.approx(0.15)


def test_parity_has_limits() -> None:
    good = Parity(0.002, 0.995, 100, "some")
    assert require(good) is good
    with pytest.raises(TrainingError, match=r"99\.400 %"):
        require(replace(good, agreement=0.994))
    with pytest.raises(TrainingError, match=r"at most 0\.001"):
        require(good, 1e-3)


def test_random_chips_are_always_the_same() -> None:
    chips = random_chips((2, 3, 20, 30))
    assert chips.shape == (2, 3, 20, 30)
    assert torch.equal(chips, random_chips((2, 3, 20, 30)))
    assert 0 <= chips.min() < 0.2
    assert 0.8 < chips.max() <= 1


def test_the_machine_and_the_commit_are_named(tmp_path: Path) -> None:
    assert re.search(r"\d+ cores, .*torch \d", describe_machine())
    assert current_commit(tmp_path) == ""  # no repository
    repository = Path(__file__).resolve().parents[3]
    if (repository / ".git").exists():
        assert re.fullmatch(r"[0-9a-f]{12,}\+?", current_commit(repository))
        assert current_commit(repository / "tests") == ""  # inside somebody else's


@pytest.mark.parametrize(
    ("values", "bands", "numbers"),
    [
        ({"bands": ("nir", "red", "green"), "band_numbers": (4, 1, 2)}, ("nir", "red", "green"), (4, 1, 2)),
        ({"bands": ("nir", "red", "green")}, ("nir", "red", "green"), ()),
        ({}, ("red", "green", "blue"), ()),  # of an earlier version
    ],
)
def test_bands_of_the_training_are_those_of_the_model(
    tmp_path: Path, values: dict[str, Any], bands: tuple[str, ...], numbers: tuple[int, ...]
) -> None:
    source = make_checkpoint(tmp_path / "last.ckpt", **values)
    for suffix in (".safetensors", ".onnx"):
        path = tmp_path / f"small{suffix}"
        assert export(source, path) == 0
        metadata = read_metadata(path)
        assert (metadata.bands, metadata.band_numbers) == (bands, numbers)


def test_values_of_the_training_images_are_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = ValueStatistics((((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5),) * 3,), stretched=True)
    ground = GroundSamples(((1.0,) * 6,) * 9, (0.5,) * DISTANCES, 75.0)
    target = tmp_path / "own.safetensors"
    checkpoint = make_checkpoint(tmp_path / "last.ckpt", values=values.to_json(), ground=ground.to_json())
    assert export(checkpoint, target) == 0
    assert read_metadata(target).values == values
    assert read_metadata(target).ground == ground
    assert export(target, tmp_path / "own.onnx") == 0
    assert read_metadata(tmp_path / "own.onnx").values == values
    assert read_metadata(tmp_path / "own.onnx").ground == ground
    damaged = make_checkpoint(tmp_path / "damaged.ckpt", values={"levels": [1]})
    assert export(damaged, tmp_path / "other.safetensors") == 1
    assert "statistics of the training images in the checkpoint are damaged" in capsys.readouterr().err
