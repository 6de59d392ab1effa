"""Standard streams that may be closed or full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import IO


def open_standard_streams() -> None:
    """Open the null device in place of standard streams that are closed.

    Otherwise the next file that is opened gets the number of the closed stream, and what a library prints is written
    into that file.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.dup(number), mode, encoding="utf-8", errors="backslashreplace"))


def write_text(stream: IO[str], text: str) -> bool:
    """Write text that the program can do without; return False if the stream is closed or its disk is full.

    The stream is silenced then, so that neither later messages nor the end of the program fail.
    """
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):  # ValueError: the stream was closed
        silence(stream)
        return False
    return True


def silence(stream: IO[str]) -> None:
    """Send what is written to a stream to the null device, including text that was not flushed yet."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
