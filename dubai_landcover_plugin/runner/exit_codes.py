"""Explains exit codes of the engine."""

from __future__ import annotations

import signal

from dubai_landcover_plugin.protocol.failures import memory_remedy
from dubai_landcover_plugin.protocol.translation import tr

_MEMORY_SIGNS = ("MemoryError", "bad_alloc", "can't allocate memory", "Cannot allocate memory", "CUDA out of memory")
_WINDOWS_CODES = {
    0xC0000005: "it crashed (access violation)",
    0xC0000017: "the system ran out of memory",
    0xC00000FD: "it crashed (stack overflow)",
    0xC0000135: "a library it needs is missing",
    0xC000013A: "it was interrupted",
}


def explain_exit(code: int | None, log_tail: str, training: bool = False) -> tuple[str, str]:
    """Return why a worker exited, as a clause, and the remedy.

    Args:
        code: Exit code of ``subprocess``; negative for a signal, None for a worker that did not exit by itself.
        log_tail: Last lines of its error output.
        training: Whether it ran a task of training.
    """
    setup = tr("Choose Plugins > Dubai Land Cover > Set up the engine… again.")
    if code is None:
        return tr("it stopped responding"), tr("Try again; if it happens again, report it with the log.")
    if code < 0:
        return _explain_signal(-code, training)
    if code > 128 and code - 128 in (signal.SIGTERM, 9, 11):
        return _explain_signal(code - 128, training)  # a wrapper script reports signals this way
    if any(sign in log_tail for sign in _MEMORY_SIGNS) or code == 0xC0000017:
        return tr("it ran out of memory"), memory_remedy(training)
    if "No module named" in log_tail or code == 0xC0000135:
        return tr("a library it needs is missing (exit code {code})", code=code), setup
    if code in _WINDOWS_CODES:
        return tr(_WINDOWS_CODES[code]), tr("Try again with device cpu; if it happens again, report it with the log.")
    return tr("its exit code was {code}", code=code), tr("See the last lines of its log.")


def _explain_signal(number: int, training: bool) -> tuple[str, str]:
    if number == 9:
        return tr("the system killed it, probably for lack of memory (signal 9)"), memory_remedy(training)
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = "?"
    reason = tr("it crashed (signal {number}, {name})", number=number, name=name)
    return reason, tr("Try again with device cpu and precision float32.")
