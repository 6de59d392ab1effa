"""The bands of the training rasters keep their meaning."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from tests.factories import write_raster
from training.bands import RGB, InputBands, parse_bands
from training.data.band_names import identify_bands
from training.data.dataset import Entry, LabelledImage
from training.data.pixels import read_picture
from training.errors import DatasetError

GREY = [ColorInterp.gray, *[ColorInterp.undefined] * 3]
PIXELS = np.random.default_rng(2).integers(1, 255, (4, 8, 9), np.uint8)


@pytest.fixture
def entry(tmp_path: Path):
    """Entry of a raster with some names of its bands."""

    def make(name: str, *descriptions: str) -> Entry:
        path = write_raster(tmp_path / f"{name}.tif", PIXELS, colorinterp=GREY)
        with rasterio.open(path, "r+") as dataset:
            for band, text in enumerate(descriptions, 1):
                dataset.set_band_description(band, text)
        return Entry(name, name, path, load=lambda: LabelledImage(name, PIXELS[:3].T, PIXELS[0].T))

    return make


def identified(entries: list[Entry], *bands: int | str) -> tuple[InputBands, str]:
    said: list[str] = []
    return identify_bands(entries, parse_bands(bands), said.append), " ".join(said)


def test_numbers_get_the_names_of_the_files(entry) -> None:
    bands, said = identified([entry("a"), entry("b", "red", "green", "blue", "NIR")], 4, 1, 2)
    assert bands == InputBands(("nir", "red", "green"), (4, 1, 2))
    assert "reads nir, red, green (bands 4, 1, 2)" in said


def test_numbers_without_names_stay_numbers(entry) -> None:
    assert identified([entry("a")], 4, 1, 2)[0] == InputBands(("band 4", "band 1", "band 2"), (4, 1, 2))
    assert identified([entry("a")], "nir=4", 1, 2)[0] == InputBands(("nir", "band 1", "band 2"), (4, 1, 2))
    assert identified([entry("a")]) == (RGB, "")


def test_names_have_numbers_if_these_are_equal_in_all_files(entry) -> None:
    first, other = entry("a", "red", "green", "blue", "nir"), entry("b", "nir", "red", "green", "blue")
    assert identified([first], "nir", "red", "green")[0] == InputBands(("nir", "red", "green"), (4, 1, 2))
    assert identified([first, other], "nir", "red", "green")[0] == InputBands(("nir", "red", "green"))
    for chosen, order in ((first, [3, 0, 1]), (other, [0, 1, 2])):
        pixels = read_picture(chosen.image, parse_bands(("nir", "red", "green"))).pixels
        assert (pixels == PIXELS[order].transpose(1, 2, 0)).all()


def test_files_that_contradict_each_other_are_refused(entry) -> None:
    entries = [entry("a", "red", "green", "blue", "nir"), entry("b", "nir", "red", "green", "blue")]
    with pytest.raises(DatasetError, match=r"Band 4 is nir in .*a\.tif, blue in .*b\.tif"):
        identified(entries, 4, 1, 2)


@pytest.mark.parametrize(
    ("descriptions", "bands", "words"),
    [
        ((), ("nir", "red", "green"), "does not say which band is nir, red, green"),
        (("red", "green", "blue", "swir1"), ("nir=4", "red=1", "green=2"), "but band 4 is called swir1"),
    ],
)
def test_nothing_is_guessed(entry, descriptions: tuple[str, ...], bands: tuple[str, ...], words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        read_picture(entry("a", *descriptions).image, parse_bands(bands))
