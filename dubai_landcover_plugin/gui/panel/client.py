"""Keeps an engine session in the state that the panel asks for, without blocking QGIS.

The panel states what should be: raster and model, samples, the view. The client sends the messages that lead there, one
at a time. A newer view replaces an older one, and cancels it if it is being computed. A session that died is started
again and gets all samples; so does one that was closed because it was idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from dubai_landcover_plugin.gui.panel.engine_samples import EngineSamples
from dubai_landcover_plugin.gui.panel.wishes import Wishes
from dubai_landcover_plugin.protocol.errors import LandCoverError, RunCancelled
from dubai_landcover_plugin.protocol.requests.request import Request, Result
from dubai_landcover_plugin.protocol.requests.session import (
    Agreement,
    NoOptions,
    Opened,
    OpenSession,
    Probed,
    ProbeRequest,
    SampleSpec,
    Saved,
    SaveModel,
    Suggested,
    SuggestRequest,
    TeachSamples,
    TeachState,
    ViewRequest,
    ViewResult,
)
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.session import EngineSession, Reply
from dubai_landcover_plugin.runner.settings import engine_interpreter
from dubai_landcover_plugin.runner.temporaries import remove_temporaries

IDLE_SECONDS = 600.0
"""Time without a message after which the engine is closed, s."""
MAX_DEATHS = 2
"""Number of times that an engine is started again before a view or a model is finished."""
_POLL_MS = 15

_RESULTS: dict[str, type[Result]] = {
    "open": Opened,
    "view": ViewResult,
    "probe": Probed,
    "suggest": Suggested,
    "teach": TeachState,
    "agreement": Agreement,
    "save": Saved,
}


@dataclass
class _Sent:
    """A message that is not answered yet."""

    id: int
    name: str
    request: Request
    opening: OpenSession
    cancelled: bool = False
    is_unwanted: bool = False


class SessionClient(QObject):
    """An engine session that follows the panel."""

    opened = pyqtSignal(object)
    """:class:`.Opened`"""
    viewed = pyqtSignal(object)
    """:class:`.ViewResult`"""
    taught = pyqtSignal(object)
    """:class:`.TeachState`"""
    probed = pyqtSignal(object)
    """:class:`.Probed`"""
    suggested = pyqtSignal(object)
    """:class:`.Suggested`"""
    judged = pyqtSignal(object)
    """:class:`.Agreement`"""
    saved = pyqtSignal(object)
    """:class:`.Saved`"""
    refused = pyqtSignal(str, str)
    """Id of a sample that the engine cannot use, and why."""
    failed = pyqtSignal(str, object)
    """Name of a message, or ``engine``, and a :class:`.LandCoverError`."""
    said = pyqtSignal(str, str)
    """Level and text for the user."""
    logged = pyqtSignal(str, str)
    """Level and text for the log."""
    working = pyqtSignal(str, int, int)
    """Name of the message that is being answered, finished and all steps; an empty name when there is none."""

    def __init__(self, parent: QObject | None = None, idle: float = IDLE_SECONDS) -> None:
        super().__init__(parent)
        self._engine: EngineSession | None = None
        self._opening: OpenSession | None = None
        self._is_open = False
        self._is_warm = False
        self._samples = EngineSamples()
        self._wishes = Wishes()
        self._sent: _Sent | None = None
        self._deaths = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._poll)
        self._idle = QTimer(self)
        self._idle.setSingleShot(True)
        self._idle.setInterval(int(idle * 1000))
        self._idle.timeout.connect(self._close_idle)

    @property
    def pid(self) -> int | None:
        """Process id of the engine; None while there is none."""
        return None if self._engine is None else self._engine.pid

    @property
    def is_busy(self) -> bool:
        """Whether a message is being answered or waits."""
        return self._sent is not None or self._has_work()

    @property
    def is_new(self) -> bool:
        """Whether the engine has not finished a view yet; it loads the network with the first one."""
        return not self._is_warm

    @property
    def refusals(self) -> dict[str, str]:
        """Why the engine cannot use samples, by id."""
        return self._samples.refusals

    @property
    def known_samples(self) -> Mapping[str, SampleSpec]:
        """Samples that the engine has, by id."""
        return self._samples.known

    def open(self, opening: OpenSession) -> None:
        """Choose raster and model; they are opened with the first view. An engine that runs stays."""
        if opening == self._opening:
            return
        self._opening = opening
        self._is_open = False
        self._samples.forget(refusals=True)
        self._wishes = Wishes()
        self._deaths = 0
        if self._sent is not None:
            self._cancel_sent(self._sent.name)

    def set_samples(self, samples: Mapping[str, SampleSpec], classes: Mapping[int, Mapping[str, Any]]) -> None:
        """Set all samples by id, and the classes that the model does not have by class id."""
        if self._samples.set(samples, classes):  # the engine cannot change a class: it opens the raster again
            self._is_open = False
            self._samples.forget()
        self._wishes.agreement = None
        self._cancel_sent("agreement", "suggest")
        self._next()

    def view(self, request: ViewRequest) -> None:
        """Ask for a view; it replaces one that is not finished."""
        self._wishes.view = request
        self._cancel_sent("view", "agreement", "suggest")
        self._next()

    def probe(self, request: ProbeRequest) -> None:
        """Ask for the probabilities at a place; nothing happens before the first view."""
        self._wishes.probe = request if self._is_warm else None
        self._next()

    def suggest(self, request: SuggestRequest) -> None:
        """Ask for the place that is worth a sample most; samples and views come first and interrupt the search."""
        self._wishes.suggest = request
        self._cancel_sent("agreement")
        self._next()

    def stop_suggesting(self) -> None:
        """End the search for a place."""
        self._wishes.suggest = None
        if self._sent is not None and self._sent.name == "suggest":
            self._sent.is_unwanted = True
            self._cancel_sent("suggest")

    @property
    def is_suggesting(self) -> bool:
        """Whether a place is being searched."""
        sent = self._sent
        return self._wishes.suggest is not None or (
            sent is not None and sent.name == "suggest" and not sent.is_unwanted
        )

    def forget_view(self) -> None:
        """Ask for no view any more."""
        self._wishes.view, self._wishes.probe = None, None
        self._cancel_sent("view")

    def judge(self) -> None:
        """Ask for the agreement; computed when nothing else is left."""
        self._wishes.agreement = NoOptions()
        self._next()

    def save(self, request: SaveModel) -> None:
        """Ask for the model file."""
        self._wishes.save = request
        self._cancel_sent("agreement", "suggest")
        self._next()

    def stop(self) -> None:
        """End the engine and drop what was asked for; samples and opening are kept."""
        self._wishes = Wishes()
        self._samples.forget(refusals=True)
        self._deaths = 0
        self._end_engine()
        self.working.emit("", 0, 0)

    def _has_work(self) -> bool:
        if self._opening is None:
            return False
        return bool(self._wishes) or (self._is_open and self._samples.difference() is not None)

    def _next(self) -> None:
        """Send the next message if none is being answered."""
        if self._sent is not None or not self._has_work() or self._opening is None:
            return
        if self._engine is None and not self._start_engine():
            return
        if not self._is_open:
            self._send("open", self._opening)
            return
        change = self._samples.difference()
        message = ("teach", change) if change is not None else self._wishes.take()
        if message is not None:
            self._send(*message)

    def _start_engine(self) -> bool:
        try:
            self._engine = EngineSession(engine_interpreter().path, self._log)
        except LandCoverError as error:
            self._fail("engine", error)
            return False
        self._timer.start()
        return True

    def _log(self, level: str, text: str) -> None:
        self.logged.emit(level, text)

    def _send(self, name: str, request: Request) -> None:
        if self._engine is None or self._opening is None:
            return
        self._idle.stop()
        self._sent = _Sent(self._engine.send(name, request.to_json()), name, request, self._opening)
        self._timer.start()
        if name != "probe":  # too short to be shown
            self.working.emit(name, 0, 0)

    def _cancel_sent(self, *names: str) -> None:
        sent = self._sent
        if sent is not None and sent.name in names and not sent.cancelled and self._engine is not None:
            sent.cancelled = True
            self._engine.cancel()

    def _poll(self) -> None:
        """Take replies; the timer calls this."""
        if self._engine is None:
            self._timer.stop()
            return
        try:
            replies = self._engine.poll()
        except LandCoverError as error:
            self._restart(error)
            return
        for reply in replies:
            self._take(reply)
        if self._engine is not None and self._sent is None:
            self._timer.setInterval(_POLL_MS * 20)
        else:
            self._timer.setInterval(_POLL_MS)

    def _take(self, reply: Reply) -> None:
        sent = self._sent
        if reply.error is not None and reply.id == 0:  # the engine could not start
            self._end_engine()
            self._fail("engine", reply.error)
            return
        if sent is None or reply.id != sent.id:
            return
        if not reply.is_last:
            self.working.emit(sent.name, reply.done, reply.total)
            return
        self._sent = None
        if sent.opening is not self._opening:
            pass  # an answer about another raster
        elif reply.error is not None:
            self._take_error(sent, reply.error)
        else:
            try:
                self._take_result(sent, _RESULTS[sent.name].from_json(reply.value or {}))
            except LandCoverError as error:
                self._fail(sent.name, error)
        self._next()
        if self._sent is None:
            self.working.emit("", 0, 0)
            if self._engine is not None:
                self._idle.start()

    def _take_result(self, sent: _Sent, result: Any) -> None:
        if sent.name == "open":
            self._is_open = True
            self._samples.forget()
            self.opened.emit(result)
        elif isinstance(sent.request, TeachSamples):
            self._samples.remember(sent.request)
            self.taught.emit(result)
        elif sent.name == "view":
            self._deaths = 0
            self._is_warm = True
            if not sent.cancelled:
                self.viewed.emit(result)
        elif sent.name == "probe":
            self.probed.emit(result)
        elif sent.name == "suggest":
            if not sent.is_unwanted:
                self.suggested.emit(result)
        elif sent.name == "agreement":
            if not sent.cancelled:
                self.judged.emit(result)
        elif sent.name == "save":
            self._deaths = 0
            self.saved.emit(result)

    def _take_error(self, sent: _Sent, error: LandCoverError) -> None:
        if isinstance(error, RunCancelled) or sent.name == "probe":
            self._search_again(sent)
            return
        if isinstance(sent.request, TeachSamples):
            name = self._samples.refuse(sent.request, error)
            if name:
                self.refused.emit(name, str(error))
            if name is not None:
                return
        self._fail(sent.name, error)

    def _search_again(self, sent: _Sent) -> None:
        """Continue a search that was interrupted."""
        if isinstance(sent.request, SuggestRequest) and not sent.is_unwanted:
            self._wishes.put_back("suggest", sent.request)

    def _fail(self, name: str, error: LandCoverError) -> None:
        """Report an error; the engine would fail in the same way again, so nothing more is asked for."""
        if name in ("engine", "open", "teach"):
            self._wishes = Wishes()
            self._end_engine()
        self.working.emit("", 0, 0)
        self.failed.emit(name, error)

    def _restart(self, error: LandCoverError) -> None:
        """Start an engine that died again, with what it was asked for."""
        sent = self._sent
        self._end_engine()
        if sent is None:
            self.said.emit("info", tr("The engine ended; it starts again with the next view."))
            self.working.emit("", 0, 0)
            return
        self._deaths += 1
        if self._deaths > MAX_DEATHS:
            self._deaths = 0
            self._fail("engine", error)
            return
        if isinstance(sent.request, (ViewRequest, SaveModel)):
            self._wishes.put_back(sent.name, sent.request)
        self._search_again(sent)
        self.logged.emit("warning", str(error))
        self.said.emit(
            "warning",
            tr("The engine ended unexpectedly and was started again with {n} samples.", n=len(self._samples.samples)),
        )
        self._next()

    def _close_idle(self) -> None:
        self._end_engine()
        self.said.emit("info", tr("The engine was closed to free memory; it starts again with the next view."))

    def _end_engine(self) -> None:
        engine, sent = self._engine, self._sent
        self._engine, self._sent = None, None
        self._is_open = self._is_warm = False
        self._samples.forget()
        self._timer.stop()
        self._idle.stop()
        if engine is not None:
            engine.close()
        if sent is not None and isinstance(sent.request, SaveModel):
            remove_temporaries([Path(sent.request.output).parent])
