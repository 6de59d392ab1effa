"""Runs one task in an engine process and returns its result."""

from __future__ import annotations

import queue
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dubai_landcover_plugin.protocol.errors import LandCoverError, ProtocolError, RunCancelled
from dubai_landcover_plugin.protocol.messages import ERROR, LOG, PROGRESS, PROTOCOL, RESULT
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, Task
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.environment import engine_environment
from dubai_landcover_plugin.runner.errors import WorkerError
from dubai_landcover_plugin.runner.temporaries import output_folders, remove_temporaries
from dubai_landcover_plugin.runner.worker_messages import MessageReader, error_of, integer
from dubai_landcover_plugin.runner.worker_process import WorkerProcess, worker_command

POLL_SECONDS = 0.1
EXIT_GRACE_SECONDS = 5.0
SLOW_START_SECONDS = 20.0


def run_task(
    python: str, task: str, request: Mapping[str, Any], monitor: Monitor, command: Sequence[str] | None = None
) -> dict[str, Any]:
    """Run ``task`` in a worker and return its result.

    Args:
        python: Interpreter of the engine.
        task: Name of a tool, such as ``segment_raster``, or ``doctor``.
        request: The task's request, JSON-ready.
        monitor: Receives progress and messages; may cancel.
        command: Command line of the worker; None for the default.

    Returns:
        The ``value`` of the worker's result message.

    Raises:
        EngineMissingError: if the interpreter cannot be started.
        WorkerError: if the engine reports an error.
        WorkerDiedError: if it exits without a result.
        ProtocolError: if its messages are invalid or of another protocol version.
        RunCancelled: if the monitor cancels.
    """
    with WorkerProcess(command or worker_command(python), engine_environment()) as worker:
        worker.send({"protocol": PROTOCOL, "task": task, "request": dict(request)})
        exchange = _Exchange(worker, monitor, TASKS.get(task, Task))
        try:
            return exchange.result()
        except LandCoverError as error:
            worker.kill()
            if not isinstance(error, WorkerError):  # a worker that reports an error has removed its files
                remove_temporaries(output_folders(task, request))
            raise


class _Exchange:
    """Exchange of messages with a worker during one run."""

    def __init__(self, worker: WorkerProcess, monitor: Monitor, task: Task | type[Task]) -> None:
        self._worker = worker
        self._monitor = monitor
        self._grace = task.grace  # s
        self._messages = MessageReader(worker, monitor.log, task.training)
        self._started = time.monotonic()
        self._slow_start_logged = False
        self._cancelled_at: float | None = None

    def result(self) -> dict[str, Any]:
        """Read messages until the result; see :func:`run_task` for what it raises."""
        while True:
            self._watch_cancel()
            try:
                message = self._messages.read(POLL_SECONDS)
            except queue.Empty:
                self._log_slow_start()
                continue
            except EOFError:
                raise self._early_end() from None
            if message is not None and message["type"] == RESULT:
                return self._value(message)
            if message is not None:
                self._handle(message)

    def _watch_cancel(self) -> None:
        """Forward a cancellation to the worker; after the grace period stop waiting for it."""
        now = time.monotonic()
        if self._cancelled_at is None and self._monitor.cancelled():
            self._cancelled_at = now
            self._worker.send({"cancel": True})
        elif self._cancelled_at is not None and now - self._cancelled_at > self._grace:
            raise RunCancelled(tr("The run was cancelled; unfinished files were removed."))

    def _log_slow_start(self) -> None:
        elapsed = time.monotonic() - self._started
        if not self._messages.greeted and not self._slow_start_logged and elapsed > SLOW_START_SECONDS:
            self._slow_start_logged = True
            self._monitor.log("info", tr("Still waiting for the engine to start; the first start can take a minute."))

    def _handle(self, message: Mapping[str, Any]) -> None:
        """Process one message other than a result.

        Raises:
            LandCoverError: the error in an error message.
        """
        kind = message["type"]
        if kind == PROGRESS:
            self._monitor.report(integer(message, "done"), integer(message, "total"), str(message.get("text", "")))
        elif kind == LOG:
            self._monitor.log(str(message.get("level", "info")), str(message.get("text", "")))
        elif kind == ERROR:
            raise self._error(message)

    def _value(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of a result once the worker has exited."""
        value = message.get("value")
        if not isinstance(value, dict):
            raise ProtocolError(
                tr("The engine's result must be an object, got {kind}.", kind=type(value).__name__),
                tr("Install the plugin again."),
            )
        self._worker.close_input()
        self._worker.wait(EXIT_GRACE_SECONDS)
        return value

    def _error(self, message: Mapping[str, Any]) -> LandCoverError:
        """Return the error of an error message once the worker has exited, or the grace period is over."""
        self._worker.close_input()
        self._worker.wait(POLL_SECONDS if self._cancelled_at is not None else EXIT_GRACE_SECONDS)
        return error_of(message)

    def _early_end(self) -> LandCoverError:
        """Return the error for a worker that exited without a result."""
        if self._cancelled_at is not None:
            return RunCancelled(tr("The run was cancelled; unfinished files were removed."))
        return self._messages.died()
