"""Kills, errors of the disk and full disks at system calls of every command; see :mod:`tests.faults.trials`."""

from __future__ import annotations

import random

import pytest

from tests.faults import trials
from tests.faults.jobs import JOBS

SAMPLE = 34


@pytest.mark.faults
@pytest.mark.parametrize("replace", [False, True], ids=["new", "replacing"])
@pytest.mark.parametrize("number", range(len(JOBS)), ids=[job.name for job in JOBS])
def test_no_fault_breaks_the_invariant(campaign, number, replace):
    campaign.check(list(trials.plan(number, replace, campaign.undisturbed[number, replace])))


def test_a_sample_of_the_campaign(campaign):
    everything = [
        trial
        for (number, replace), undisturbed in campaign.undisturbed.items()
        for trial in trials.plan(number, replace, undisturbed)
    ]
    campaign.check(random.Random(13).sample(everything, SAMPLE))
