"""Statistics of the values of training images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.protocol.value_statistics import MAX_IMAGES
from tests.factories import random_pixels, write_raster
from training.bands import RGB
from training.data.dataset import Entry, LabelledImage
from training.data.values import are_stretched, value_statistics


def image(value: int, side: int = 40, valid: np.ndarray | None = None) -> LabelledImage:
    pixels = np.full((side, side, 3), value, np.uint8)
    return LabelledImage("one", pixels, np.zeros((side, side), np.uint8), valid=valid)


def test_quantiles_are_those_of_each_image_and_band() -> None:
    ramp = image(0)
    ramp.pixels[..., 1] = np.arange(40)
    found = value_statistics([image(90), ramp], stretched=True)
    assert found is not None
    assert found.stretched
    assert found.images[1] == ((90.0,) * 7,) * 3
    assert found.images[0][1] == pytest.approx(
        np.percentile(np.arange(40).repeat(40), (2, 10, 25, 50, 75, 90, 98)), abs=0.06
    )


def test_invalid_pixels_do_not_count() -> None:
    valid = np.ones((40, 40), bool)
    valid[:, :10] = False
    half = image(200, valid=valid)
    half.pixels[:, :10] = 0
    found = value_statistics([half])
    assert found is not None
    assert found.images == (((200.0,) * 7,) * 3,)
    assert value_statistics([image(1, valid=np.zeros((40, 40), bool))]) is None


def test_of_many_images_some_are_kept_from_the_darkest_to_the_brightest() -> None:
    found = value_statistics(image(value % 256, 16) for value in range(3 * MAX_IMAGES))
    assert found is not None
    medians = [bands[0][3] for bands in found.images]
    assert len(medians) == MAX_IMAGES
    assert (medians[0], medians[-1]) == (0, 255)
    assert np.mean(medians) == pytest.approx(127.5, abs=1)


@pytest.mark.parametrize("deep", [0, 1, 2, 3])
def test_most_files_decide_whether_images_are_stretched(tmp_path: Path, deep: int) -> None:
    entries = []
    for number in range(3):
        dtype = np.uint16 if number < deep else np.uint8
        path = write_raster(tmp_path / f"{number}.tif", random_pixels(8, 8).astype(dtype))
        entries.append(Entry(str(number), "", path, load=lambda: image(0)))
    assert are_stretched(entries, RGB) == (deep >= 2)
