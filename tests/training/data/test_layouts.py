"""The Dubai dataset with its oddities, and how a layout is recognised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import colours_of, draw_labels, write_dataset, write_image, write_pair
from training.config import DataConfig
from training.data.layouts import Dataset, Entry, LabelledImage, open_dataset
from training.errors import DatasetError


def opened(root: Path, **settings: object) -> Dataset:
    return open_dataset(DataConfig(**settings), root)


def loaded(root: Path, **settings: object) -> LabelledImage:
    return opened(root, **settings).entries[0].load()


def test_images_have_labels_names_and_places(tmp_path: Path) -> None:
    write_dataset(tmp_path, (2, 10, 1), 1)
    dataset = opened(tmp_path)
    assert [entry.name for entry in dataset.entries] == [f"tile{n}/image_part_001" for n in (1, 2, 10)]
    assert dataset.folds == (("tile1",), ("tile2",), ("tile10",))
    assert dataset.scheme == DUBAI
    assert "CC0" in dataset.title
    image = dataset.entries[0].load()
    assert (image.name, image.group) == ("tile1/image_part_001", "tile1")
    np.testing.assert_array_equal(image.labels, draw_labels(11))


def test_images_without_a_mask_are_listed(tmp_path: Path) -> None:
    write_dataset(tmp_path, (2,), 1)
    write_pair(tmp_path, 2, 9, None)
    dataset = opened(tmp_path)
    assert dataset.unlabelled == ("tile2/image_part_009",)
    assert [entry.name for entry in dataset.entries] == ["tile2/image_part_001"]
    only = write_pair(tmp_path / "none", 2, 9, None)
    with pytest.raises(DatasetError, match=r"No image in .* has a mask"):
        opened(only)


def test_the_wrong_colours_of_its_class_table_are_not_read(tmp_path: Path) -> None:
    write_dataset(tmp_path, (1,), 1)
    (tmp_path / "classes.json").write_text('{"classes": [{"title": "Water", "color": "#50E3C2"}]}')
    np.testing.assert_array_equal(loaded(tmp_path).labels, draw_labels(11))


def test_image_and_mask_must_be_of_one_size(tmp_path: Path) -> None:
    write_pair(tmp_path, 3, 1, Image.fromarray(colours_of(draw_labels(1, 96, 64))))
    with pytest.raises(DatasetError, match=r"tile3/image_part_001: the image has 80×96 px, its mask 64×96.*001\.png"):
        loaded(tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.9])
@pytest.mark.parametrize("file", ["images/image_part_001.jpg", "masks/image_part_001.png"])
def test_a_damaged_file_is_named(tmp_path: Path, file: str, share: float) -> None:
    write_dataset(tmp_path, (1,), 1)
    broken = tmp_path / "Tile 1" / file
    content = broken.read_bytes()
    broken.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DatasetError, match=Path(file).name):
        loaded(tmp_path)


def test_labels_and_pixels_must_agree_in_memory_too() -> None:
    with pytest.raises(DatasetError, match="5×4 px"):
        LabelledImage("x", np.zeros((4, 5, 3), np.uint8), np.zeros((4, 6), np.uint8))


def test_names_and_folds_of_a_dataset_are_checked() -> None:
    def load() -> LabelledImage:
        raise AssertionError

    entry = Entry("a", "place", Path("a.png"), load)
    with pytest.raises(DatasetError, match="a occurs twice"):
        Dataset("x", DUBAI, (entry, entry))
    with pytest.raises(DatasetError, match="a occurs twice"):
        Dataset("x", DUBAI, (entry,), unlabelled=("a",))
    with pytest.raises(DatasetError, match="groups that do not exist"):
        Dataset("x", DUBAI, (entry,), folds=(("elsewhere",),))


def test_a_folder_that_is_no_data_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="does not exist"):
        opened(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="in a supported layout") as caught:
        opened(tmp_path)
    assert "labels.gpkg" in caught.value.remedy
    (tmp_path / "images").mkdir()
    with pytest.raises(DatasetError, match="neither masks nor a polygon layer"):
        opened(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(DatasetError, match=r"no images in .*images"):
        opened(tmp_path)
    write_image(tmp_path / "images" / "a.png", np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "labels.gpkg").touch()
    with pytest.raises(DatasetError, match=r"several kinds of labels: labels\.gpkg, masks") as caught:
        opened(tmp_path)
    assert 'data.labels = "labels.gpkg"' in caught.value.remedy


@pytest.mark.shared
def test_the_real_dataset_reads_as_described(shared: Path) -> None:
    dataset = opened(shared / "dubai")
    assert (len(dataset.entries), len(dataset.unlabelled)) == (65, 7)
    assert [len(fold) for fold in dataset.folds] == [3, 2, 2, 1]
    for wanted in ("tile2/image_part_001", "tile8/image_part_001"):  # a palette mask, and one with black pixels
        (entry,) = [entry for entry in dataset.entries if entry.name == wanted]
        labels = entry.load().labels
        assert set(np.unique(labels)) <= {*range(5), IGNORE}
        assert (labels != IGNORE).mean() > 0.5
