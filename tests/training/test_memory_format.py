"""The memory format depends on the network and the CPU."""

from __future__ import annotations

import pytest
import torch

from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec
from training.memory_format import memory_format


@pytest.mark.parametrize(
    ("architecture", "capability", "expected"),
    [
        ("unet", "AVX2", torch.contiguous_format),
        ("unet", "DEFAULT", torch.contiguous_format),
        ("unet", "AVX512", torch.channels_last),
        ("unet_efficientnet", "AVX2", torch.channels_last),
        ("unet_efficientnet", "AVX512", torch.channels_last),
    ],
)
def test_memory_format(monkeypatch: pytest.MonkeyPatch, architecture, capability, expected) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    assert memory_format(build_model(ModelSpec(architecture))) == expected
