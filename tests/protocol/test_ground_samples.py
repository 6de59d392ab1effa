"""Samples of the training ground in model files."""

from dataclasses import replace

import pytest

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.ground_samples import DISTANCES, MAX_CELLS, GroundSamples
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from tests.factories import METADATA

SAMPLES = GroundSamples(
    tuple((float(index), 50.0, 60.0, 5.0, 6.0, 7.5) for index in range(9)), tuple(map(float, range(DISTANCES))), 75.0
)


def test_they_come_back_from_json_and_from_a_model():
    assert GroundSamples.from_json(SAMPLES.to_json()) == SAMPLES
    assert SAMPLES.bands == 3
    known = replace(METADATA, ground=SAMPLES)
    assert from_stac_item(to_stac_item(known)) == known
    assert from_stac_item(to_stac_item(METADATA)).ground is None


@pytest.mark.parametrize(
    "change",
    [
        {"cells": ()},
        {"cells": SAMPLES.cells[:3]},
        {"cells": SAMPLES.cells * MAX_CELLS},
        {"cells": tuple(cell[:5] for cell in SAMPLES.cells)},
        {"cells": (*SAMPLES.cells, (1.0, 2.0))},
        {"distances": SAMPLES.distances[:-1]},
        {"distances": SAMPLES.distances[::-1]},
        {"usual": 101.0},
    ],
)
def test_inconsistent_samples_are_refused(change):
    with pytest.raises(BundleError, match="ground samples of a model"):
        replace(SAMPLES, **change)


@pytest.mark.parametrize(
    "change",
    [
        {"cells": [["x"] * 6] * 9},
        {"cells": [[float("nan")] * 6] * 9},
        {"cells": 3},
        {"distances": None},
        {"usual": "a"},
    ],
)
def test_malformed_samples_are_refused(change):
    with pytest.raises((ValueError, TypeError)):
        GroundSamples.from_json({**SAMPLES.to_json(), **change})


def test_samples_of_other_bands_are_refused():
    with pytest.raises(BundleError, match="inconsistent metadata"):
        replace(METADATA, ground=replace(SAMPLES, cells=tuple((*cell, 1.0, 2.0) for cell in SAMPLES.cells)))
