"""Unusual inputs; see :mod:`tests.faults.inputs`."""

from __future__ import annotations

import pytest

from tests.faults.inputs import RECIPES, run_recipe


@pytest.mark.faults
@pytest.mark.parametrize("name", RECIPES)
def test_unusual_input(campaign, name):
    campaign.pool.submit(run_recipe, campaign.base, name).result()
