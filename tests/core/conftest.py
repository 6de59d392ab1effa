"""Fixtures of the engine's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.factories import write_raster, write_tiny_model


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
