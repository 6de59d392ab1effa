"""Waits for the main thread, whose network manager repeats the signals of others. Requests are tested with inputs."""

from __future__ import annotations

import threading
import time

import pytest
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QObject, pyqtSignal

from dubai_landcover_plugin.processing import web_requests

pytestmark = pytest.mark.qgis


class Sender(QObject):
    sent = pyqtSignal(str)


def test_signals_sent_before_are_handled_first() -> None:
    found: list[str] = []
    sender = Sender()
    sender.sent.connect(found.append)

    def work() -> None:
        for index in range(20):
            sender.sent.emit(str(index))
        web_requests._MAIN_THREAD.wait()
        found.append("done")

    thread = threading.Thread(target=work)
    thread.start()
    while thread.is_alive():
        QgsApplication.processEvents()
        time.sleep(0.005)
    assert found == [*map(str, range(20)), "done"]


def test_a_main_thread_that_waits_itself_is_not_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(web_requests, "_SETTLED", 0.1)
    web_requests._MAIN_THREAD.wait()  # in the main thread: at once
    thread = threading.Thread(target=web_requests._MAIN_THREAD.wait)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
