"""The command line, ``landcover``: the terminal around the commands."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.cli import accuracy, buildings, change, installation, polygons, report, roads, segment
from dubai_landcover_plugin.protocol.errors import LandCoverError, RunCancelled

CANCELLED = 130  # exit status, as of a program that Ctrl+C ended


class TerminalMonitor:
    """Progress on standard error; Ctrl+C asks the run to stop, and so do the signals that end a process."""

    def __init__(self) -> None:
        self._cancelled = False
        self._live = sys.stderr.isatty()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals as a wish to stop; those that the caller of the process ignores stay ignored (nohup)."""
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        earlier = {number: signal.getsignal(number) for number in numbers}
        heard = [number for number in numbers if earlier[number] not in (signal.SIG_IGN, None)]
        for number in heard:
            signal.signal(number, self._interrupt)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, earlier[number])

    def report(self, done: int, total: int, text: str = "") -> None:
        """Redraw the progress line, where there is a terminal."""
        if self._live:
            self._write(f"\r\033[K{100 * done / max(total, 1):5.1f} %  {text}")

    def log(self, level: str, text: str) -> None:
        """Print a message on a line of its own."""
        start = "\r\033[K" if self._live else ""
        self._write(f"{start}{'Warning: ' if level == 'warning' else ''}{text}\n")

    def cancelled(self) -> bool:
        """Return whether somebody asked the run to stop."""
        return self._cancelled

    def finish(self) -> None:
        """Clear the progress line."""
        if self._live:
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(text)
            sys.stderr.flush()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._cancelled:
            raise KeyboardInterrupt
        self._cancelled = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 1 failed, 2 wrong use, 130 cancelled."""
    parsed = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be anything
    monitor = TerminalMonitor()
    try:
        if not parsed.polls:
            return _run(parsed, monitor)
        with monitor.listening():
            return _run(parsed, monitor)
    except RunCancelled as error:
        monitor.finish()
        monitor.log("error", f"landcover: {error.message}")
        return CANCELLED
    except KeyboardInterrupt:
        monitor.finish()
        return CANCELLED
    except LandCoverError as error:
        monitor.finish()
        monitor.log("error", f"landcover: {error.message}")
        if error.remedy:
            monitor.log("error", f"           {error.remedy}")
        return 1


def _run(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    status: int = parsed.run(parsed, monitor)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="landcover", description="Land-cover maps from aerial and satellite images.")
    parser.add_argument("--version", action="version", version=f"landcover {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for room in (segment, polygons, buildings, roads, report, accuracy, change, installation):
        room.add_commands(commands)
    return parser
