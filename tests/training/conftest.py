"""A small trained model and small data."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.core.conftest import one_thread  # noqa: F401 (fixtures are found by name)
from tests.training.dataset import write_dataset
from tests.training.small_model import save_small_model

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@pytest.fixture(scope="session")
def _trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file that has learnt the colours of the synthetic classes, but not well."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    save_small_model(path, MEAN, STD, 25, {"config": {"split": {"kind": "list", "validation": ["tile2"]}}})
    return path


@pytest.fixture
def trained(_trained_once: Path, tmp_path: Path) -> Callable[[], Path]:
    """Return a function that gives a copy of the model file."""
    return lambda: Path(shutil.copy(_trained_once, tmp_path / "small.safetensors"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Folder of two labelled images in each of two tiles."""
    return write_dataset(tmp_path / "data")
