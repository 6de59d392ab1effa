"""The folders of the Dubai dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import write_dataset, write_pair
from training.config import DataConfig
from training.data.dubai import FOLDS, TITLE, find_pairs, open_dubai
from training.errors import DatasetError


def test_images_are_listed_by_tile_number_and_name(tmp_path: Path) -> None:
    for tile, number in ((10, 1), (2, 3), (2, 1)):
        write_pair(tmp_path, tile, number, None)
    names = [pair.name for pair in find_pairs(tmp_path)]
    assert names == ["tile2/image_part_001", "tile2/image_part_003", "tile10/image_part_001"]
    assert all(pair.mask is None for pair in find_pairs(tmp_path))


def test_other_folders_are_not_tiles(tmp_path: Path) -> None:
    write_dataset(tmp_path, (1,), 1)
    (tmp_path / "Tile 1").rename(tmp_path / "Tile one")
    with pytest.raises(DatasetError, match="no images"):
        find_pairs(tmp_path)


def test_images_without_a_mask_are_named_and_not_used(tmp_path: Path) -> None:
    write_pair(write_dataset(tmp_path, (1,), 1), 1, 7, None)
    found = open_dubai(DataConfig(), tmp_path)
    assert [entry.name for entry in found.entries] == ["tile1/image_part_001"]
    assert found.unlabelled == ("tile1/image_part_007",)
    assert (found.title, found.scheme) == (TITLE, DUBAI)
    assert found.entries[0].load().labels.shape == (96, 80)


def test_masks_are_needed(tmp_path: Path) -> None:
    write_pair(tmp_path, 1, 1, None)
    with pytest.raises(DatasetError, match=r"No image in .* has a mask"):
        open_dubai(DataConfig(), tmp_path)


def test_folds_hold_the_tiles_that_are_there_and_each_other_tile_alone(tmp_path: Path) -> None:
    write_dataset(tmp_path, (1, 2, 4, 8, 11), 1)
    found = open_dubai(DataConfig(title="own"), tmp_path)
    assert found.folds == (("tile4", "tile8"), ("tile1",), ("tile2",), ("tile11",))
    assert found.title == "own"


def test_the_folds_divide_the_tiles_of_the_dataset() -> None:
    assert sorted(tile for fold in FOLDS for tile in fold) == [f"tile{number}" for number in range(1, 9)]
