"""Fixtures that several test modules of this room share."""

from __future__ import annotations

import pytest

from tests.core.assessment.cases import draw, random_map
from tests.factories import write_class_map


@pytest.fixture
def sampled(tmp_path):
    """A map and 100 unlabelled points of it."""
    raster = write_class_map(tmp_path / "m.tif", random_map())
    draw(raster, tmp_path / "p.gpkg", size=100, min_per_class=15)
    return raster, tmp_path / "p.gpkg"
