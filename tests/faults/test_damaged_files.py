"""Damaged models, checkpoints, compiled networks and journals; see :mod:`tests.faults.damaged_files`."""

from __future__ import annotations

import random

import pytest

from tests.faults.damaged_files import COUNTS, DamagedFile

SAMPLE = 20


@pytest.mark.faults
@pytest.mark.parametrize("kind", COUNTS)
def test_no_damage_breaks_a_run(campaign, kind):
    campaign.check_damaged([DamagedFile(kind, seed) for seed in range(COUNTS[kind])])


def test_a_sample_of_the_damages(campaign):
    everything = [DamagedFile(kind, seed) for kind, count in COUNTS.items() for seed in range(count)]
    campaign.check_damaged(random.Random(13).sample(everything, SAMPLE))
