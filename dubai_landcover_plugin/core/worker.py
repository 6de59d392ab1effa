"""The engine as a process: one request in, JSON lines out.

Requests come on standard input, messages go to standard output; see :mod:`dubai_landcover_plugin.protocol.messages`.
The end of standard input means that nobody listens any more: the worker leaves at once. Exit status 0 after a result,
1 after an error.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import sys
import threading
import traceback
from collections.abc import Callable
from typing import IO, Any

from dubai_landcover_plugin import core
from dubai_landcover_plugin.protocol.errors import LandCoverError, ProtocolError
from dubai_landcover_plugin.protocol.messages import ERROR, HELLO, LOG, PROGRESS, PROTOCOL, RESULT
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.tasks import TASKS

Task = Callable[[dict[str, Any], Monitor], dict[str, Any]]


class LineMonitor:
    """Reports as JSON lines; cancelled by a message."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self.finished = False

    def send(self, kind: str, **values: Any) -> None:
        """Write one message."""
        line = json.dumps({"type": kind, **values}, ensure_ascii=True)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def report(self, done: int, total: int, text: str = "") -> None:
        """See :class:`Monitor`."""
        self.send(PROGRESS, done=done, total=total, text=text)

    def log(self, level: str, text: str) -> None:
        """See :class:`Monitor`."""
        self.send(LOG, level=level, text=text)

    def cancel(self) -> None:
        """Ask the run to stop."""
        self._cancelled.set()

    def cancelled(self) -> bool:
        """See :class:`Monitor`."""
        return self._cancelled.is_set()


def main() -> int:
    """Serve one request; return the exit status."""
    monitor = LineMonitor(_claim_stdout())
    try:
        task, request = _read_task(sys.stdin.readline())
        threading.Thread(target=_listen, args=(sys.stdin, monitor), daemon=True).start()
        _say_hello(monitor, task)
        value = _TASKS[task](request, monitor)
    except LandCoverError as error:
        monitor.send(ERROR, code=error.code, message=error.message, remedy=error.remedy)
        return 1
    except MemoryError:
        remedy = "Lower the window or the batch, or close other programs."
        monitor.send(ERROR, code="memory", message="There is not enough memory.", remedy=remedy)
        return 1
    except ImportError as error:
        traceback.print_exc()
        message = f"A package of the engine cannot be loaded: {error}."
        monitor.send(ERROR, code="engine", message=message, remedy="Check the engine, and set it up again.")
        return 1
    except Exception as error:
        traceback.print_exc()
        message = f"The engine failed unexpectedly: {type(error).__name__}: {error}"
        monitor.send(ERROR, code="bug", message=message, remedy="Please report it with the log.")
        return 1
    monitor.finished = True
    monitor.send(RESULT, value=value)
    return 0


def _claim_stdout() -> IO[str]:
    """Keep standard output for the protocol: whatever libraries print goes to standard error."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    return os.fdopen(protocol, "w", encoding="utf-8", newline="\n")


def _read_task(line: str) -> tuple[str, dict[str, Any]]:
    try:
        message = json.loads(line)
        protocol, task, request = message["protocol"], message["task"], message.get("request", {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(
            f"The first line is no request: {line[:200]!r}.", "Start the worker from the plugin."
        ) from error
    if protocol != PROTOCOL:
        raise ProtocolError(
            f"Plugin and engine speak different protocols, {protocol} and {PROTOCOL}.", "Install the plugin again."
        )
    if not isinstance(task, str) or task not in _TASKS:
        raise ProtocolError(f"The task '{task}' is unknown; there is {', '.join(_TASKS)}.")
    return task, request


def _listen(stream: IO[str], monitor: LineMonitor) -> None:
    """Take messages until the plugin is gone; then leave, so that no orphan goes on."""
    try:
        for line in stream:
            try:
                wanted = bool(json.loads(line).get("cancel"))
            except (ValueError, AttributeError):
                continue
            if wanted:
                monitor.cancel()
    finally:
        if not monitor.finished:
            _leave()


def _leave() -> None:
    """Tidy up and end the process at once, even where tidying fails."""
    try:
        files = sys.modules.get("dubai_landcover_plugin.core.io.files")  # not loaded: nothing was written
        remove = getattr(files, "remove_partials", None)
        if remove is not None:
            remove()
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(1)


def _say_hello(monitor: LineMonitor, task: str) -> None:
    """Greet; the doctor must be reached even where packages are broken."""
    try:
        from dubai_landcover_plugin.core.runtimes.versions import versions

        found = versions()
    except Exception:  # a broken package raises whatever its loading raises
        if task != "doctor":
            raise
        found = {"python": platform.python_version()}
    monitor.send(HELLO, protocol=PROTOCOL, pid=os.getpid(), versions=found)


def _tool(name: str) -> Task:
    """Return a tool of :mod:`dubai_landcover_plugin.core` as a task; the tool is loaded when it runs."""

    def run(request: dict[str, Any], monitor: Monitor) -> dict[str, Any]:
        found = getattr(core, name)(TASKS[name].request.from_json(request), monitor)
        value: dict[str, Any] = found.to_json()
        return value

    return run


def _doctor(request: dict[str, Any], monitor: Monitor) -> dict[str, Any]:
    from dubai_landcover_plugin.core.doctor import examine

    return examine()


_TASKS: dict[str, Task] = {**{name: _tool(name) for name in TASKS}, "doctor": _doctor}

if __name__ == "__main__":
    sys.exit(main())
