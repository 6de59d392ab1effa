"""Chips: what is drawn, and that labels stay with their pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.segmentation.preprocessing import Stretch
from tests.training.dataset import LOOKS, make_image
from training.config import ChipConfig, DataConfig
from training.data.augment import blur, orient, paste_rectangles, transfer_style, vary_radiometry
from training.data.chips import AheadSampler, Batch, ChipSampler, ClassPlaces, cut, draw_scenes
from training.data.dataset import NOT_CLASS, LabelledImage
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
    one, other = first.batch(3), again.batch(3)
    assert torch.equal(one.chips, other.chips)
    assert torch.equal(one.labels, other.labels)
    assert one.names == other.names
    assert not torch.equal(one.chips, first.batch(4).chips)
    assert not torch.equal(one.chips, first.batch(3, part=1).chips)
    assert not torch.equal(one.chips, ChipSampler(images, ChipConfig(size=32), 8).batch(3).chips)


def test_labels_stay_with_their_pixels() -> None:
    batch = ChipSampler([make_image(1, 200, 160)], STILL, 1).batch(0)
    chips, labels = batch.chips, batch.labels
    assert batch.names == ("image1",) * 6
    assert chips.shape == (6, 3, 32, 32)
    assert chips.dtype == torch.float32
    assert labels.shape == (6, 32, 32)
    assert labels.dtype == torch.int64
    assert (nearest_class(chips) == labels).float().mean() > 0.9  # borders are blurred by resizing


def test_the_last_steps_may_be_calm() -> None:
    grey = LabelledImage("grey", np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64), np.uint8))
    config = ChipConfig(size=32, batch=200, brightness=0.3, contrast=0, gamma=0, gain=0, calm=0.25)
    lively, same = ChipSampler([grey], replace(config, calm=0), 1, steps=8), ChipSampler([grey], config, 1, steps=8)
    widths = [float(np.ptp(same.batch(step).chips)) / 255 for step in range(8)]
    assert all(width == pytest.approx(0.6, abs=0.03) for width in widths[:6])
    assert all(width == pytest.approx(0.2, abs=0.03) for width in widths[6:])
    assert torch.equal(lively.batch(5).chips, same.batch(5).chips)
    assert not torch.equal(lively.batch(6).chips, same.batch(6).chips)
    calmed = ChipConfig(scale=(0.5, 2), balance=0.5, gamma=0.3).calmed()
    assert calmed.scale == pytest.approx((0.5 ** (1 / 3), 2 ** (1 / 3)))
    assert (calmed.balance, calmed.gamma) == (0, pytest.approx(0.1))


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


def test_less_saturation_brings_colours_nearer_to_grey_and_keeps_the_brightness() -> None:
    chips = torch.rand(64, 3, 4, 4) * 128 + 64
    varied = vary_radiometry(chips, replace(STILL, saturation=0.5), np.random.default_rng(0))
    torch.testing.assert_close(varied.mean(dim=1), chips.mean(dim=1), atol=0.05, rtol=0)
    ratio = varied.std(dim=1).mean(dim=(1, 2)) / chips.std(dim=1).mean(dim=(1, 2))
    assert ratio.min() == pytest.approx(0.5, abs=0.1)
    assert ratio.max() == pytest.approx(1.5, abs=0.1)


def test_blur_is_a_gaussian_of_its_own_width_for_each_chip() -> None:
    values = torch.zeros(3, 2, 41, 41)
    values[:, :, 20, 20] = 1
    widths = np.array([0.0, 1.0, 3.0])
    smoothed = blur(values, widths)
    torch.testing.assert_close(smoothed[0], values[0])
    places = torch.arange(41.0) - 20
    for index, width in ((1, 1.0), (2, 3.0)):
        share = smoothed[index, 0]
        assert share.sum().item() == pytest.approx(1, abs=1e-3)
        assert (share.sum(dim=0) * places**2).sum().sqrt().item() == pytest.approx(width, rel=0.05)
        assert torch.equal(share, smoothed[index, 1])
    still, moved = (vary_radiometry(values, replace(STILL, blur=top), np.random.default_rng(0)) for top in (0.0, 2.0))
    assert not torch.equal(still, moved)


def test_what_is_switched_off_changes_no_other_draw() -> None:
    chips = torch.rand(2, 3, 8, 8) * 255
    config = ChipConfig(brightness=0.2)
    plain = vary_radiometry(chips, config, np.random.default_rng(0))
    again = vary_radiometry(chips, replace(config, saturation=0.0, blur=0.0), np.random.default_rng(0))
    assert torch.equal(plain, again)


def flat(value: int, side: int) -> LabelledImage:
    """Return an image of one class whose pixels have the class's number."""
    return LabelledImage(str(value), np.full((side, side, 3), value, np.uint8), np.full((side, side), value, np.uint8))


@pytest.mark.parametrize(("power", "share"), [(1.0, 0.8), (0.5, 2 / 3), (0.0, 0.5)])
def test_large_images_are_drawn_more_often_as_asked(power: float, share: float) -> None:
    sampler = ChipSampler([flat(0, 100), flat(1, 200)], replace(STILL, area_power=power), 1)
    drawn = torch.cat([sampler.batch(step).labels[:, 0, 0] for step in range(80)])
    assert drawn.float().mean() == pytest.approx(share, abs=0.07)


def test_balanced_chips_have_a_pixel_of_each_class_in_the_middle_equally_often() -> None:
    labels = np.zeros((96, 96), np.uint8)
    labels[40:44, 50:54], labels[70, 20], labels[:8] = 1, 3, IGNORE
    image = LabelledImage("rare", np.repeat(labels[..., None], 3, axis=2), labels)
    other = flat(0, 64)
    config = replace(STILL, balance=1.0, scale=(1.0, 1.0), size=17)
    sampler = ChipSampler([image, other], config, 1)
    middles = torch.cat([sampler.batch(step).labels[:, 8, 8] for step in range(100)])
    shares = {value: (middles == value).float().mean().item() for value in (0, 1, 3)}
    assert sum(shares.values()) == pytest.approx(1, abs=0.03)  # near the border the chip is pushed inwards
    assert all(share == pytest.approx(1 / 3, abs=0.07) for share in shares.values())
    half = ChipSampler([image, other], replace(config, balance=0.5), 1)
    rare = torch.cat([half.batch(step).labels[:, 8, 8] == 3 for step in range(100)])
    assert rare.float().mean() == pytest.approx(1 / 6, abs=0.06)


def test_the_index_of_places_is_small_and_knows_every_image() -> None:
    places = ClassPlaces([flat(0, 200), flat(0, 100), flat(2, 50)], 1)
    assert places.classes.tolist() == [0, 2]
    assert max(len(found) for found in places._places.values()) == 2048
    drawn = [places.draw(np.random.default_rng(seed)) for seed in range(300)]
    share = [sum(number == index for number, _ in drawn) / 300 for index in range(3)]
    assert share == pytest.approx([0.4, 0.1, 0.5], abs=0.07), "images of a class in proportion to its pixels there"
    assert max(row for number, (row, _) in drawn if number == 0) > 150


def test_drawing_ahead_changes_nothing() -> None:
    sampler = ChipSampler([make_image(1), make_image(2)], ChipConfig(size=32, batch=2), 1)
    calls: list[tuple[int, int]] = []

    def draw(step: int, part: int) -> Batch:
        calls.append((step, part))
        return sampler.batch(step, part)

    ahead = AheadSampler(draw)
    order = [(0, 0), (0, 1), (1, 0), (7, 0)]  # the last one was not announced
    for (step, part), following in zip(order, [*order[1:3], (2, 0), (8, 0)], strict=True):
        assert torch.equal(ahead.take(step, part, following).chips, sampler.batch(step, part).chips)
    assert calls[:5] == [(0, 0), (0, 1), (1, 0), (2, 0), (7, 0)]


def test_faults_of_drawing_ahead_come_out() -> None:
    def draw(step: int, part: int) -> Batch:
        raise DatasetError("broken")

    with pytest.raises(DatasetError, match="broken"):
        AheadSampler(draw).take(0, 0, (1, 0))


def test_scenes_take_their_share_and_their_ids_become_channels() -> None:
    config = DataConfig(scenes=".synthetic.scenes:draw_scene", scene_share=0.5, scene_count=1, scene_size=96)
    scenes = draw_scenes(config)
    assert [scene.name for scene in scenes] == ["scene1000"]
    assert set(np.unique(scenes[0].labels)) <= {*range(5), IGNORE}
    assert (scenes[0].labels != IGNORE).any()
    ignored = LabelledImage("void", np.zeros((64, 64, 3), np.uint8), np.full((64, 64), IGNORE, np.uint8))
    sampler = ChipSampler([ignored], STILL, 1, scenes, config.scene_share)
    share = torch.cat([(sampler.batch(step).labels != IGNORE).flatten(1).any(dim=1) for step in range(60)])
    assert share.float().mean() == pytest.approx(0.5, abs=0.1)
    assert draw_scenes(DataConfig()) == []


def test_scenes_that_are_nowhere_and_no_images_are_errors() -> None:
    with pytest.raises(DatasetError, match="cannot be loaded"):
        draw_scenes(DataConfig(scenes="nowhere:draw", scene_share=0.1))
    with pytest.raises(DatasetError, match=r"cannot be drawn: .*takes a seed and a side"):
        draw_scenes(DataConfig(scenes="math:sqrt", scene_share=0.1))
    with pytest.raises(DatasetError, match="no labelled training image"):
        ChipSampler([], STILL, 1)


def test_sources_are_drawn_by_their_weights_whatever_their_size() -> None:
    large = [replace(make_image(seed, 200, 160), source="large") for seed in range(6)]
    small = [replace(make_image(9, 40, 40), source="small")]
    for balance in (0.0, 1.0):
        config = replace(STILL, balance=balance)
        sampler = ChipSampler([*large, *small], config, 1, weights={"large": 1.0, "small": 3.0})
        names = [name for step in range(60) for name in sampler.batch(step).names]
        assert 0.65 < names.count("image9") / len(names) < 0.85


def test_partial_labels_are_no_classes_to_balance() -> None:
    labels = np.full((40, 40), NOT_CLASS + 2, np.uint8)
    labels[:5] = 1
    places = ClassPlaces([LabelledImage("one", np.zeros((40, 40, 3), np.uint8), labels)], 1)
    assert places.classes.tolist() == [1]


def test_a_chip_is_cut_at_the_gsd_of_the_model() -> None:
    image = make_image(1, 128, 128)
    fine = ChipSampler([replace(image, scale=(0.25, 0.25))], replace(STILL, scale=(1.0, 1.0)), 1).batch(0)
    # blocks of 16 px are 4 px now: 8 × 8 of them fit into 32 px
    changes = (fine.labels[:, :, 1:] != fine.labels[:, :, :-1]).float().sum(dim=2).mean()
    assert 4 < changes < 8


def test_a_stretched_chip_fills_the_range() -> None:
    image = make_image(1)
    dark = replace(image, pixels=(image.pixels // 4 + 10).astype(np.uint8))
    chips = ChipSampler([dark], replace(STILL, stretch=1.0, scale=(1.0, 1.0)), 1).batch(0).chips
    assert chips.min() < 1
    assert chips.max() > 254
    stretch = Stretch(((10, 60), (20, 70), (30, 80)))
    found = stretch(np.array([[[10]], [[70]], [[55]]], np.uint8))
    np.testing.assert_array_equal(found[:, 0, 0], [0, 255, 128])


def test_style_moves_colours_and_keeps_shapes() -> None:
    draw = np.random.default_rng(3)
    chips = torch.from_numpy(draw.normal(0, 20, (6, 3, 32, 32)).astype(np.float32))
    chips = chips + torch.linspace(80, 180, 6).view(-1, 1, 1, 1)
    found = transfer_style(chips, 1.0, draw)
    before, after = chips.mean(dim=(2, 3)), found.mean(dim=(2, 3))
    target = before.roll(1, 0)
    between = (after >= torch.minimum(before, target) - 1) & (after <= torch.maximum(before, target) + 1)
    assert between.all()
    assert (after - before).abs().max() > 5
    for one, other in zip(chips, found, strict=True):
        assert torch.corrcoef(torch.stack((one.flatten(), other.flatten())))[0, 1] > 0.99
    assert torch.equal(transfer_style(chips.clamp(0, 255), 0.0, draw), chips.clamp(0, 255))


def test_pasted_rectangles_bring_their_labels() -> None:
    chips = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 32, 32)
    labels = torch.arange(4).view(4, 1, 1).expand(4, 32, 32)
    found, found_labels = paste_rectangles(chips, labels, 1.0, np.random.default_rng(1))
    assert torch.equal(found[:, 0].long(), found_labels)
    for index in range(4):
        assert set(found_labels[index].unique().tolist()) == {index, (index - 1) % 4}


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"grey": 1.0}, lambda chips: (chips[:, 0] == chips[:, 1]).all()),
        ({"haze": 1.0}, lambda chips: chips.min() > 20),
        ({"light": 1.0}, lambda chips: chips.mean(dim=(1, 2, 3)).std() > 10),
    ],
)
def test_light_haze_and_grey(change, check) -> None:
    flat = torch.full((16, 3, 8, 8), 20, dtype=torch.uint8)
    flat[:, 1] = 120
    assert check(vary_radiometry(flat, replace(STILL, **change), np.random.default_rng(1)))


def test_half_of_the_chips_get_noise_of_their_own() -> None:
    flat = torch.full((200, 3, 8, 8), 100, dtype=torch.uint8)
    found = vary_radiometry(flat, replace(STILL, noise=0.04), np.random.default_rng(1))
    deviations = found.std(dim=(1, 2, 3))
    noisy = deviations > 0.01
    assert 80 < noisy.sum() < 120
    assert deviations.max() < 0.04 * 255 * 1.3
    assert deviations[noisy].mean() == pytest.approx(0.02 * 255, rel=0.15)
    assert not torch.equal(found[:, 0], found[:, 1])
