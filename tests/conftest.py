"""What every test gets: the right half of the suite, fixed seeds, the folder of shared data."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
IN_QGIS = importlib.util.find_spec("qgis") is not None

settings.register_profile("fixed", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fixed")


def belongs_here(module: Path) -> bool:
    """Return whether a test module is for this environment: ``mark.qgis`` means QGIS's own Python."""
    return ("mark.qgis" in module.read_text(encoding="utf-8")) == IN_QGIS


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave the other environment's modules alone, and folders that hold nothing else, conftest.py included."""
    if collection_path.is_dir():
        modules = list(collection_path.rglob("test_*.py"))
        return True if modules and not any(map(belongs_here, modules)) else None
    if collection_path.name.startswith("test_") and collection_path.suffix == ".py":
        return None if belongs_here(collection_path) else True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests of the shared data where there are none."""
    if not SHARED.is_dir():
        skip = pytest.mark.skip(reason="needs the folder shared/ beside the repository")
        for item in items:
            if item.get_closest_marker("shared"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Start every test from the same random state, whatever ran before it."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what tests compile out of the user's cache."""
    os.environ["DUBAI_LANDCOVER_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def no_earlier_trials(own_cache: None) -> None:
    """Forget which precision an earlier test found fastest for its model; compiled networks are kept."""
    shutil.rmtree(Path(os.environ["DUBAI_LANDCOVER_CACHE"]) / "trials", ignore_errors=True)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of the shared data: ``dubai``, ``mosaics``, ``rasters``. Mark the test ``shared``."""
    return SHARED


@pytest.fixture
def stretched() -> Callable[[float], float]:
    """Limits in seconds, longer where other programs take the processor away just now."""

    def stretch(seconds: float) -> float:
        wall, busy = time.perf_counter(), time.process_time()
        while time.process_time() - busy < 0.2:
            pass
        return seconds * max((time.perf_counter() - wall) / 0.2, 1.0)

    return stretch


@pytest.fixture(scope="session")
def clean_environment() -> dict[str, str]:
    """Environment for child processes without what would lead them to another Python or GDAL."""
    prefixes = ("PYTHON", "PROJ_", "GDAL_", "QGIS_", "PIP_")
    return {key: value for key, value in os.environ.items() if not key.startswith(prefixes)}
