"""Palettes and rasters that cannot be classified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.io.source_dataset import SourceOptions, open_dataset, palette_of
from dubai_landcover_plugin.protocol.errors import RasterOpenError
from tests.factories import random_pixels, write_raster


def test_colours_of_a_palette(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "palette.tif", np.zeros((1, 2, 2), np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {0: (1, 2, 3, 255), 5: (9, 8, 7, 255)})
    with open_dataset(str(path), SourceOptions()) as dataset:
        palette = palette_of(dataset)
    assert palette is not None
    assert palette.shape == (256, 4)
    assert palette[[0, 5]].tolist() == [[1, 2, 3, 255], [9, 8, 7, 255]]
    with open_dataset(str(write_raster(tmp_path / "rgb.tif", random_pixels(2, 2))), SourceOptions()) as dataset:
        assert palette_of(dataset) is None


def test_complex_numbers_are_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "complex.tif", np.zeros((1, 2, 2), np.complex64))
    with pytest.raises(RasterOpenError, match="complex numbers"):
        open_dataset(str(path), SourceOptions())
