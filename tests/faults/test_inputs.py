"""Unusual inputs; see :mod:`tests.faults.recipes`."""

from __future__ import annotations

import random

import pytest

from tests.faults import batch_recipes, file_recipes, raster_recipes  # noqa: F401 (they add their recipes)
from tests.faults.recipes import RECIPES, run_recipe

SAMPLE = 6


def check(campaign, names):
    for running in [campaign.pool.submit(run_recipe, RECIPES[name], campaign.base) for name in names]:
        running.result()


@pytest.mark.faults
@pytest.mark.parametrize("name", RECIPES)
def test_unusual_input(campaign, name):
    check(campaign, [name])


def test_a_sample_of_the_inputs(campaign):
    check(campaign, random.Random(13).sample(sorted(RECIPES), SAMPLE))
