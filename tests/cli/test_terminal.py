"""The terminal: lines, progress, signals."""

from __future__ import annotations

import io
import os
import signal
import sys

import pytest

from dubai_landcover_plugin.cli.terminal import TerminalMonitor


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_messages_and_no_progress(capsys):
    monitor = TerminalMonitor()
    monitor.report(1, 2, "half")
    monitor.log("info", "text")
    monitor.log("warning", "careful")
    monitor.finish()
    assert capsys.readouterr().err == "text\nWarning: careful\n"


def test_a_terminal_redraws_one_line(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monitor = TerminalMonitor()
    monitor.report(1, 4, "windows")
    monitor.report(0, 0)
    monitor.log("info", "text")
    monitor.finish()
    parts = terminal.getvalue().split("\r\033[K")
    assert parts == ["", " 25.0 %  windows", "  0.0 %", "text\n", ""]


def test_a_closed_terminal_does_not_end_the_run(monkeypatch):
    class Closed(Terminal):
        def write(self, text):
            raise OSError

    monkeypatch.setattr(sys, "stderr", Closed())
    TerminalMonitor().log("info", "text")


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
class TestSignals:
    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_the_first_cancels_and_the_second_interrupts(self, name):
        number, monitor = getattr(signal, name), TerminalMonitor()
        before = signal.getsignal(number)
        signal.signal(number, signal.default_int_handler)
        try:
            with monitor.listening():
                assert not monitor.cancelled()
                os.kill(os.getpid(), number)
                assert monitor.cancelled()
                with pytest.raises(KeyboardInterrupt):
                    os.kill(os.getpid(), number)
            assert signal.getsignal(number) is signal.default_int_handler
        finally:
            signal.signal(number, before)

    def test_signals_that_are_ignored_stay_so(self):
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        try:
            with TerminalMonitor().listening():
                assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        finally:
            signal.signal(signal.SIGHUP, before)
