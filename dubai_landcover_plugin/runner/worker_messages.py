"""Reads the messages of an engine process and checks its greeting."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from dubai_landcover_plugin.protocol.errors import LandCoverError, ProtocolError, RunCancelled
from dubai_landcover_plugin.protocol.messages import HELLO, PROTOCOL
from dubai_landcover_plugin.protocol.translation import joined, tr
from dubai_landcover_plugin.runner.errors import WorkerDiedError, WorkerError
from dubai_landcover_plugin.runner.exit_codes import explain_exit
from dubai_landcover_plugin.runner.worker_process import END, WorkerProcess

MAX_FOREIGN_LINES = 50
_EXIT_SECONDS = 1.0


class MessageReader:
    """Messages of one worker.

    Args:
        worker: The process.
        log: Receives level and text of messages to the user.
        training: Whether it runs a task of training.
    """

    def __init__(self, worker: WorkerProcess, log: Callable[[str, str], None], training: bool = False) -> None:
        self._worker = worker
        self._training = training
        self._log = log
        self._foreign_lines = 0
        self.greeted = False
        """Whether the worker has sent its versions."""

    def read(self, timeout: float) -> dict[str, Any] | None:
        """Return the next message; None for a line that is not one, and for the greeting.

        Raises:
            queue.Empty: if there is no line within ``timeout`` seconds.
            EOFError: at the end of the output.
            ProtocolError: after too many lines that are not messages, and for another version of the protocol.
        """
        line = self._worker.read(timeout)
        if line is END:
            raise EOFError
        message = self._parsed(line)
        if message is not None and message["type"] == HELLO:
            self._check_hello(message)
            return None
        return message

    def died(self) -> WorkerDiedError:
        """Return the error for a worker that exited without a result."""
        code = self._worker.wait(_EXIT_SECONDS)
        tail = self._worker.log_tail()
        reason, remedy = explain_exit(code, tail, self._training)
        text = tr("The engine exited without a result: {reason}.", reason=reason)
        log = tr("Last lines of the engine's log:")
        return WorkerDiedError(f"{text}\n{log}\n{tail}\n" if tail else text, remedy)

    def _parsed(self, line: bytes) -> dict[str, Any] | None:
        """Return the message in a line; other lines are logged."""
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if isinstance(message, dict) and isinstance(message.get("type"), str):
            return message
        text = line.decode("utf-8", errors="replace").strip()[:200]
        self._foreign_lines += 1
        if self._foreign_lines <= 3 and text:
            self._log("warning", tr("The engine printed a line that is not a message: {text}", text=text))
        if self._foreign_lines > MAX_FOREIGN_LINES:
            raise ProtocolError(
                tr(
                    "The engine printed more than {limit} lines that are not messages, the last: {text}",
                    limit=MAX_FOREIGN_LINES,
                    text=text,
                ),
                tr("Check that the engine's Python prints nothing when it starts."),
            )
        return None

    def _check_hello(self, message: Mapping[str, Any]) -> None:
        """Check the worker's protocol version and log its software versions."""
        if message.get("protocol") != PROTOCOL:
            raise ProtocolError(
                tr(
                    "The engine uses protocol {engine}, the plugin {plugin}.",
                    engine=message.get("protocol"),
                    plugin=PROTOCOL,
                ),
                tr("Restart QGIS after an update of the plugin; if the error persists, install the plugin again."),
            )
        self.greeted = True
        versions = message.get("versions")
        listed = joined(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else ""
        self._log("info", tr("Engine started: {listed}", listed=listed))


def error_of(message: Mapping[str, Any]) -> LandCoverError:
    """Return the error of an error message."""
    code = str(message.get("code", "error"))
    text, remedy = str(message.get("message", "")), str(message.get("remedy", ""))
    if code == RunCancelled.code:
        return RunCancelled(text or tr("The run was cancelled."), remedy)
    return WorkerError(code, text or f"The engine failed with code '{code}' and without a message.", remedy)


def integer(message: Mapping[str, Any], key: str) -> int:
    """Return a number of a message; 0 where it is missing."""
    value = message.get(key, 0)
    return int(value) if isinstance(value, (int, float)) else 0
