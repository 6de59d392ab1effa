"""Weights to start from: rows of classes by name, bands, interpolation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import SegmentationModel, build_model
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from training.bands import RGB, InputBands
from training.config import ModelConfig, TrainingConfig
from training.errors import ConfigError, TrainingError
from training.loop.checkpoint import Checkpoint, save_checkpoint
from training.loop.start import (
    Start,
    bands_to_read,
    in_order,
    interpolate,
    match_bands,
    read_start,
    settle_model,
    start_weights,
    without_classes,
)

NIR = InputBands(("nir", "red", "green"), (4, 1, 2))
SMALL = {"width": 4, "depth": 1}


def build(classes: int = 5, architecture: str = "unet", **arguments: object) -> SegmentationModel:
    return build_model(ModelSpec(architecture, 3, classes, {**SMALL, **arguments}))


def start_of(model: SegmentationModel, scheme: ClassScheme = DUBAI, bands: InputBands = RGB) -> Start:
    return Start("first.ckpt", model.state_dict(), scheme, bands, ModelConfig("unet", SMALL, False, gsd=0.5, window=64))


def write_bundle(path: Path, model: SegmentationModel, std: float = 0.5) -> Path:
    metadata = BundleMetadata(
        name="small", title="Small", spec=ModelSpec("unet", 3, 5, SMALL), scheme=DUBAI, bands=NIR.names,
        band_numbers=NIR.numbers, mean=(0.5,) * 3, std=(std,) * 3, gsd=0.3, window=64, stride=model.stride,
        parameters=sum(parameter.numel() for parameter in model.parameters()), training={"encoder": "ImageNet"},
    )  # fmt: skip
    save_bundle(path, metadata, model)
    return path


def test_weights_that_do_not_fit_keep_their_initial_values() -> None:
    start = start_of(build())
    said: list[str] = []
    model = build()
    assert start_weights(model, start, DUBAI, said.append) == ()
    assert said == []
    deeper = build(architecture="unet_vit", dim=4, blocks=1, heads=1, grid=2)
    start_weights(deeper, start, DUBAI, said.append)
    assert torch.equal(deeper.state_dict()["head.weight"], model.state_dict()["head.weight"])
    assert "84.3% of the weights loaded. Missing" in said[0]
    assert "bottleneck.narrow.weight, " in said[0]
    with pytest.raises(TrainingError, match=r"another network: only \d+% fit.*Of another shape"):
        start_weights(build(width=8), start, DUBAI, said.append)


@pytest.mark.parametrize("order", [(4, 3, 2, 1, 0), (3, 1), (1, None, 0), (None, 4, 2, 0, None)])
def test_output_rows_follow_the_names_of_the_classes(order: tuple[int | None, ...]) -> None:
    trained = build()
    classes = [
        LandCoverClass(index + 1, f"New {index}" if row is None else DUBAI.classes[row].name.upper(), f"#00000{index}")
        for index, row in enumerate(order)
    ]
    scheme = ClassScheme(tuple(classes), LandCoverClass(9, "?", "#FFFFFF"))
    model, said = build(classes=len(order)), list[str]()
    fresh = {name: value.clone() for name, value in model.state_dict().items()}
    added = start_weights(model, start_of(trained), scheme, said.append)
    assert added == tuple(entry.name for entry, row in zip(classes, order, strict=True) if row is None)
    for name, value in model.state_dict().items():
        theirs = trained.state_dict()[name]
        if name not in ("head.weight", "head.bias"):
            assert torch.equal(value, theirs)
            continue
        for index, row in enumerate(order):
            assert torch.equal(value[index], fresh[name][index] if row is None else theirs[row])
    dropped = [entry.name for row, entry in enumerate(DUBAI.classes) if row not in order]
    assert (f"not in the data and dropped: {', '.join(dropped)}." in "".join(said)) == bool(dropped)
    assert all(name in said[0] for name in added)


def test_a_model_file_has_network_bands_and_pixel_size(tmp_path: Path) -> None:
    trained = build()
    start = read_start(write_bundle(tmp_path / "small.safetensors", trained))
    assert (start.name, start.bands, start.scheme) == ("small.safetensors", NIR, DUBAI)
    assert start.model == ModelConfig("unet", SMALL, pretrained=True, gsd=0.3, window=64)
    model = build()
    start_weights(model, start, DUBAI)
    torch.testing.assert_close(
        model.state_dict()["stem.0.weight"], trained.state_dict()["stem.0.weight"], rtol=1e-3, atol=1e-3
    )
    other = read_start(write_bundle(tmp_path / "other.safetensors", trained, std=0.2))
    assert other.bands.std == (0.2,) * 3  # which the training takes over


def test_an_installed_model_is_found_by_name() -> None:
    start = read_start("dubai")
    assert (start.name, start.model.architecture, start.model.gsd) == ("dubai.safetensors", "unet_efficientnet", 1.0)


def test_the_network_is_that_of_the_start_and_the_rest_is_configured(tmp_path: Path) -> None:
    start = start_of(build())
    config = TrainingConfig(model=ModelConfig("start", freeze_norms=True, frozen=2))
    settled = settle_model(config, start).model
    assert settled == replace(start.model, freeze_norms=True, frozen=2)
    assert settle_model(replace(config, model=ModelConfig("start", gsd=2.0)), start).model.gsd == 2.0
    own = TrainingConfig(model=ModelConfig("vit"))
    assert settle_model(own, start) == own
    with pytest.raises(ConfigError, match=r"starts from no model\. Name one: --start-from"):
        settle_model(config, None)
    path = tmp_path / "last.ckpt"
    weights = dict(start.weights)
    save_checkpoint(path, Checkpoint(TrainingConfig(model=start.model), 3, weights, weights, {}, 1.5))
    assert read_start(path).model == start.model


class TestBands:
    """Bands of the images against those of the start."""

    def test_without_configured_bands_those_of_the_start_are_read(self) -> None:
        config = TrainingConfig().data
        assert bands_to_read(config, start_of(build(), bands=NIR)) == NIR
        assert bands_to_read(config, None) == RGB
        assert bands_to_read(replace(config, bands=(3, 2, 1)), start_of(build(), bands=NIR)).numbers == (3, 2, 1)

    def test_equal_names_are_brought_into_the_order_of_the_start(self) -> None:
        start = start_of(build(), bands=NIR)
        assert match_bands(NIR, start) == NIR
        assert match_bands(InputBands(("red", "green", "nir"), (1, 2, 3)), start) == InputBands(NIR.names, (3, 1, 2))
        assert match_bands(InputBands(("red", "green", "nir")), start) == InputBands(NIR.names)
        config = in_order(TrainingConfig(), InputBands(NIR.names, (3, 1, 2)))
        assert (config.data.input_bands.names, config.data.input_bands.numbers) == (NIR.names, (3, 1, 2))

    def test_other_bands_are_refused(self) -> None:
        with pytest.raises(ConfigError, match=r"reads the bands nir, red, green; the training images have red, green,"):
            match_bands(RGB, start_of(build(), bands=NIR))

    def test_bands_without_names_must_have_the_same_numbers(self) -> None:
        unnamed = InputBands(("band 4", "band 1", "band 2"), (4, 1, 2))
        assert match_bands(unnamed, start_of(build(), bands=NIR)) == unnamed
        with pytest.raises(ConfigError, match=r'data.bands = \["nir=3", "red=2", "green=1"\]'):
            match_bands(InputBands(("band 3", "band 2", "band 1"), (3, 2, 1)), start_of(build(), bands=NIR))


def test_weights_in_between_take_new_rows_from_the_result() -> None:
    start, result = build().state_dict(), build().state_dict()
    start, result = without_classes(start, [1]), {name: value.clone() for name, value in result.items()}
    assert (float(start["head.bias"][1]), float(start["head.weight"][1].abs().sum())) == (-100, 0)
    mixed = interpolate(start, result, 0.25, [1])
    torch.testing.assert_close(mixed["stem.0.weight"], 0.75 * start["stem.0.weight"] + 0.25 * result["stem.0.weight"])
    assert torch.equal(mixed["head.weight"][1], result["head.weight"][1])
    assert torch.equal(mixed["head.bias"][1], result["head.bias"][1])
    torch.testing.assert_close(mixed["head.bias"][0], 0.75 * start["head.bias"][0] + 0.25 * result["head.bias"][0])
    assert all(torch.equal(interpolate(start, result, 1.0)[name], value) for name, value in result.items())
