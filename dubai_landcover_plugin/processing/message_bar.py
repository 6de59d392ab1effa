"""Warnings in the message bar of desktop QGIS, from any thread."""

from __future__ import annotations

import qgis.utils
from qgis.core import Qgis
from qgis.PyQt.QtCore import QCoreApplication, QObject, pyqtSignal

_ALIVE: list[_MessageBar] = []


class _MessageBar(QObject):
    """Shows messages in the main thread: QGIS runs algorithms, also their last step inside a model, in others."""

    warned = pyqtSignal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self.moveToThread(QCoreApplication.instance().thread())
        self.warned.connect(self._show)  # called at once in the main thread, else by its event loop

    def _show(self, title: str, text: str) -> None:
        # Until the user closes it: long runs end while nobody looks.
        qgis.utils.iface.messageBar().pushMessage(title, text, Qgis.MessageLevel.Warning, 0)


def warn_in_message_bar(title: str, text: str) -> None:
    """Show a warning in the message bar; without one, as in ``qgis_process``, nothing happens.

    Args:
        title: Heading, in front of the text.
        text: One or two sentences.
    """
    if qgis.utils.iface is None or QCoreApplication.instance() is None:
        return
    if not _ALIVE:
        _ALIVE.append(_MessageBar())
    _ALIVE[0].warned.emit(title, text)
