"""Progress and messages of a run."""

from __future__ import annotations

import logging

import pytest

from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.protocol.monitor import LOGGER, LoggingMonitor, SilentMonitor, raise_if_cancelled


def test_messages_are_logged_at_their_level(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    monitor = LoggingMonitor()
    monitor.log("info", "Model dubai.")
    monitor.log("warning", "No CRS, 100 % of it.")
    assert caplog.record_tuples == [
        (LOGGER, logging.INFO, "Model dubai."),
        (LOGGER, logging.WARNING, "No CRS, 100 % of it."),
    ]
    assert not monitor.cancelled()


def test_progress_is_logged_once_for_each_tenth_of_a_stage(caplog):
    caplog.set_level(logging.INFO, LOGGER)
    monitor = LoggingMonitor()
    for done in range(1001):
        monitor.report(done, 1000, "4.0 Mpx/s")
    assert caplog.messages == [f"{10 * tenth} % 4.0 Mpx/s" for tenth in range(11)]
    caplog.clear()
    monitor.report(0, 1, "verifying")  # the next stage starts from 0
    monitor.report(0, 0)
    monitor.report(1, 1)
    assert caplog.messages == ["0 % verifying", "100 %"]


def test_a_run_stops_only_where_the_monitor_cancels():
    class Impatient(SilentMonitor):
        def cancelled(self) -> bool:
            return True

    raise_if_cancelled(SilentMonitor())
    with pytest.raises(RunCancelled):
        raise_if_cancelled(Impatient())
