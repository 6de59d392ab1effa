"""Images are read as Segment Land Cover reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.dataset import make_image, write_image, write_raster
from training.bands import parse_bands
from training.data.pixels import list_images, open_image, read_band, read_picture, stretch_of, to_pixels
from training.errors import DatasetError

PIXELS = make_image(3).pixels


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_picture_comes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    write_raster(path, PIXELS) if suffix == ".tif" else write_image(path, PIXELS)
    picture = read_picture(path)
    assert (picture.pixels == PIXELS).all()
    assert picture.valid.all()
    assert picture.pixels.flags.c_contiguous
    assert (picture.grid.crs is None) == (suffix == ".png")


def test_bands_may_be_chosen(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", PIXELS)
    assert (read_picture(path, parse_bands((3, 2, 1))).pixels == PIXELS[..., ::-1]).all()


def test_nodata_is_not_valid(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[:4] = 0
    picture = read_picture(write_raster(tmp_path / "a.tif", pixels, nodata=0))
    assert not picture.valid[:4].any()
    assert picture.valid[4:].all()


def test_sixteen_bits_are_stretched_over_the_whole_image(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", PIXELS.astype(np.uint16) * 40 + 300)
    picture = read_picture(path)
    assert picture.pixels.dtype == np.uint8
    assert (np.diff(picture.pixels.reshape(-1, 3)[np.argsort(PIXELS[..., 0].ravel())][:, 0].astype(int)) >= 0).all()
    with open_image(path) as source:
        stretch = stretch_of(source)
    assert not stretch.is_identity
    with open_image(write_raster(tmp_path / "b.tif", PIXELS)) as source:
        assert stretch_of(source).is_identity
    with open_image(path) as source:
        chip = source.read_sample()
        assert to_pixels(chip, stretch).shape == (*chip.values.shape[1:], 3)


def test_images_of_other_bands_name_the_setting(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "grey.tif", PIXELS[..., :1], photometric="MINISBLACK")
    with pytest.raises(DatasetError, match=r"grey\.tif is not RGB") as caught:
        read_picture(path)
    assert "data.bands" in caught.value.hint


def test_damaged_files_are_named_once(tmp_path: Path) -> None:
    path = tmp_path / "broken.tif"
    path.write_bytes(b"no image")
    with pytest.raises(DatasetError) as caught:
        read_picture(path)
    assert caught.value.message.startswith(f"GDAL cannot open {path}")  # without the path once more before it


def test_a_band_keeps_its_values(tmp_path: Path) -> None:
    ids = np.arange(12, dtype=np.int16).reshape(3, 4, 1) - 5
    chip, grid = read_band(write_raster(tmp_path / "ids.tif", ids, photometric="MINISBLACK"))
    assert chip.values.tolist() == [ids[..., 0].tolist()]
    assert (grid.height, grid.width) == (3, 4)


class TestList:
    def test_images_below_a_folder_by_name(self, tmp_path: Path) -> None:
        for name in ("b/two.TIF", "a.png", "b/._two.tif", "b/notes.txt", "c.tif.aux.xml"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
        (tmp_path / "folder.tif").mkdir()
        assert list_images(tmp_path) == {"a": tmp_path / "a.png", "b/two": tmp_path / "b" / "two.TIF"}

    def test_equal_names_are_refused(self, tmp_path: Path) -> None:
        for name in ("a.png", "a.tif"):
            (tmp_path / name).touch()
        with pytest.raises(DatasetError, match=r"a\.png and .*a\.tif have the same name"):
            list_images(tmp_path)
