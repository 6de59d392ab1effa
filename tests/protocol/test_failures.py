"""Any exception becomes one sentence with a remedy; unexpected ones leave a log file."""

import errno
import tempfile

import pytest

from dubai_landcover_plugin.protocol.errors import (
    BandError,
    EngineError,
    OutOfMemoryError,
    OutputError,
    UnexpectedError,
)
from dubai_landcover_plugin.protocol.failures import explained, write_log


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    """Folder of the log files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_errors_of_the_project_are_unchanged():
    error = BandError("Two bands.", "Give three.")
    assert explained(error) is error


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (MemoryError(), OutOfMemoryError, "There is not enough memory. Lower"),
        (MemoryError("Unable to allocate 3 GiB"), OutOfMemoryError, "memory: Unable to allocate 3 GiB. Lower"),
        (RuntimeError("std::bad_alloc"), OutOfMemoryError, "not enough memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemoryError, "not enough memory"),
        (ImportError("libx.so: failed to map segment from shared object"), OutOfMemoryError, "not enough memory"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/o/a.tif"),
            OutputError,
            "/o/a.tif: No space left on device. Free",
        ),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "/o"),
            OutputError,
            "/o: No such file or directory. Check",
        ),
        (ImportError("No module named 'torch'"), EngineError, "cannot be loaded: No module named 'torch'. Check"),
    ],
)
def test_causes_that_are_known_are_described(error, kind, text, logs):
    found = explained(error)
    assert type(found) is kind
    assert text in str(found)
    assert list(logs.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        KeyError("x"),
        RecursionError(),
        OverflowError("int too\nlarge"),
        OSError("no number"),
        AssertionError("a" * 5000),
    ],
)
def test_other_exceptions_leave_a_log(error, logs):
    try:
        raise error
    except Exception as caught:
        found = explained(caught)
    (log,) = logs.iterdir()
    assert type(found) is UnexpectedError
    assert str(log) in found.remedy
    assert type(error).__name__ in found.message
    assert "\n" not in found.message
    assert len(found.message) < 600
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "test_failures.py" in text


def test_a_log_that_cannot_be_written_is_no_second_failure(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert write_log(KeyError()) is None
    assert "could not be written" in str(explained(KeyError("x")))


def test_exceptions_without_a_text():
    class SilentError(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert explained(SilentError()).message == "Unexpected error: SilentError."
    assert explained(KeyError("\ud800")).remedy.startswith("Please report it with the log")


def test_a_training_is_not_told_to_change_options_of_a_run():
    found = explained(MemoryError(), training=True)
    assert found.remedy == "Close other programs, or use fewer or smaller rasters."
