"""A second raster on its own grid, and bands that are computed from others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import Resampling, calculate_default_transform, reproject

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.protocol.errors import BandError, GeoreferenceError
from tests.factories import ONE_METRE, UTM40, random_pixels, write_raster

HEIGHT, WIDTH = 24, 32


def named(path: Path, values: np.ndarray, names: tuple[str, ...], **profile: object) -> Path:
    write_raster(path, values, **profile)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    return named(tmp_path / "image.tif", random_pixels(HEIGHT, WIDTH, bands=4), ("red", "green", "blue", "nir"))


def plane(height: int, width: int, transform: Affine) -> np.ndarray:
    """Heights that rise evenly with the coordinates of the centres of the pixels."""
    rows, cols = np.mgrid[:height, :width] + 0.5
    x, y = transform.a * cols + transform.c, transform.e * rows + transform.f
    return (0.5 * (x - 300_000) + 0.25 * (2_780_000 - y))[None].astype(np.float32)


def read(path: Path, wanted: tuple[str, ...], **options: object):
    with RasterSource(str(path), wanted, SourceOptions(**options)) as source:
        return source.read(Window(0, 0, HEIGHT, WIDTH)), source


@pytest.mark.parametrize("step", [0.5, 1.0, 3.0])
def test_a_height_model_is_resampled_to_the_image(image: Path, tmp_path: Path, step: float) -> None:
    transform = ONE_METRE @ Affine.translation(-6, -6) @ Affine.scale(step)
    height = plane(round(48 / step), round(60 / step), transform)
    model = named(tmp_path / "height.tif", height, ("nDSM",), transform=transform)
    chip, source = read(image, ("red", "height"), second=str(model))
    assert source.bands == (1, 5)
    assert "by names of the bands" in source.bands_text
    assert chip.valid.all()
    assert np.abs(chip.values[1] - plane(HEIGHT, WIDTH, ONE_METRE)[0]).max() < 0.05
    with rasterio.open(image) as dataset:
        assert (chip.values[0] == dataset.read(1)).all()


def test_another_crs(image: Path, tmp_path: Path) -> None:
    transform = ONE_METRE @ Affine.translation(-20, -20)
    heights = plane(80, 90, transform)[0]
    target, width, height = calculate_default_transform(UTM40, "EPSG:4326", 90, 80, left=299_980, bottom=2_779_940,
                                                        right=300_070, top=2_780_020)  # fmt: skip
    moved = np.full((1, height, width), -9999, np.float32)
    reproject(heights, moved[0], src_transform=transform, src_crs=UTM40, dst_transform=target, dst_crs="EPSG:4326",
              dst_nodata=-9999, resampling=Resampling.bilinear)  # fmt: skip
    model = named(tmp_path / "degrees.tif", moved, ("height",), transform=target, crs="EPSG:4326", nodata=-9999)
    chip, _ = read(image, ("red", "height"), second=str(model))
    assert chip.valid.all()
    assert np.abs(chip.values[1] - plane(HEIGHT, WIDTH, ONE_METRE)[0]).max() < 0.6


def test_pixels_without_a_height_have_no_data(image: Path, tmp_path: Path) -> None:
    heights = plane(HEIGHT, 20, ONE_METRE)
    heights[:, 5, 5] = -9999
    model = named(tmp_path / "part.tif", heights, ("height",), nodata=-9999)
    chip, _ = read(image, ("red", "height"), second=str(model))
    assert not chip.valid[:, 21:].any()
    assert not chip.valid[5, 5]
    assert chip.valid[10:, :19].all()


def test_rasters_that_do_not_belong_together(image: Path, tmp_path: Path) -> None:
    far = named(tmp_path / "far.tif", plane(9, 9, ONE_METRE), ("height",), transform=Affine(1, 0, 5e5, 0, -1, 1e6))
    with pytest.raises(GeoreferenceError, match="has no data on the ground of"):
        read(image, ("red", "height"), second=str(far))
    nowhere = named(tmp_path / "nowhere.tif", plane(9, 9, ONE_METRE), ("height",), crs=None)
    with pytest.raises(GeoreferenceError, match="has no CRS"):
        read(image, ("red", "height"), second=str(nowhere))
    with pytest.raises(BandError, match="does not say which band is"):
        read(image, ("red", "height"))


def test_parts_and_other_resolutions_of_both_agree(image: Path, tmp_path: Path) -> None:
    model = named(tmp_path / "height.tif", plane(40, 40, ONE_METRE), ("height",))
    options = SourceOptions(second=str(model))
    with RasterSource(str(image), ("red", "height"), options) as source, source.reopen() as again:
        assert {str(image), str(model)} <= set(source.files)
        whole = source.read(Window(0, 0, HEIGHT, WIDTH))
        part = again.read(Window(4, 6, 10, 12))
        np.testing.assert_allclose(part.values, whole.values[:, 4:14, 6:18])
        coarse = source.read(Window(0, 0, 12, 16), (12, 16), (2.0, 2.0))
        means = whole.values.reshape(2, 12, 2, 16, 2).mean(axis=(2, 4))
        np.testing.assert_allclose(coarse.values[1], means[1], atol=0.02)


def test_derived_bands(image: Path) -> None:
    chip, source = read(image, ("ndvi", "red", "ndwi"))
    with rasterio.open(image) as dataset:
        red, green, _, nir = dataset.read().astype(np.float32)
    np.testing.assert_allclose(chip.values[0], (nir - red) / (nir + red), atol=1e-6)
    np.testing.assert_allclose(chip.values[2], (green - nir) / (green + nir), atol=1e-6)
    assert (chip.values[1] == red).all()
    assert "ndvi is computed from bands 4 (nir) and 1 (red)." in source.bands_text


def test_derived_bands_of_chosen_ones_and_of_the_file(image: Path, tmp_path: Path) -> None:
    expected, _ = read(image, ("red", "ndvi"))
    with rasterio.open(image) as dataset:
        values = dataset.read()
    nameless = named(tmp_path / "nameless.tif", values, ("", "", "", ""))
    chip, _ = read(nameless, ("red", "ndvi"), bands=(1, 4))  # red, then the band that ndvi needs besides
    np.testing.assert_allclose(chip.values, expected.values)
    own = named(tmp_path / "own.tif", values, ("red", "NDVI", "blue", "nir"))
    chip, source = read(own, ("ndvi", "red"))
    assert source.bands == (2, 1)
    assert (chip.values[0] == values[1]).all()
    with pytest.raises(BandError, match=r"which band is .*red"):
        read(nameless, ("ndvi",))


def test_derived_bands_where_there_is_no_data(tmp_path: Path) -> None:
    values = random_pixels(HEIGHT, WIDTH, bands=2).astype(np.int16)
    values[:, 0, 0] = -1
    values[0, 0, 1] = values[1, 0, 1] = 0
    path = named(tmp_path / "holes.tif", values, ("red", "nir"), nodata=-1)
    chip, _ = read(path, ("red", "nir", "ndvi"))
    assert not chip.valid[0, 0]
    assert chip.valid.sum() == chip.valid.size - 1
    assert chip.values[2, 0, 1] == 0  # 0/0


@pytest.mark.parametrize("wanted", [("red", "green"), ("red", "height")])
def test_bands_of_one_type_are_read_together(tmp_path: Path, wanted: tuple[str, ...]) -> None:
    values = np.full((2, HEIGHT, WIDTH), 3, np.float32)
    image = named(tmp_path / "float.tif", values, ("red", "green"))
    model = named(tmp_path / "height.tif", plane(HEIGHT, WIDTH, ONE_METRE), ("nDSM",))
    chip, _ = read(image, wanted, second=str(model))
    assert chip.values.shape == (2, HEIGHT, WIDTH)
    assert (chip.values[0] == 3).all()


@pytest.mark.parametrize("together", [True, False])
def test_height_above_ground_is_surface_minus_terrain(image: Path, tmp_path: Path, together: bool) -> None:
    terrain = plane(HEIGHT, WIDTH, ONE_METRE)
    surface = terrain + 4
    terrain[0, :3], surface[0, 5:7] = -9999, -9999
    if together:
        model = named(tmp_path / "both.tif", np.concatenate([surface, terrain]), ("DSM", "DTM"), nodata=-9999)
        chip, source = read(image, ("red", "height"), second=str(model))
        assert source.bands == (1, 7)
        assert "height (band 7) is band 5 (surface) minus band 6 (terrain)." in source.bands_text
    else:  # the terrain is the image's own band
        values = np.concatenate([np.full((1, HEIGHT, WIDTH), 3, np.float32), terrain])
        own = named(tmp_path / "own.tif", values, ("red", "digital terrain model"), nodata=-9999)
        model = named(tmp_path / "dsm.tif", surface, ("dsm",), nodata=-9999)
        chip, _ = read(own, ("red", "height"), second=str(model))
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[:3] = hidden[5:7] = True
    assert (chip.valid == ~hidden).all()
    assert np.abs(chip.values[1][~hidden] - 4).max() < 1e-4


def test_a_height_of_its_own_counts_before_a_difference(image: Path, tmp_path: Path) -> None:
    values = np.stack([np.full((HEIGHT, WIDTH), value, np.float32) for value in (9, 5, 2)])
    model = named(tmp_path / "all.tif", values, ("DSM", "DTM", "nDSM"))
    chip, source = read(image, ("red", "height"), second=str(model))
    assert source.bands == (1, 7)
    assert (chip.values[1] == 2).all()
