"""Exit statuses and messages of command lines, whatever ends them."""

import errno
import os
import subprocess
import sys
import tempfile

import click
import pytest

from dubai_landcover_plugin.cli.program import Program, print_result
from dubai_landcover_plugin.protocol.errors import BandError, OutputError, RunCancelled
from tests.factories import ROOT


def program(error: BaseException | None = None) -> Program:
    """A program whose only command raises an exception."""

    @click.command()
    def run() -> int:
        if error is not None:
            raise error
        return 3

    return Program("town", "town", run, "Interrupted.", "Run it again.")


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (None, 3, ""),
        (BandError("Two bands.", "Give three."), 1, "town: Two bands. Give three."),
        (RunCancelled("Cancelled."), 130, "town: Cancelled."),
        (KeyboardInterrupt(), 130, "Interrupted."),
        (click.UsageError("No such option."), 2, "town: No such option. Try 'town --help'."),
        (MemoryError(), 1, "town: There is not enough memory."),
        (OSError(errno.ENOSPC, "No space left", "/o/a.tif"), 1, "town: /o/a.tif: No space left. Free some space. Run"),
        (RecursionError("deep"), 1, "town: Unexpected error: RecursionError: deep. Please report it with the log"),
    ],
)  # fmt: skip
def test_every_end_has_a_status_and_one_line(error, status, text, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert program(error).run([]) == status
    printed = capsys.readouterr().err
    assert text in printed
    assert len(printed.splitlines()) == (2 if status == 130 and text == "Interrupted." else bool(text))
    assert "Traceback" not in printed


def test_a_result_that_cannot_be_printed_is_an_error(monkeypatch):
    class Full:
        def write(self, text: str) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def fileno(self) -> int:
            raise OSError

        flush = write

    monkeypatch.setattr(sys, "stdout", Full())
    with pytest.raises(OutputError, match="cannot be printed: No space left"):
        print_result("text")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device /dev/full of Linux")
@pytest.mark.parametrize(
    ("redirection", "status", "message"),
    [
        (">/dev/full", 1, "cannot be printed: No space left"),
        ("2>/dev/full", 0, ""),
        (">/dev/full 2>/dev/full", 1, ""),
        (">&- 2>&- <&-", 0, ""),
        ("2>&-", 0, ""),
    ],
)
def test_full_and_closed_streams(redirection, status, message, tmp_path):
    command = [sys.executable, "-m", "dubai_landcover_plugin", "models"]
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize(("error", "added"), [(MemoryError(), True), (RecursionError("deep"), False)])
def test_the_hint_is_for_lack_of_space_and_memory(error, added, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program(error).run([])
    assert ("Run it again." in capsys.readouterr().err) == added
