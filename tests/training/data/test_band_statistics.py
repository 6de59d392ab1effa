"""Mean and deviation of the training images, and the limits of the scaling."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from tests.factories import write_raster
from training.bands import InputBands, parse_bands
from training.data.band_statistics import standardized
from training.data.dataset import Entry
from training.data.pixels import read_picture
from training.errors import DatasetError

NAMES = ("nir", "height")


@pytest.fixture
def entry(tmp_path: Path):
    """Entry of a raster of near infrared and height."""

    def make(name: str, values: np.ndarray, **profile: object) -> Entry:
        path = write_raster(tmp_path / f"{name}.tif", values, **profile)
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = NAMES
            dataset.units = ("", "m")
        return Entry(name, name, path, load=lambda: pytest.fail("images are not loaded"))

    return make


def values(seed: int, dtype: type = np.int16) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.stack([draw.integers(200, 900, (30, 40)), draw.integers(5, 25, (30, 40))]).astype(dtype)


def test_statistics_of_all_files_without_nodata(entry) -> None:
    first, second = values(0), values(1)
    second[:, :10] = -999
    bands = standardized([entry("a", first), entry("b", second, nodata=-999)], parse_bands(NAMES))
    known = np.concatenate([first.reshape(2, -1), second[:, 10:].reshape(2, -1)], axis=1).astype(float)
    assert bands.scaling is not None
    assert bands.scaling.raw(bands.mean) == pytest.approx(known.mean(axis=1))
    assert bands.scaling.raw(bands.std, spread=True) == pytest.approx(known.std(axis=1))
    assert bands.scaling.units == ("", "m")
    (nir_low, nir_high), (low, high) = bands.scaling.limits
    assert nir_low == 0  # light has a natural zero
    assert nir_high == pytest.approx(known[0].mean() + 4 * known[0].std())
    assert (low + high) / 2 == pytest.approx(known[1].mean())  # a height has none


def test_pixels_are_the_same_in_any_unit(entry) -> None:
    narrow, wide = values(2), values(2).astype(np.float32) * 16.5
    chips = []
    for name, given in (("narrow", narrow), ("wide", wide)):
        one = entry(name, given)
        chips.append(read_picture(one.image, standardized([one], parse_bands(NAMES))).pixels)
    assert chips[0].dtype == np.float32
    assert np.abs(chips[0] - chips[1]).max() < 0.01
    assert chips[0].std(axis=(0, 1)).min() > 20


def test_constant_bands_are_refused(entry) -> None:
    flat = values(3)
    flat[1] = 7
    with pytest.raises(DatasetError, match="height has the value 7 everywhere"):
        standardized([entry("flat", flat)], parse_bands(NAMES))


def test_kinds_of_bands() -> None:
    bands = InputBands(("height", "blue", "green", "red", "nir"))
    assert bands.light == (1, 2, 3, 4)
    assert bands.visible == bands.shown == (3, 2, 1)
    assert InputBands(("nir", "height")).shown == (0, 1, 1)
    assert InputBands(("nir",)).shown == (0, 0, 0)
