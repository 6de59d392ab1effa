"""The engine as a process: runs one request, or a teaching session, and writes JSON lines.

The request is read from standard input, messages are written to standard output; see
:mod:`dubai_landcover_plugin.protocol.messages`. Standard input is closed when the plugin exits; the
worker then exits at once. Exit status: 0 after a result, 1 after an error.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import platform
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from dubai_landcover_plugin import core
from dubai_landcover_plugin.protocol.address_space import check_address_space
from dubai_landcover_plugin.protocol.errors import ProtocolError
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.messages import ERROR, HELLO, LOG, PROGRESS, PROTOCOL, RESULT
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.partial_files import remove_own_partials
from dubai_landcover_plugin.protocol.requests.session import TEACH_SESSION
from dubai_landcover_plugin.protocol.requests.tasks import TASKS
from dubai_landcover_plugin.protocol.streams import open_standard_streams
from dubai_landcover_plugin.protocol.training_package import missing_packages, training_package
from dubai_landcover_plugin.protocol.translation import joined, tr

TaskFunction = Callable[[dict[str, Any], Monitor], dict[str, Any]]


class LineMonitor:
    """Writes progress and messages as JSON lines; cancelled by a control message."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._messages: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._received = 0
        self._cancelled_number = 0  # messages up to this number are cancelled
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
        """Cancel the run; in a session, all messages received so far."""
        self._cancelled_number = self._received
        self._cancelled.set()

    def cancelled(self) -> bool:
        """See :class:`Monitor`."""
        return self._cancelled.is_set()

    def add_message(self, message: Any) -> None:
        """Queue a message of a session."""
        self._received += 1
        self._messages.put((self._received, message))

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        """See :class:`.Channel`."""
        try:
            return self._messages.get(timeout=timeout)
        except queue.Empty:
            return None

    def is_cancelled(self, number: int) -> bool:
        """See :class:`.Channel`."""
        return number <= self._cancelled_number


def main() -> int:
    """Serve one request; return the exit status."""
    open_standard_streams()
    monitor = LineMonitor(_claim_stdout())
    task = ""
    try:
        check_address_space()
        task, request = _read_task(sys.stdin.readline())
        threading.Thread(target=_read_control_messages, args=(sys.stdin, monitor), daemon=True).start()
        _send_hello(monitor, task)
        value = _TASKS[task](request, monitor)
        monitor.finished = True
        monitor.send(RESULT, value=value)
    except Exception as error:
        found = explained(error, training=task in TASKS and TASKS[task].training)
        with suppress(OSError):  # the plugin has closed the pipe
            monitor.send(ERROR, code=found.code, message=found.message, remedy=found.remedy)
        return 1
    return 0


def _claim_stdout() -> IO[str]:
    """Return standard output for the protocol; redirect the output of libraries to standard error."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    return os.fdopen(protocol, "w", encoding="utf-8", newline="\n")


def _read_task(line: str) -> tuple[str, dict[str, Any]]:
    """Return task and request of the first line.

    Raises:
        ProtocolError: if it is not a request, is of another protocol version or has an unknown task.
    """
    try:
        message = json.loads(line)
        protocol, task, request = message["protocol"], message["task"], message.get("request", {})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(
            tr("The first line is not a request: {line!r}.", line=line[:200]), tr("Start the worker from the plugin.")
        ) from error
    if protocol != PROTOCOL:
        raise ProtocolError(
            tr("The engine uses protocol {engine}, the plugin {plugin}.", engine=PROTOCOL, plugin=protocol),
            tr("Install the plugin again."),
        )
    if not isinstance(task, str) or task not in _TASKS:
        raise ProtocolError(
            tr("The task '{task}' is unknown.", task=task), tr("Choose one of: {names}.", names=joined(_TASKS))
        )
    return task, request


def _read_control_messages(stream: IO[str], monitor: LineMonitor) -> None:
    """Read control messages; exit when stdin closes."""
    try:
        for line in stream:
            try:
                message = json.loads(line)
            except ValueError:
                message = line
            if isinstance(message, dict) and message.get("cancel"):
                monitor.cancel()
            else:
                monitor.add_message(message)
    finally:
        if not monitor.finished:
            _exit_now()


def _exit_now() -> None:
    """Remove unfinished files and exit at once, even if removing them fails."""
    try:
        remove_own_partials()
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(1)


def _send_hello(monitor: LineMonitor, task: str) -> None:
    """Send protocol, process id and versions; for the doctor, also if packages are broken."""
    try:
        from dubai_landcover_plugin.core.runtimes.versions import versions

        found = versions()
    except Exception:  # a broken package raises whatever its loading raises
        if task != "doctor":
            raise
        found = {"python": platform.python_version()}
    monitor.send(HELLO, protocol=PROTOCOL, pid=os.getpid(), versions=found)


def _tool(name: str) -> TaskFunction:
    """Return a tool of :mod:`dubai_landcover_plugin.core` as a task, which imports the tool when it runs."""

    def run(request: dict[str, Any], monitor: Monitor) -> dict[str, Any]:
        result = getattr(core, name)(TASKS[name].request.from_json(request), monitor)
        value: dict[str, Any] = result.to_json()
        return value

    return run


def _training_tool(name: str) -> TaskFunction:
    """Return a tool of the package of training as a task; the package is imported when it runs.

    Raises:
        EngineError: when it runs, if a package of training is missing.
    """

    def run(request: dict[str, Any], monitor: Monitor) -> dict[str, Any]:
        try:
            tasks = importlib.import_module(f"{training_package()}.tasks")
            result = getattr(tasks, name)(TASKS[name].request.from_json(request), monitor)
        except ModuleNotFoundError as error:
            raise missing_packages(error) from error
        value: dict[str, Any] = result.to_json()
        return value

    return run


def _doctor(request: dict[str, Any], monitor: Monitor) -> dict[str, Any]:
    from dubai_landcover_plugin.core.doctor import examine

    return examine()


def _teach_session(request: dict[str, Any], monitor: Monitor) -> dict[str, Any]:
    """Answer the messages of a session until it is closed."""
    from dubai_landcover_plugin.core.teaching.service import TeachService

    if not isinstance(monitor, LineMonitor):
        raise ProtocolError(tr("A teaching session runs in a worker only."), tr("Start the worker from the plugin."))
    TeachService(monitor).run()
    return {}


_TASKS: dict[str, TaskFunction] = {
    **{name: _training_tool(name) if task.training else _tool(name) for name, task in TASKS.items()},
    "doctor": _doctor,
    TEACH_SESSION: _teach_session,
}

if __name__ == "__main__":
    sys.exit(main())
