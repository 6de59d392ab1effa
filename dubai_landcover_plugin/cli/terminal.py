"""The terminal: progress on standard error, and signals that stop a run."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from dubai_landcover_plugin.protocol.remaining_time import RemainingTime
from dubai_landcover_plugin.protocol.streams import write_text


def say(text: str) -> None:
    """Print a line of progress; a closed or full standard output does not end the run."""
    write_text(sys.stdout, f"{text}\n")


class TerminalMonitor:
    """Monitor with a progress line on standard error; Ctrl+C and the signals that end a process cancel the run."""

    def __init__(self) -> None:
        self._cancelled = False
        self._live = sys.stderr.isatty()
        self._remaining = RemainingTime()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn signals into a request to cancel; signals that the parent process ignores stay ignored (nohup)."""
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        earlier = {number: signal.getsignal(number) for number in numbers}
        handled = [number for number in numbers if earlier[number] not in (signal.SIG_IGN, None)]
        for number in handled:
            signal.signal(number, self._interrupt)
        try:
            yield
        finally:
            for number in handled:
                signal.signal(number, earlier[number])

    def report(self, done: int, total: int, text: str = "") -> None:
        """Redraw the progress line, if standard error is a terminal."""
        left = self._remaining.words(done, total)
        if self._live:
            shown = "  ".join(part for part in (f"{100 * done / max(total, 1):5.1f} %", text, left) if part)
            self._write(f"\r\033[K{shown}")

    def log(self, level: str, text: str) -> None:
        """Print a message on its own line."""
        start = "\r\033[K" if self._live else ""
        self._write(f"{start}{'Warning: ' if level == 'warning' else ''}{text}\n")

    def cancelled(self) -> bool:
        """Return whether the user asked to stop the run."""
        return self._cancelled

    def finish(self) -> None:
        """Clear the progress line."""
        if self._live:
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        write_text(sys.stderr, text)  # the terminal may have been closed

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._cancelled:
            raise KeyboardInterrupt
        self._cancelled = True
