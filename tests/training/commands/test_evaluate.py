"""Selection of data and images by the commands ``evaluate`` and ``calibrate``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories import stub_bundle
from tests.training.dataset import write_dataset
from training.commands.evaluate import Choice, choose_images
from training.config import TrainingConfig
from training.data_config import SourceConfig
from training.errors import DatasetError


def choose(data: Path, *groups: str) -> list[str]:
    sources = (SourceConfig(name="gulf", folder="dubai", gsd=1.0), SourceConfig(name="ohio", folder="naip", gsd=1.0))
    bundle = stub_bundle(training={"config": TrainingConfig(sources=sources).to_json()})
    _, _, selection = choose_images(Choice(str(data), False, None, (), groups, ()), bundle)
    return sorted({entry.group for entry in selection.entries})


def test_the_sources_of_the_model_are_read_where_the_folder_has_them(tmp_path: Path) -> None:
    write_dataset(tmp_path / "dubai", tiles=(1, 2))
    write_dataset(tmp_path / "naip", tiles=(3,))
    assert choose(tmp_path) == ["gulf/tile1", "gulf/tile2", "ohio/tile3"]
    assert choose(tmp_path, "ohio/tile3") == ["ohio/tile3"]


def test_another_folder_is_a_dataset_of_its_own(tmp_path: Path) -> None:
    write_dataset(tmp_path, tiles=(1, 2))
    assert choose(tmp_path, "tile2") == ["tile2"]
    with pytest.raises(DatasetError, match="no labelled group gulf/tile1"):
        choose(tmp_path, "gulf/tile1")
