"""The dataset with its oddities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dubai_landcover_plugin.core.accuracy import IGNORE
from dubai_landcover_plugin.core.classes import DUBAI
from tests.training.dataset import colours_of, draw_labels, write_dataset, write_pair
from training.data import LabelledImage, find_pairs, load_image, read_labels
from training.errors import DatasetError
from training.train import load_split


def test_rgb_and_palette_masks_give_the_same_labels(tmp_path: Path) -> None:
    labels = draw_labels(5)
    plain = Image.fromarray(colours_of(labels))
    palette = plain.quantize(8)
    assert palette.mode == "P"
    plain.save(tmp_path / "plain.png")
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "plain.png"), labels)
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png"), labels)


def test_unlabeled_and_black_are_ignored(tmp_path: Path) -> None:
    mask = np.array([[DUBAI.unlabeled.rgb, (0, 0, 0), DUBAI.classes[4].rgb]], np.uint8)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert read_labels(tmp_path / "mask.png").tolist() == [[IGNORE, IGNORE, 4]]


def test_a_colour_of_no_class_is_named_with_its_file(tmp_path: Path) -> None:
    mask = colours_of(draw_labels(1))
    mask[3, 4] = (1, 2, 3)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    with pytest.raises(DatasetError, match=r"mask\.png has 1 colours of no class: #010203 \(1 px\)"):
        read_labels(tmp_path / "mask.png")


def test_image_and_mask_must_be_of_one_size(tmp_path: Path) -> None:
    write_pair(tmp_path, 3, 1, Image.fromarray(colours_of(draw_labels(1, 96, 64))))
    with pytest.raises(DatasetError, match="tile3/image_part_001: the image has 80×96 px, its mask 64×96 px"):
        load_image(find_pairs(tmp_path)[0])


def test_images_without_a_mask_are_listed_and_left_out(tmp_path: Path) -> None:
    write_dataset(tmp_path)
    write_pair(tmp_path, 2, 9, None)
    said: list[str] = []
    training, validation = load_split(tmp_path, (2,), said.append)
    assert [image.name for image in training] == ["tile1/image_part_001", "tile1/image_part_002"]
    assert [image.name for image in validation] == ["tile2/image_part_001", "tile2/image_part_002"]
    assert "1 of 5 images have no mask and are left out: tile2/image_part_009" in said[0]
    with pytest.raises(DatasetError, match="tile2/image_part_009 has no mask"):
        load_image(find_pairs(tmp_path)[-1])


def test_an_empty_folder_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no images under") as caught:
        find_pairs(tmp_path)
    assert "Tile N/images" in caught.value.remedy


def test_a_damaged_image_is_named(tmp_path: Path) -> None:
    write_dataset(tmp_path, (1,), 1)
    broken = tmp_path / "Tile 1" / "images" / "image_part_001.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"image_part_001\.jpg cannot be read"):
        load_image(find_pairs(tmp_path)[0])


def test_labels_and_pixels_must_agree_in_memory_too() -> None:
    with pytest.raises(DatasetError, match="5×4 px"):
        LabelledImage("x", np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6), np.uint8))


@pytest.mark.shared
def test_the_real_dataset_reads_as_described(shared: Path) -> None:
    pairs = find_pairs(shared / "dubai")
    assert len(pairs) == 72
    assert len([pair for pair in pairs if pair.mask is None]) == 7
    for wanted in ("tile2/image_part_001", "tile8/image_part_001"):  # a palette mask, and one with black pixels
        (pair,) = [pair for pair in pairs if pair.name == wanted]
        image = load_image(pair)
        assert set(np.unique(image.labels)) <= {*range(5), IGNORE}
        assert (image.labels != IGNORE).mean() > 0.5
