"""Answers the messages of a teaching session; see :mod:`dubai_landcover_plugin.protocol.requests.session`."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import Any, Protocol

from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.errors import ProtocolError, RequestError
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.messages import ERROR, LOG, PROGRESS, RESULT
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.session import (
    MESSAGES,
    OpenSession,
    ProbeRequest,
    SaveModel,
    SuggestRequest,
    TeachSamples,
    ViewRequest,
)
from dubai_landcover_plugin.protocol.translation import joined, tr

IDLE_SECONDS = 600.0
"""Time without a message after which a session gives its memory back, s."""
_PAUSE = 0.2  # time without a message after which a session computes what later messages need, s


class Channel(Protocol):
    """The two directions of a session."""

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        """Return the number of the next message and the message; None after ``timeout`` s without one."""

    def send(self, kind: str, **values: Any) -> None:
        """Send one line."""

    def is_cancelled(self, number: int) -> bool:
        """Return whether the message of this number was cancelled."""


@dataclass(frozen=True)
class _MessageMonitor:
    """Sends progress and messages with the id of the message that is being answered."""

    channel: Channel
    number: int
    id: Any

    def report(self, done: int, total: int, text: str = "") -> None:
        self.channel.send(PROGRESS, id=self.id, done=done, total=total, text=text)

    def log(self, level: str, text: str) -> None:
        self.channel.send(LOG, id=self.id, level=level, text=text)

    def cancelled(self) -> bool:
        return self.channel.is_cancelled(self.number)


class TeachService:
    """Answers messages one after the other until ``close``.

    Args:
        channel: Receives and sends.
        idle: Time without a message after which memory is given back, s.
    """

    def __init__(self, channel: Channel, idle: float = IDLE_SECONDS) -> None:
        self._channel, self._idle = channel, idle
        self._session: TeachingSession | None = None
        self._is_prepared = True  # nothing is left to do in pauses

    def run(self) -> None:
        """Answer messages until ``close``; errors are answers too."""
        try:
            closed = False
            while not closed:
                received = self._channel.receive(self._idle if self._is_prepared else min(_PAUSE, self._idle))
                if received is not None:
                    self._is_prepared = False
                    closed = self._answer(*received)
                elif not self._prepare():
                    self._give_back()
        finally:
            self._close()

    def _answer(self, number: int, message: Any) -> bool:
        """Answer one message; return whether it was ``close``."""
        name = None
        own_id = message.get("id") if isinstance(message, dict) else None
        try:
            name, request = _parse(message)
            result = self._result(name, request, _MessageMonitor(self._channel, number, own_id))
            self._channel.send(RESULT, id=own_id, value={} if result is None else result.to_json())
        except Exception as error:
            found = explained(error)
            self._channel.send(ERROR, id=own_id, code=found.code, message=found.message, remedy=found.remedy)
        return name == "close"

    def _result(self, name: str, request: Request, monitor: Monitor) -> Result | None:
        """Return the result of a message."""
        if isinstance(request, OpenSession):
            opened = TeachingSession(request, monitor)
            self._close()
            self._session = opened
            return opened.describe()
        if name == "close":
            self._close()
            return None
        session = self._session
        if session is None:
            raise RequestError(tr("No raster is open."), tr("Send open first."))
        raise_if_cancelled(monitor)
        if isinstance(request, ViewRequest):
            return session.view(request, monitor)
        if isinstance(request, ProbeRequest):
            return session.probe(request, monitor)
        if isinstance(request, SuggestRequest):
            return session.suggest(request, monitor)
        if isinstance(request, TeachSamples):
            return session.teach(request, monitor)
        if isinstance(request, SaveModel):
            return session.save(request, monitor)
        if name == "agreement":
            return session.agreement(monitor)
        return session.undo() if name == "undo" else session.redo()

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _prepare(self) -> bool:
        """Use a pause; return whether there was anything to do."""
        if self._is_prepared:
            return False
        try:
            self._is_prepared = self._session is None or not self._session.prepare()
        except Exception as error:  # it will come up again with the next message
            self._channel.send(LOG, id=None, level="warning", text=str(explained(error)))
            self._is_prepared = True
        return True

    def _give_back(self) -> None:
        if self._session is not None:
            self._session.release()
            gc.collect()


def _parse(message: Any) -> tuple[str, Request]:
    """Return name and request of a message.

    Raises:
        ProtocolError: if it is not a message of a session.
        RequestError: if its request is invalid.
    """
    name = message.get("message") if isinstance(message, dict) else None
    if not isinstance(name, str) or name not in MESSAGES:
        raise ProtocolError(
            tr("This is not a message of a session: {message!r:.200}.", message=message),
            tr("Choose one of: {names}.", names=joined(MESSAGES)),
        )
    return name, MESSAGES[name].from_json(message.get("request", {}))
