"""Probability rasters are read as they were written; others are refused."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.io.class_tags import probability_tags
from dubai_landcover_plugin.core.io.probabilities import ProbabilitySource
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from tests.factories import ONE_METRE, write_raster

TAGS = {**class_tags(DUBAI), **probability_tags(DUBAI)}


def write(path, values, tags=TAGS, **profile):
    write_raster(path, values, **{"nodata": 255, **profile})
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**tags)
    return str(path)


def test_rows_classes_and_place(tmp_path):
    values = np.random.default_rng(0).integers(0, 101, (5, 8, 6), np.uint8)
    values[:, 2] = 255
    with ProbabilitySource(write(tmp_path / "p.tif", values)) as source:
        assert (source.read(1, 5) == values[:, 1:5]).all()
        assert source.scheme == DUBAI
        assert (source.grid.height, source.grid.width, source.grid.transform) == (8, 6, ONE_METRE)
        assert (source.nodata, source.model) == (255, "")


def test_bands_have_the_order_of_the_tag(tmp_path):
    values = np.zeros((5, 4, 4), np.uint8)
    with ProbabilitySource(write(tmp_path / "p.tif", values, {**TAGS, "PROBABILITIES": "5 4 3 2 1"})) as source:
        assert source.scheme.ids == (5, 4, 3, 2, 1)


@pytest.mark.parametrize(
    ("bands", "tags", "profile", "message"),
    [
        (5, {}, {}, "is not a probability raster"),
        (4, TAGS, {}, "4 bands for 5 classes"),
        (5, TAGS, {"nodata": None}, "is not a probability raster"),
        (5, {**TAGS, "PROBABILITIES": "1 2 x"}, {}, "its tags are damaged"),
        (5, {"PROBABILITIES": "1 2 3 4 5"}, {}, "its tags are damaged"),
        (5, {**TAGS, "PROBABILITIES": "1 2 3 4 9"}, {}, "5 bands for 5 classes"),
    ],
)
def test_other_rasters_are_refused(tmp_path, bands, tags, profile, message):
    path = write(tmp_path / "p.tif", np.zeros((bands, 4, 4), np.uint8), tags, **profile)
    with pytest.raises(RasterOpenError, match=message):
        ProbabilitySource(path)


def test_values_above_a_hundred_are_refused(tmp_path):
    values = np.full((5, 4, 4), 20, np.uint8)
    values[2, 3, 1] = 101
    with ProbabilitySource(write(tmp_path / "p.tif", values)) as source:
        assert (source.read(0, 3) == 20).all()
        with pytest.raises(RasterReadError, match="not percent: 101"):
            source.read(0, 4)
