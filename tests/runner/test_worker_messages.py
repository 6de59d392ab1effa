"""Messages of workers; processes that misbehave are in test_run."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.runner.errors import WorkerError
from dubai_landcover_plugin.runner.worker_messages import error_of, integer


def test_errors_keep_code_message_and_remedy():
    error = error_of({"code": "bands", "message": "Two bands.", "remedy": "Use three."})
    assert isinstance(error, WorkerError)
    assert (error.code, str(error)) == ("bands", "Two bands. Use three.")
    assert isinstance(error_of({"code": "cancelled"}), RunCancelled)
    assert "without a message" in str(error_of({"code": "odd"}))


@pytest.mark.parametrize(("value", "number"), [(3, 3), (2.0, 2), ("3", 0), (None, 0)])
def test_numbers_of_messages(value, number):
    assert integer({"done": value}, "done") == number
    assert integer({}, "done") == 0
