"""Cuts, the list of places and the sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.contact import GAP, LINE, Place, read_places, sheet
from training.errors import ConfigError


@pytest.mark.parametrize(
    ("row", "column", "first"), [(-1, -1, (10, 20)), (0, 5, (0, 5)), (99, 99, (20, 40))], ids=["middle", "given", "far"]
)
def test_a_cut_lies_inside_the_image(tmp_path: Path, row: int, column: int, first: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (36, 56, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    found = Place("", "a.png", row=row, column=column).cut(tmp_path, 16)
    np.testing.assert_array_equal(found, pixels[first[0] : first[0] + 16, first[1] : first[1] + 16])


def test_small_images_are_whole(tmp_path: Path) -> None:
    Image.new("RGB", (9, 7)).save(tmp_path / "a.png")
    assert Place("", "a.png").cut(tmp_path, 16).shape == (7, 9, 3)


def test_missing_numbers_are_those_of_the_model_and_the_middle(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text('caption,path,gsd,row,column\n"Coast, 1 m",a.tif,1,3,4\nField,b.tif,,,\n')
    assert read_places(tmp_path / "p.csv") == [Place("Coast, 1 m", "a.tif", 1.0, 3, 4), Place("Field", "b.tif")]


@pytest.mark.parametrize("text", ["caption,path\n", "caption,file\na,b\n", "caption,path,gsd\na,b,wide\n"])
def test_a_list_without_places_or_with_wrong_columns_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"p\.csv"):
        read_places(tmp_path / "p.csv")


def test_a_sheet_shows_image_and_classes_at_their_own_pixels() -> None:
    image, classes = np.full((8, 6, 3), 10, np.uint8), np.full((8, 6, 3), 200, np.uint8)
    picture = np.asarray(sheet([("a", image, classes), ("b", classes, image), ("c", image, image)], 8, 2))
    assert picture.shape == (2 * (8 + LINE + GAP), 2 * (16 + 3 * GAP), 3)
    np.testing.assert_array_equal(picture[LINE : LINE + 8, :6], image)
    np.testing.assert_array_equal(picture[LINE : LINE + 8, 8 + GAP : 8 + GAP + 6], classes)
