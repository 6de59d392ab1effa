"""Variation of light and colour on bands that are not red, green and blue."""

from __future__ import annotations

import numpy as np
import torch

from training.bands import RGB, InputBands
from training.config import ChipConfig
from training.data.augment import transfer_style, vary_radiometry

STRONG = ChipConfig(saturation=0.5, light=0.5, haze=0.3, grey=1.0)


def chips(bands: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).uniform(20, 230, (3, bands, 16, 16)).astype(np.float32))


def test_a_height_does_not_change_with_the_light() -> None:
    kinds = InputBands(("red", "height", "green", "blue", "nir"))
    given = chips(5)
    varied = vary_radiometry(given, STRONG, np.random.default_rng(1), kinds)
    torch.testing.assert_close(varied[:, 1], given[:, 1])
    torch.testing.assert_close(varied[:, 0], varied[:, 3])  # grey: red, green and blue are equal
    assert (varied[:, 4] - varied[:, 0]).abs().mean() > 5  # near infrared keeps its own values
    assert (varied[:, 4] - given[:, 4]).abs().mean() > 5
    styled = transfer_style(given, 1.0, np.random.default_rng(1), kinds)
    torch.testing.assert_close(styled[:, 1], given[:, 1])


def test_red_green_and_blue_change_as_without_names() -> None:
    given = chips(3)
    expected = vary_radiometry(given, STRONG, np.random.default_rng(1))
    assert torch.equal(vary_radiometry(given, STRONG, np.random.default_rng(1), RGB), expected)
    style = transfer_style(given, 1.0, np.random.default_rng(1))
    assert torch.equal(transfer_style(given, 1.0, np.random.default_rng(1), RGB), style)


def test_bands_without_light_alone() -> None:
    given = chips(2)
    varied = vary_radiometry(given, ChipConfig(noise=0.0), np.random.default_rng(1), InputBands(("height", "ndvi")))
    torch.testing.assert_close(varied, given)
