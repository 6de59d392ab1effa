"""A teaching session in an engine process, without waiting: messages are sent, replies are polled."""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.messages import ERROR, LOG, PROGRESS, PROTOCOL, RESULT
from dubai_landcover_plugin.protocol.requests.session import TEACH_SESSION
from dubai_landcover_plugin.runner.environment import engine_environment
from dubai_landcover_plugin.runner.worker_messages import MessageReader, error_of, integer
from dubai_landcover_plugin.runner.worker_process import WorkerProcess, worker_command

_EXIT_SECONDS = 0.5


@dataclass(frozen=True)
class Reply:
    """A line of the engine for a message.

    Args:
        id: Id of the message.
        value: The result; None for an error and for progress.
        error: The error; None for a result and for progress.
        done: Finished steps.
        total: All steps.
    """

    id: int
    value: dict[str, Any] | None = None
    error: LandCoverError | None = None
    done: int = 0
    total: int = 0

    @property
    def is_last(self) -> bool:
        """Whether the message is answered."""
        return self.value is not None or self.error is not None


class EngineSession:
    """An engine process that answers the messages of a session; see :mod:`~.protocol.requests.session`.

    Args:
        python: Interpreter of the engine.
        log: Receives level and text of messages to the user.
        command: Command line of the worker; None for the default.

    Raises:
        EngineMissingError: if the interpreter cannot be started.
    """

    def __init__(self, python: str, log: Callable[[str, str], None], command: Sequence[str] | None = None) -> None:
        self._worker = WorkerProcess(command or worker_command(python), engine_environment())
        self._messages = MessageReader(self._worker, log)
        self._log = log
        self._waiting: list[Mapping[str, Any]] = []
        self._number = 0
        self.pid = self._worker.pid
        self._worker.send({"protocol": PROTOCOL, "task": TEACH_SESSION, "request": {}})

    @property
    def is_ready(self) -> bool:
        """Whether the engine has started."""
        return self._messages.greeted

    def send(self, message: str, request: Mapping[str, Any]) -> int:
        """Send a message, as soon as the engine has started, and return its id."""
        self._number += 1
        # A pipe that nobody reads fills up and then blocks; the engine reads once it has greeted.
        self._waiting.append({"id": self._number, "message": message, "request": dict(request)})
        self._send_waiting()
        return self._number

    def cancel(self) -> None:
        """Cancel all messages sent so far."""
        self._waiting.append({"cancel": True})
        self._send_waiting()

    def poll(self) -> list[Reply]:
        """Return the replies that have arrived, without waiting.

        Raises:
            WorkerDiedError: if the engine has exited.
            ProtocolError: for invalid messages.
        """
        replies: list[Reply] = []
        while True:
            try:
                message = self._messages.read(0.0)
            except queue.Empty:
                break
            except EOFError:
                if replies:
                    break  # the next call finds the end
                raise self._messages.died() from None
            if message is not None:
                replies += self._replies(message)
        self._send_waiting()
        return replies

    def close(self) -> None:
        """End the engine process; it removes its unfinished files."""
        self._worker.close_input()
        self._worker.wait(_EXIT_SECONDS)
        self._worker.__exit__()

    def _send_waiting(self) -> None:
        while self._messages.greeted and self._waiting:
            self._worker.send(self._waiting.pop(0))

    def _replies(self, message: Mapping[str, Any]) -> list[Reply]:
        kind = message["type"]
        if kind == LOG:
            self._log(str(message.get("level", "info")), str(message.get("text", "")))
            return []
        number = integer(message, "id")
        if kind == PROGRESS:
            return [Reply(number, done=integer(message, "done"), total=integer(message, "total"))]
        if kind == RESULT:
            value = message.get("value")
            return [Reply(number, value=value if isinstance(value, dict) else {})]
        if kind == ERROR:
            return [Reply(number, error=error_of(message))]
        return []
