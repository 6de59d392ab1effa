"""The bands of a raster for a model, with those that are derived."""

from __future__ import annotations

from pathlib import Path

import pytest
import rasterio

from dubai_landcover_plugin.core.io.band_stack import BandStack
from dubai_landcover_plugin.core.io.source_bands import select_bands
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.protocol.errors import BandError
from tests.factories import random_pixels, write_raster


@pytest.fixture
def nameless(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "nameless.tif", random_pixels(4, 4, bands=4))


@pytest.mark.parametrize(
    ("wanted", "options", "numbers"),
    [
        (("red", "green", "blue"), SourceOptions(bands=(3, 2, 1)), (3, 2, 1)),
        (("red", "ndvi", "nir"), SourceOptions(bands=(1, 4)), (1, 5, 4)),
        (("ndvi", "ndwi"), SourceOptions(bands=(4, 1, 2)), (5, 6)),  # nir, red, green
        (("red", "nir", "ndvi"), SourceOptions(trained=(1, 4, 5)), (1, 4, 5)),
    ],
)
def test_numbers(nameless: Path, wanted: tuple[str, ...], options: SourceOptions, numbers: tuple[int, ...]) -> None:
    with rasterio.open(nameless) as dataset:
        found, bands = select_bands(dataset, wanted, options)
        assert bands.numbers == numbers
        assert isinstance(found, BandStack) == any(name.startswith("nd") for name in wanted)
        assert found.count == 4 + len(set(numbers) - {1, 2, 3, 4})


def test_a_number_too_many_is_refused(nameless: Path) -> None:
    with rasterio.open(nameless) as dataset, pytest.raises(BandError, match=r"reads 2 bands \(red, nir\), got 3"):
        select_bands(dataset, ("red", "nir", "ndvi"), SourceOptions(bands=(1, 4, 5)))
