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


def test_progress_is_logged_every_few_seconds_and_at_the_end_of_a_stage(caplog, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, LOGGER)
    monitor = LoggingMonitor(interval=5.0)
    for done in range(1001):  # 12 s
        monitor.report(done, 1000, "4.0 Mpx/s")
        now[0] += 0.012
    assert caplog.messages == [
        "0 % 4.0 Mpx/s",
        "41 % 4.0 Mpx/s",
        "83 % 4.0 Mpx/s",
        "100 % 4.0 Mpx/s",
    ]
    caplog.clear()
    monitor.report(1, 1)  # the end of the stage was logged already
    monitor.report(0, 1, "verifying")
    monitor.report(0, 0)
    assert not caplog.messages
    now[0] += 5
    monitor.report(0, 1, "verifying")
    monitor.report(1, 1)
    assert caplog.messages == ["0 % verifying", "100 %"]
    assert {record.levelno for record in caplog.records} == {logging.INFO}


def test_a_run_stops_only_where_the_monitor_cancels():
    class Impatient(SilentMonitor):
        def cancelled(self) -> bool:
            return True

    raise_if_cancelled(SilentMonitor())
    with pytest.raises(RunCancelled):
        raise_if_cancelled(Impatient())
