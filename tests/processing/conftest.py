"""The QGIS tests run the plugin folder that users get, with the engine of the other environment."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
ENGINE = Path(os.environ.get("DUBAI_LANDCOVER_PYTHON") or ROOT / ".venv" / "bin" / "python")
IN_QGIS = importlib.util.find_spec("qgis") is not None

if IN_QGIS:
    if not (BUILD / "dubai_landcover_plugin" / "metadata.txt").is_file():
        raise pytest.UsageError("The plugin folder is missing: run 'make package' first.")
    sys.path.insert(0, str(BUILD))


@pytest.fixture(scope="session")
def engine() -> str:
    """Interpreter of the engine's environment."""
    if not ENGINE.is_file():
        pytest.skip("needs the engine environment: run 'make setup'")
    return str(ENGINE)


if IN_QGIS:
    from tests.processing.qgis_fixtures import *  # noqa: F403 (fixtures are found by name)
