"""Samples of the ground of training images, and how far places are from each other."""

from __future__ import annotations

import numpy as np
import pytest

from dubai_landcover_plugin.core.segmentation.novelty import cell_statistics, novelty_of
from dubai_landcover_plugin.protocol.ground_samples import MAX_CELLS
from training.data.dataset import LabelledImage
from training.data.ground_samples import ground_samples


def image(colour: float, seed: int = 0, side: int = 256, valid: np.ndarray | None = None) -> LabelledImage:
    noise = np.random.default_rng(seed).normal(0, 10, (side, side, 3))
    pixels = np.clip(np.array([colour, colour - 20, colour - 40]) + noise, 0, 255).astype(np.uint8)
    return LabelledImage("one", pixels, np.zeros((side, side), np.uint8), valid=valid)


PLACES = [(f"place{index}", image(150 + 3 * index, index)) for index in range(5)]


def test_images_of_other_places_are_usual_and_other_ground_is_not() -> None:
    samples = ground_samples(PLACES)
    assert samples is not None
    assert len(samples.cells) == 5 * 64
    assert 60 <= samples.usual < 95
    like, unlike = (
        novelty_of(cell_statistics(image(colour, 9).pixels.transpose(2, 0, 1)), samples) for colour in (156, 60)
    )
    assert like is not None
    assert unlike is not None
    assert like.percent < samples.usual < 99 < unlike.percent


def test_distances_leave_out_the_own_place() -> None:
    """A place unlike all others has large distances, although its own cells are among the samples."""
    alone, with_twin = (ground_samples([*PLACES, *others]) for others in ([("x", image(90))], twins()))
    assert alone is not None
    assert with_twin is not None
    assert alone.distances[-1] > 5 * with_twin.distances[-1]


def test_scenes_are_sampled_and_change_no_distance() -> None:
    plain, with_scenes = ground_samples(PLACES), ground_samples(PLACES, [image(20), image(30)])
    assert plain is not None
    assert with_scenes is not None
    assert (with_scenes.distances, with_scenes.usual) == (plain.distances, plain.usual)
    assert sum(cell[0] < 50 for cell in with_scenes.cells) == 120
    found = novelty_of(cell_statistics(image(25).pixels.transpose(2, 0, 1)), with_scenes)
    assert found is not None
    assert not found.is_high


def twins() -> list[tuple[str, LabelledImage]]:
    return [("x", image(90)), ("y", image(90, 1))]


def test_images_of_one_place_take_the_part_of_places() -> None:
    samples = ground_samples([("place", image(150 + 3 * index, index)) for index in range(5)])
    assert samples == ground_samples(PLACES)


def test_invalid_pixels_and_small_images_do_not_count() -> None:
    valid = np.ones((256, 256), bool)
    valid[:128] = False
    samples = ground_samples([*PLACES, ("half", image(200, valid=valid)), ("small", image(99, side=20))])
    assert samples is not None
    assert len(samples.cells) == 5 * 64 + 32


@pytest.mark.parametrize("images", [[], [("a", image(100))], [("a", image(9, side=20)), ("b", image(9, side=20))]])
def test_too_few_cells_give_none(images: list[tuple[str, LabelledImage]]) -> None:
    assert ground_samples(images) is None


def test_many_cells_are_sampled() -> None:
    samples = ground_samples([(f"{index}", image(100 + index, index, 700)) for index in range(8)])
    assert samples is not None
    assert len(samples.cells) == MAX_CELLS // 2
