"""Chips: what is drawn, and that labels stay with their pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.accuracy import IGNORE
from tests.training.dataset import LOOKS, make_image
from training.augment import orient, vary_radiometry
from training.chips import ChipSampler, cut, draw_scenes
from training.config import ChipConfig, DataConfig
from training.data import LabelledImage
from training.errors import DatasetError

STILL = ChipConfig(size=32, batch=6, brightness=0, contrast=0, gamma=0, gain=0)


def nearest_class(chips: torch.Tensor) -> torch.Tensor:
    """Return (N, H, W) the class whose colour is nearest."""
    distance = (chips[:, None] - torch.tensor(LOOKS).float()[None, :, :, None, None]).square().sum(dim=2)
    return distance.argmin(dim=1)


def test_a_step_always_draws_the_same_chips_and_another_step_others() -> None:
    images = [make_image(1), make_image(2)]
    first, again = ChipSampler(images, ChipConfig(size=32), 7), ChipSampler(images, ChipConfig(size=32), 7)
    first.batch(0)
    for one, other in zip(first.batch(3), again.batch(3), strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(first.batch(3)[0], first.batch(4)[0])
    assert not torch.equal(first.batch(3)[0], first.batch(3, rank=1)[0])
    assert not torch.equal(first.batch(3)[0], ChipSampler(images, ChipConfig(size=32), 8).batch(3)[0])


def test_labels_stay_with_their_pixels() -> None:
    chips, labels = ChipSampler([make_image(1, 200, 160)], STILL, 1).batch(0)
    assert chips.shape == (6, 3, 32, 32)
    assert chips.dtype == torch.float32
    assert labels.shape == (6, 32, 32)
    assert labels.dtype == torch.int64
    assert (nearest_class(chips) == labels).float().mean() > 0.9  # borders are blurred by resizing


@pytest.mark.parametrize(("scale", "side"), [(0.5, 64), (1.0, 32), (2.0, 16)])
def test_scale_magnifies(scale: float, side: int) -> None:
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, :, None], (128, 128, 3))
    image = LabelledImage("ramp", np.ascontiguousarray(ramp), np.zeros((128, 128), np.uint8))
    pixels, labels = cut(image, 32, scale, np.random.default_rng(0))
    assert pixels.shape == (32, 32, 3)
    assert labels.shape == (32, 32)
    assert int(pixels[0, -1, 0]) - int(pixels[0, 0, 0]) == pytest.approx(side - 1, abs=2)


def test_an_image_smaller_than_a_chip_is_enlarged() -> None:
    pixels, labels = cut(make_image(1, 20, 24), 64, 1.0, np.random.default_rng(0))
    assert pixels.shape == (64, 64, 3)
    assert labels.shape == (64, 64)


def test_the_eight_orientations_differ_and_move_labels_alike() -> None:
    labels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    pixels = np.repeat(labels[..., None], 3, axis=2)
    seen = set()
    for which in range(8):
        turned, turned_labels = orient(pixels, labels, which)
        np.testing.assert_array_equal(turned[..., 0], turned_labels)
        seen.add(turned_labels.tobytes())
    assert len(seen) == 8


def test_radiometry_stays_in_range_and_does_nothing_at_zero() -> None:
    chips = torch.randint(0, 256, (4, 3, 8, 8)).float()
    draw = np.random.default_rng(0)
    torch.testing.assert_close(vary_radiometry(chips, STILL, draw), chips, atol=0.03, rtol=0)
    varied = vary_radiometry(chips, ChipConfig(), draw)
    assert varied.min() >= 0
    assert varied.max() <= 255
    shift = (varied - chips).mean(dim=(1, 2, 3))
    assert len(set(shift.round().tolist())) > 1, "each chip varies on its own"


def test_large_images_are_drawn_in_proportion_to_their_area() -> None:
    def flat(value: int, side: int) -> LabelledImage:
        return LabelledImage(
            str(value), np.full((side, side, 3), value, np.uint8), np.full((side, side), value, np.uint8)
        )

    sampler = ChipSampler([flat(0, 100), flat(1, 200)], STILL, 1)
    drawn = torch.cat([sampler.batch(step)[1][:, 0, 0] for step in range(60)])
    assert drawn.float().mean() == pytest.approx(0.8, abs=0.08)


def test_scenes_take_their_share_and_their_ids_become_channels() -> None:
    config = DataConfig(scenes="tests.scenes:draw_scene", scene_share=0.5, scene_count=1, scene_size=96)
    scenes = draw_scenes(config)
    assert [scene.name for scene in scenes] == ["scene1000"]
    assert set(np.unique(scenes[0].labels)) <= {*range(5), IGNORE}
    assert (scenes[0].labels != IGNORE).any()
    ignored = LabelledImage("void", np.zeros((64, 64, 3), np.uint8), np.full((64, 64), IGNORE, np.uint8))
    sampler = ChipSampler([ignored], STILL, 1, scenes, config.scene_share)
    share = torch.cat([(sampler.batch(step)[1] != IGNORE).flatten(1).any(dim=1) for step in range(60)])
    assert share.float().mean() == pytest.approx(0.5, abs=0.1)
    assert draw_scenes(DataConfig()) == []


def test_scenes_that_are_nowhere_and_no_images_are_errors() -> None:
    with pytest.raises(DatasetError, match="cannot be loaded"):
        draw_scenes(DataConfig(scenes="nowhere:draw", scene_share=0.1))
    with pytest.raises(DatasetError, match="no labelled image"):
        ChipSampler([], STILL, 1)
