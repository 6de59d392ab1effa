"""Which parts of a network are trained."""

from __future__ import annotations

import pytest
from torch import nn

from training.config import ModelConfig, TrainingConfig
from training.errors import TrainingError
from training.loop.initialization import make_model, set_training_mode

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
