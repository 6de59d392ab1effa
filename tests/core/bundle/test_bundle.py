"""Model files: what goes in comes out, and what does not fit is refused."""

from __future__ import annotations

import ast
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dubai_landcover_plugin.core.bundle import bundle as bundle_module
from dubai_landcover_plugin.core.bundle import weights as weights_module
from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.save import Storage, replace_metadata, save_bundle, storage_of
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import HEADER_KEY, SCALE_PREFIX, read_metadata
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.stac_item import to_stac_item

SPEC = ModelSpec("unet", arguments={"width": 4, "depth": 2})
METADATA = BundleMetadata(
    name="small",
    title="A small one",
    spec=SPEC,
    scheme=DUBAI,
    bands=("red", "green", "blue"),
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.25, 0.3),
    gsd=1.0,
    metrics={"accuracy": 0.5},
    training={"finished": "2026-01-01T00:00:00Z"},
)


@pytest.fixture
def model() -> SegmentationModel:
    torch.manual_seed(3)
    network = build_model(SPEC)
    network(torch.randn(2, 3, 32, 32))
    return network.eval()


@pytest.fixture
def path(tmp_path: Path, model: SegmentationModel) -> Path:
    target = tmp_path / "small.safetensors"
    save_bundle(target, METADATA, model)
    return target


def rewrite(path: Path, tensors: dict[str, torch.Tensor], item: object = None) -> None:
    """Write other weights or another description into a bundle."""
    header = item if item is not None else to_stac_item(read_metadata(path))
    save_file(tensors, path, metadata={HEADER_KEY: json.dumps(header)})


def test_description_and_digest_come_back(path: Path, model: SegmentationModel) -> None:
    loaded = load_bundle(path)
    count = sum(parameter.numel() for parameter in model.parameters())
    expected = replace(METADATA, parameters=count, stride=4, receptive_radius=model.receptive_radius)
    assert loaded.metadata == expected
    assert loaded.metadata.mean == pytest.approx(METADATA.mean)
    assert loaded.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_half_weights_are_computed_in_full_precision(path: Path, model: SegmentationModel) -> None:
    loaded = load_bundle(path).model
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32, torch.int64}
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    chips = torch.randn(1, 3, 48, 48)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(chips), model(chips), rtol=1e-2, atol=1e-2)
    stored = load_file(path)
    assert stored["head.weight"].dtype == torch.float16
    assert stored["stem.1.running_var"].dtype == torch.float32


def test_an_installed_name_is_found(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dubai_landcover_plugin.protocol.model_folders.user_model_folder", lambda: tmp_path)
    assert load_bundle("small").metadata.name == "small"


class TestTemperature:
    def test_it_is_kept(self, path: Path) -> None:
        weights = load_file(path)
        digest = replace_metadata(path, replace(read_metadata(path), temperature=1.75))
        loaded = load_bundle(path)
        assert loaded.metadata.temperature == 1.75
        assert loaded.digest == digest
        stored = load_file(path)
        assert {key: value.dtype for key, value in stored.items()} == {k: v.dtype for k, v in weights.items()}
        assert all(torch.equal(stored[key], value) for key, value in weights.items())

    def test_bundles_without_one_have_1(self, path: Path) -> None:
        item = to_stac_item(read_metadata(path))
        assert item["properties"].pop("landcover:temperature") == 1.0
        rewrite(path, load_file(path), item)
        assert load_bundle(path).metadata.temperature == 1.0

    @pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
    def test_impossible_ones_are_refused(self, value: float) -> None:
        with pytest.raises(BundleError, match=f"temperature above 0, got {value}"):
            replace(METADATA, temperature=value)

    def test_another_networks_description_is_refused(self, path: Path) -> None:
        before = path.read_bytes()
        other = replace(read_metadata(path), spec=ModelSpec("unet", arguments={"width": 8, "depth": 2}))
        with pytest.raises(BundleError, match="weights of the wrong shape"):
            replace_metadata(path, other)
        assert path.read_bytes() == before


class TestClassBias:
    BIAS = (0.5, -1.0, 0.0, 0.25, -0.125)

    def test_it_is_in_the_last_layer(self, path: Path) -> None:
        weights, chips = load_file(path), torch.randn(1, 3, 48, 48)
        with torch.inference_mode():
            before = load_bundle(path).model(chips)
            replace_metadata(path, replace(read_metadata(path), class_bias=self.BIAS))
            loaded = load_bundle(path)
            after = loaded.model(chips)
        assert loaded.metadata.class_bias == self.BIAS
        torch.testing.assert_close(after, before + torch.tensor(self.BIAS).view(1, -1, 1, 1), rtol=1e-5, atol=1e-5)
        stored = load_file(path)
        assert [key for key, value in weights.items() if not torch.equal(stored[key], value)] == ["head.bias"]

    def test_another_one_replaces_it(self, path: Path) -> None:
        original = load_file(path)["head.bias"]
        for bias in (self.BIAS, (1.0, 2.0, 3.0, 4.0, 5.0), ()):
            replace_metadata(path, replace(read_metadata(path), class_bias=bias))
            added = torch.tensor(bias or (0.0,) * 5)
            torch.testing.assert_close(load_file(path)["head.bias"], original + added)
        assert read_metadata(path).class_bias == ()

    def test_graphs_without_it_are_removed(self, tmp_path: Path, model: SegmentationModel) -> None:
        path = tmp_path / "m.safetensors"
        save_bundle(path, METADATA, model, graphs={"int8": b"graph"})
        replace_metadata(path, replace(read_metadata(path), title="Another"))
        assert load_bundle(path).graph("int8") == b"graph"
        replace_metadata(path, replace(read_metadata(path), class_bias=self.BIAS))
        assert load_bundle(path).graph("int8") is None

    def test_bundles_without_one_have_none(self, path: Path) -> None:
        item = to_stac_item(read_metadata(path))
        assert item["properties"].pop("landcover:class_bias") == []
        rewrite(path, load_file(path), item)
        assert load_bundle(path).metadata.class_bias == ()


class TestStorage:
    SPEC = ModelSpec("unet", arguments={"width": 32, "depth": 2})
    METADATA = replace(METADATA, spec=SPEC)

    @pytest.fixture
    def wide(self) -> SegmentationModel:
        torch.manual_seed(3)
        return build_model(self.SPEC).eval()

    def test_large_weights_differ_by_half_a_step_at_most(self, tmp_path: Path, wide: SegmentationModel) -> None:
        sizes = {}
        for storage in ("float32", "float16", "int8"):
            path = tmp_path / f"{storage}.safetensors"
            save_bundle(path, self.METADATA, wide, storage)
            sizes[storage] = path.stat().st_size
        assert sizes["int8"] < 0.6 * sizes["float16"] < 0.4 * sizes["float32"]
        loaded = load_bundle(tmp_path / "int8.safetensors").model.state_dict()
        for key, value in wide.state_dict().items():
            if value.ndim > 1 and value.numel() >= 20_000:
                step = value.abs().flatten(1).amax(1).view(-1, *[1] * (value.ndim - 1)) / 127
                assert ((loaded[key] - value).abs() <= 0.501 * step).all()
            elif value.ndim > 1:
                torch.testing.assert_close(loaded[key], value.half().float())
            else:
                assert torch.equal(loaded[key], value)

    def test_last_layers_stay_in_float16(self, tmp_path: Path) -> None:
        spec = ModelSpec("unet", classes=253, arguments={"width": 96, "depth": 1})
        scheme = ClassScheme(
            tuple(LandCoverClass(number, f"Class {number}", "#000000") for number in range(1, 254)),
            LandCoverClass(254, "Unlabeled", "#FFFFFF"),
        )
        metadata = replace(METADATA, spec=spec, scheme=scheme)
        path = tmp_path / "m.safetensors"
        save_bundle(path, metadata, build_model(spec).eval(), "int8")
        assert load_file(path)["head.weight"].dtype == torch.float16

    @pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
    def test_it_is_known_from_the_file(self, tmp_path: Path, wide: SegmentationModel, storage: Storage) -> None:
        save_bundle(tmp_path / "m.safetensors", self.METADATA, wide, storage, {"int8": b"graph"})
        assert storage_of(tmp_path / "m.safetensors") == storage

    def test_it_is_stable(self, tmp_path: Path, wide: SegmentationModel) -> None:
        first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
        save_bundle(first, self.METADATA, wide, "int8")
        save_bundle(second, self.METADATA, load_bundle(first).model, "int8")
        replace_metadata(first, replace(read_metadata(first), title="Another"))
        weights, again = load_bundle(first).model.state_dict(), load_bundle(second).model.state_dict()
        for key, value in weights.items():
            torch.testing.assert_close(again[key], value)

    @pytest.mark.parametrize("damage", [torch.ones(3), torch.ones(1, 1), torch.ones(64, dtype=torch.int8)])
    def test_a_scale_that_does_not_fit_is_refused(
        self, tmp_path: Path, wide: SegmentationModel, damage: torch.Tensor
    ) -> None:
        path = tmp_path / "m.safetensors"
        save_bundle(path, self.METADATA, wide, "int8")
        tensors = load_file(path)
        key = next(key for key in tensors if key.startswith(SCALE_PREFIX))
        rewrite(path, tensors | {key: damage}, to_stac_item(read_metadata(path)))
        with pytest.raises(BundleError, match="has a scale of shape"):
            load_bundle(path)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl"])
def test_other_kinds_of_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"whatever")
    with pytest.raises(BundleError, match="refused") as caught:
        load_bundle(path)
    assert "Export" in caught.value.remedy


def test_a_missing_model_is_named() -> None:
    with pytest.raises(BundleError, match="no model 'nowhere'"):
        load_bundle("nowhere")


def test_weights_must_be_exactly_those_of_the_network(path: Path) -> None:
    weights = load_file(path)
    lacking = {key: value for key, value in weights.items() if key != "head.bias"}
    cases = {
        "lacks weights: head.bias": lacking,
        "unknown weights: extra": {**weights, "extra": torch.zeros(2)},
        r"weights of the wrong shape: head.bias: \(6,\) instead of \(5,\)": {**weights, "head.bias": torch.zeros(6)},
        "head.bias is not finite": {**weights, "head.bias": torch.full((5,), torch.nan)},
        "head.bias is of type torch.int64": {**weights, "head.bias": torch.zeros(5, dtype=torch.int64)},
    }
    for message, tensors in cases.items():
        rewrite(path, tensors)
        with pytest.raises(BundleError, match=message):
            load_bundle(path)
        rewrite(path, weights)


def test_no_weight_is_read_before_the_description_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, item = load_file(path), to_stac_item(read_metadata(path))

    def refuse(*arguments: object, **keywords: object) -> None:
        raise AssertionError("weights were opened")

    monkeypatch.setattr(weights_module, "safe_open", refuse)
    for key, value, message in (
        ("landcover:spec", {"architecture": "resnet"}, "cannot be built"),
        ("landcover:spec", {"architecture": "unet", "surprise": 1}, "damaged"),
        ("landcover:scheme", {}, "damaged"),
        ("gsd", -1, "positive GSD"),
    ):
        damaged = {**item, "properties": {**item["properties"], key: value}}
        rewrite(path, weights, damaged)
        with pytest.raises(BundleError, match=message):
            load_bundle(path)


def test_no_memory_is_taken_for_a_network_that_the_file_does_not_hold(path: Path) -> None:
    item = to_stac_item(read_metadata(path))
    item["properties"]["landcover:spec"]["arguments"] = {"width": 2**12, "depth": 2}  # 31 GB of weights
    rewrite(path, load_file(path), item)
    with pytest.raises(BundleError, match="weights of the wrong shape"):
        load_bundle(path)


@pytest.mark.parametrize("key", ["landcover:stride", "landcover:receptive_radius"])
def test_stride_and_radius_must_be_the_networks_own(path: Path, key: str) -> None:
    item = to_stac_item(read_metadata(path))
    item["properties"][key] = 1
    rewrite(path, load_file(path), item)
    with pytest.raises(BundleError, match="stride of 4 px"):
        load_bundle(path)


@pytest.mark.parametrize("keep", [0, 7, 100, 0.5, 0.999])
def test_a_truncated_file_is_refused(path: Path, keep: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if 0 < keep < 1 else int(keep)])
    with pytest.raises(BundleError):
        load_bundle(path)


def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    path: Path, model: SegmentationModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(*paths: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(BundleError, match="No space left"):
        save_bundle(path, replace(METADATA, title="Another"), model)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_only_what_can_be_loaded_is_saved(tmp_path: Path, model: SegmentationModel) -> None:
    path = tmp_path / "m.safetensors"
    other = replace(METADATA, spec=ModelSpec("unet", arguments={"width": 8, "depth": 2}))
    with pytest.raises(BundleError, match="weights of the wrong shape"):
        save_bundle(path, other, model)
    with torch.no_grad():
        model.head.weight[0, 0] = 1e6  # beyond float16
    with pytest.raises(BundleError, match=r"head\.weight is not finite"):
        save_bundle(path, METADATA, model)
    with pytest.raises(BundleError, match=r"end in \.safetensors"):
        save_bundle(tmp_path / "m.pt", METADATA, model)
    assert list(tmp_path.iterdir()) == []


def test_the_engine_never_unpickles_files() -> None:
    pipe = "core/roads/process.py"  # reads from a process that the engine has started
    package = Path(bundle_module.__file__).resolve().parents[2]
    found = []
    for source in package.rglob("*.py"):
        if source.relative_to(package).as_posix() == pipe:
            continue
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node) in ("torch.load", "torch.jit.load", "pickle.load"):
                found.append(f"{source.name}:{node.lineno}")
    assert found == []


def test_the_shipped_model_knows_a_town_when_it_sees_one() -> None:
    from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize
    from training.synthetic.scenes import draw_scene

    bundle = load_bundle("dubai")
    assert bundle.metadata.scheme == DUBAI
    assert bundle.metadata.window % bundle.metadata.stride == 0
    assert bundle.metadata.metrics["accuracy"] > 0.75
    scene = draw_scene(11, 320)
    chip = torch.tensor(scene.image).permute(2, 0, 1)[None]
    with torch.inference_mode():
        channels = bundle.model(Standardize(bundle.metadata.mean, bundle.metadata.std)(chip))[0].argmax(dim=0)
    predicted = torch.tensor(DUBAI.ids)[channels].numpy()
    assert (predicted == scene.truth).mean() > 0.6
