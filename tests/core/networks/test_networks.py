"""Every architecture keeps the same promises: one class of tests, inherited."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import LAST_BIAS, SegmentationModel, architectures, build_model
from dubai_landcover_plugin.core.networks.registry import register
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ModelError
from dubai_landcover_plugin.protocol.model_metadata import TEACHABLE, BundleMetadata, ModelSpec

SIZES = [(1, 1), (1, 7), (5, 1), (37, 53), (64, 64), (33, 96)]


class ArchitectureTests:
    """What every network must do; subclasses name it and give arguments that make it small."""

    architecture: ClassVar[str]
    small: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[int]

    def build(self, classes: int = 5, in_channels: int = 3) -> SegmentationModel:
        torch.manual_seed(0)
        return build_model(ModelSpec(self.architecture, in_channels, classes, dict(self.small)))

    @pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
    def test_logits_have_the_size_of_the_input(self, size: tuple[int, int]) -> None:
        model = self.build(classes=4, in_channels=2).eval()
        with torch.inference_mode():
            logits = model(torch.randn(2, 2, *size))
        assert logits.shape == (2, 4, *size)
        assert torch.isfinite(logits).all()

    def test_coarse_logits_are_those_before_enlarging(self) -> None:
        model = self.build().eval()
        step = model.output_stride
        chips = torch.randn(1, 3, 2 * model.stride, 3 * model.stride)
        with torch.inference_mode():
            coarse, fine = model(chips, coarse=True), model(chips)
            odd = model(chips[..., :-1], coarse=True)
        assert coarse.shape[-2:] == (chips.shape[-2] // step, chips.shape[-1] // step)
        assert odd.shape[-1] == -(-(chips.shape[-1] - 1) // step)
        enlarged = torch.nn.functional.interpolate(coarse, scale_factor=step, mode="bilinear")
        torch.testing.assert_close(enlarged, fine)

    def test_the_last_bias_is_added_to_the_logits(self) -> None:
        model = self.build().eval()
        chips, bias = torch.randn(2, 3, 37, 64), torch.tensor([0.5, -1.0, 0.0, 2.0, -0.25])
        with torch.inference_mode():
            before = model(chips)
            model.get_parameter(LAST_BIAS).add_(bias)
            torch.testing.assert_close(model(chips), before + bias.view(1, -1, 1, 1), rtol=1e-5, atol=1e-5)

    def test_gradients_reach_every_parameter(self) -> None:
        model = self.build().train()
        logits = model(torch.randn(2, 3, 64, 96))
        (logits * torch.randn_like(logits)).sum().backward()
        idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert idle == []

    def test_parameter_count_of_the_default_is_pinned(self) -> None:
        with torch.device("meta"):
            model = build_model(ModelSpec(self.architecture, arguments=self.pinned_arguments()))
        assert sum(parameter.numel() for parameter in model.parameters()) == self.parameters

    def pinned_arguments(self) -> dict[str, Any]:
        return {}

    def test_evaluation_is_deterministic_and_keeps_chips_apart(self) -> None:
        model = self.build().eval()
        chips = torch.randn(3, 3, 40, 40)
        with torch.inference_mode():
            together = model(chips)
            assert torch.equal(together, model(chips))
            alone = torch.cat([model(chip[None]) for chip in chips])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)

    def test_a_saved_model_gives_the_same_logits(self, tmp_path) -> None:
        model = self.build()
        model(torch.randn(2, 3, 64, 64))  # moves the running statistics away from their start
        model.eval()
        path = tmp_path / "model.safetensors"
        spec = ModelSpec(self.architecture, arguments=dict(self.small))
        rgb = ("red", "green", "blue")
        save_bundle(path, BundleMetadata("m", "t", spec, DUBAI, rgb, (0.5,) * 3, (0.5,) * 3, 1.0), model, "float32")
        chips = torch.randn(1, 3, 50, 45)
        with torch.inference_mode():
            # not equal: with other addresses of the weights, matrix products may add in another order
            torch.testing.assert_close(load_bundle(path).model(chips), model(chips), rtol=0, atol=1e-5)

    def test_no_answer_looks_beyond_the_receptive_radius(self) -> None:
        model = self.build().eval()
        radius = model.receptive_radius
        if radius is None:
            length = 8 * model.stride
            reach = self.reach(model, length, length // 2)
            assert reach == (0, length - 1), "an architecture without a radius sees everything"
            return
        length = model.stride * ((2 * radius) // model.stride + 4)
        for at in range(length // 2, length // 2 + model.stride, max(model.stride // 4, 1)):
            first, last = self.reach(model, length, at)
            assert at - radius <= first
            assert last <= at + radius
            assert last - first > model.stride

    def reach(self, model: SegmentationModel, length: int, at: int) -> tuple[int, int]:
        """Return the first and last column of a strip that the logits of column ``at`` depend on."""
        strip = torch.randn(1, 3, model.stride, length, requires_grad=True)
        model(strip)[..., at].sum().backward()
        columns = torch.nonzero(strip.grad.abs().sum(dim=(0, 1, 2))).flatten()
        return int(columns[0]), int(columns[-1])

    def test_a_shift_by_the_stride_shifts_the_answer(self) -> None:
        model = self.build().eval()
        radius = model.receptive_radius
        if radius is None:
            pytest.skip("the answer depends on the whole window")
        stride = model.stride
        strip = torch.randn(1, 3, stride, stride * ((2 * radius) // stride + 4))
        with torch.inference_mode():
            whole, cut = model(strip), model(strip[..., stride:])
        torch.testing.assert_close(cut[..., radius:], whole[..., stride + radius :], rtol=1e-4, atol=1e-4)


class TestUNet(ArchitectureTests):
    architecture = "unet"
    small: ClassVar = {"width": 4, "depth": 2}
    parameters = 7_849_733


class TestUNetTransposed(ArchitectureTests):
    architecture = "unet"
    small: ClassVar = {"width": 4, "depth": 3, "bilinear": False}
    parameters = 7_763_173

    def pinned_arguments(self) -> dict[str, Any]:
        return {"bilinear": False}


class TestViT(ArchitectureTests):
    architecture = "vit"
    small: ClassVar = {"patch": 8, "dim": 24, "depth": 2, "heads": 2, "grid": 4}
    parameters = 3_199_541


class TestViTMean(TestViT):
    small: ClassVar = {**TestViT.small, "pool": "mean"}
    parameters = 3_236_597

    def pinned_arguments(self) -> dict[str, Any]:
        return {"pool": "mean"}


class TestViTCls(TestViT):
    small: ClassVar = {**TestViT.small, "pool": "cls"}
    parameters = 3_236_789

    def pinned_arguments(self) -> dict[str, Any]:
        return {"pool": "cls"}


class TestViTStem(TestViT):
    small: ClassVar = {**TestViT.small, "stem": "lite0"}
    parameters = 3_774_357

    def pinned_arguments(self) -> dict[str, Any]:
        return {"stem": "lite0"}


class TestUNetViT(ArchitectureTests):
    architecture = "unet_vit"
    small: ClassVar = {"width": 4, "depth": 3, "dim": 16, "blocks": 2, "heads": 2, "grid": 4, "pool": "cls"}
    parameters = 11_337_733


class TestUNetEfficientNet(ArchitectureTests):
    architecture = "unet_efficientnet"
    small: ClassVar = {"widths": [8, 8, 8, 8]}
    parameters = 4_107_685


class TestUNetEfficientNetTransformer(TestUNetEfficientNet):
    small: ClassVar = {"widths": [8, 8, 8, 8], "blocks": 1, "dim": 16, "heads": 2, "grid": 4}
    parameters = 7_497_189

    def pinned_arguments(self) -> dict[str, Any]:
        return {"blocks": 4}


class TestUNetEfficientNetAdapter(TestUNetEfficientNet):
    small: ClassVar = {"widths": [8, 8, 8, 8], "adapter": True}
    parameters = 4_109_125

    def pinned_arguments(self) -> dict[str, Any]:
        return {"adapter": True}


def test_a_new_bottleneck_hardly_changes_a_trained_network() -> None:
    """Its weights load into a network with transformer blocks, which then answers almost alike."""
    plain = build_model(ModelSpec("unet_efficientnet", arguments={"widths": [8, 8, 8, 8]})).eval()
    hybrid = build_model(ModelSpec("unet_efficientnet", arguments={"widths": [8, 8, 8, 8], "blocks": 2})).eval()
    missing, unexpected = hybrid.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all(name.startswith("bottleneck.") for name in missing)
    chips = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(hybrid(chips), plain(chips), rtol=0, atol=0.05)


def test_every_architecture_has_its_tests() -> None:
    tested = {kind.architecture for kind in (TestUNet, TestViT, TestUNetViT, TestUNetEfficientNet)}
    assert tested == set(architectures())


def test_a_position_has_one_embedding_whatever_the_window() -> None:
    """Interpolated to its own grid the table is untouched; to another it stays within its range."""
    model = build_model(ModelSpec("vit", arguments={"patch": 8, "dim": 8, "depth": 1, "heads": 2, "grid": 4}))
    position = model.encoder.position
    assert torch.equal(position(torch.zeros(1, 8, 4, 4)), position.table)
    assert position(torch.zeros(1, 8, 3, 9)).shape == (1, 8, 3, 9)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec("resnet"), "no architecture 'resnet'"),
        (ModelSpec("unet", arguments={"colour": 1}), "does not take colour"),
        (ModelSpec("unet", arguments={"width": 0}), "width must be a whole number of at least 1, got 0"),
        (ModelSpec("unet", arguments={"depth": 2.5}), "depth must be a whole number"),
        (ModelSpec("unet", arguments={"depth": 20}), "width 32 and depth 20 exceed the limits of 16,384 channels"),
        (ModelSpec("unet", arguments={"depth": 99_999}), "depth must be at most 64, got 99999"),
        (ModelSpec("unet", arguments={"bilinear": "x"}), "bilinear must be true or false"),
        (ModelSpec("unet", arguments={"in_channels": 4}), "does not take in_channels"),
        (ModelSpec("unet_vit", arguments={"blocks": 10**7}), "blocks must be at most 256"),
        (ModelSpec("unet_vit", arguments={"dim": 10**9}), "dim must be at most 8,192"),
        (ModelSpec("vit", arguments={"depth": 10**7}), "depth must be at most 64"),
        (ModelSpec("vit", arguments={"grid": 10**6}), "grid must be at most 512"),
        (ModelSpec("unet_efficientnet", arguments={"blocks": -1}), "blocks must be a whole number of at least 1"),
        (ModelSpec("unet_efficientnet", arguments={"widths": [8, 8, 8, 10**9]}), "at most 8,192"),
        (ModelSpec("unet", classes=0), "classes must be"),
        (ModelSpec("vit", arguments={"patch": 12}), "power of two"),
        (ModelSpec("vit", arguments={"dim": 10, "heads": 3}), "multiple of heads"),
        (ModelSpec("vit", arguments={"stem": "lite9"}), "encoder must be one of lite0, lite1, lite2"),
        (ModelSpec("vit", arguments={"stem": "lite0", "patch": 64}), "at most 32 px with a convolutional stem"),
        (ModelSpec("vit", arguments={"pool": "max"}), "pool must be one of none, mean, cls"),
        (ModelSpec("unet_efficientnet", arguments={"widths": [8]}), "widths needs 4 values"),
        (ModelSpec("unet_efficientnet", arguments={"widths": 8}), "widths needs 4 values"),
    ],
)
def test_arguments_that_fit_nothing_are_refused(spec: ModelSpec, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_model(spec)


def test_a_name_is_given_once() -> None:
    with pytest.raises(ModelError, match="already"):
        register("unet")(type("Other", (SegmentationModel,), {}))


class TestAdapter:
    """A network with an adapter, as taught models have."""

    small: ClassVar[dict[str, Any]] = {"widths": (12, 10, 8, 6)}

    def build(self, adapter: bool) -> SegmentationModel:
        torch.manual_seed(0)
        return build_model(ModelSpec("unet_efficientnet", 3, 5, {**self.small, "adapter": adapter})).eval()

    def test_one_of_zeros_changes_nothing(self) -> None:
        plain, taught = self.build(False), self.build(True)
        missing, unknown = taught.load_state_dict(plain.state_dict(), strict=False)
        assert missing == ["adapter.0.weight", "adapter.1.weight", "adapter.2.weight"]
        assert not unknown
        chips = torch.randn(1, 3, 64, 96)
        with torch.inference_mode():
            for weight in taught.get_submodule("adapter").parameters():
                weight.zero_()
            assert torch.equal(taught(chips), plain(chips))

    def test_it_adds_a_linear_map_of_each_level_after_interpolation(self) -> None:
        model = self.build(True)
        chips = torch.randn(1, 3, 64, 96)
        with torch.inference_mode():
            levels = model.levels(chips)
            assert tuple(level.shape[1] for level in levels) == model.level_channels == self.small["widths"]
            expected = model.get_submodule("head")(levels[-1])
            for index, level in enumerate(levels[:-1]):
                values = model.get_submodule(f"adapter.{index}")(level)
                while values.shape[-2:] != expected.shape[-2:]:
                    values = torch.nn.functional.interpolate(values, scale_factor=2, mode="bilinear")
                expected = expected + values
            torch.testing.assert_close(model(chips, coarse=True), expected, rtol=1e-5, atol=1e-5)


def test_architectures_with_levels_can_be_taught() -> None:
    with torch.device("meta"):
        with_levels = {name for name in architectures() if build_model(ModelSpec(name)).level_channels}
    assert with_levels == set(TEACHABLE)
