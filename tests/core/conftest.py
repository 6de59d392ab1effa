"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.factories import write_raster, write_tiny_model


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one thread: tiny networks are faster so, above all on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def raster(tmp_path: Path) -> Callable[..., Path]:
    """Make ``raster(pixels, **profile)`` in a temporary folder."""

    def make(pixels: np.ndarray, name: str = "input.tif", **profile: Any) -> Path:
        return write_raster(tmp_path / name, pixels, **profile)

    return make


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle file: an untrained U-Net of width 4."""
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny.safetensors")
