"""Messages that offer to set up the engine, and say that a set-up has ended."""

from __future__ import annotations

from typing import Callable

from qgis.core import Qgis
from qgis.gui import QgsMessageBar, QgsMessageBarItem
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QObject, QTimer, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtWidgets import QApplication, QPushButton

from dubai_landcover_plugin.processing.algorithm import SET_UP_LINK
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.administration import set_up_is_allowed
from dubai_landcover_plugin.runner.settings import engine_interpreter

_OFFERS: list[tuple[QgsMessageBar, QgsMessageBarItem]] = []
"""Messages in sight, and where."""


class SetUpLink(QObject):
    """Follows the link to the set-up in messages of QGIS, until it is removed.

    Args:
        set_up: Opens the window of the set-up.
    """

    def __init__(self, set_up: Callable[[], None]) -> None:
        super().__init__()
        self._set_up = set_up
        self._scheme = QUrl(SET_UP_LINK).scheme()
        QDesktopServices.setUrlHandler(self._scheme, self, "follow")

    @pyqtSlot(QUrl)
    def follow(self, url: QUrl) -> None:
        """Open the window instead of the message that has the link."""
        message = QApplication.activeModalWidget()
        if message is not None:
            message.close()
        QTimer.singleShot(0, self._set_up)  # the message's own loop ends first

    def remove(self) -> None:
        """Follow no more links."""
        QDesktopServices.unsetUrlHandler(self._scheme)


def offer_set_up(bar: QgsMessageBar, set_up: Callable[[], None]) -> bool:
    """Show a message with a button that sets up the engine, if users may; return whether it was needed.

    Args:
        bar: QGIS's message bar.
        set_up: Starts a set-up of the standard engine and shows its window.
    """
    try:
        engine_interpreter()
    except LandCoverError as error:
        item = bar.createMessage(tr("Land Cover"), error.message)
        if set_up_is_allowed():
            button = QPushButton(tr("Set up now (200 MB)"))
            button.setToolTip(tr("It is 200 MB to download and 0.6 GB on disk."))
            button.clicked.connect(set_up)
            item.layout().addWidget(button)
        bar.pushWidget(item, Qgis.MessageLevel.Info, 0)  # until the user closes it
        _OFFERS.append((bar, item))
        return True
    return False


def offer_update(bar: QgsMessageBar, update: Callable[[], None]) -> None:
    """Show a message with a button for an engine whose libraries are not those of this version of the plugin.

    Args:
        bar: QGIS's message bar.
        update: Shows the window of the set-up.
    """
    text = tr("This version of the plugin comes with other versions of its libraries.")
    _show(bar, text, Qgis.MessageLevel.Info, tr("Update…"), update)


def tell_outcome(bar: QgsMessageBar, error: str, show: Callable[[], None], try_sample: Callable[[], None]) -> None:
    """Say that a set-up has ended whose window was closed meanwhile.

    Args:
        bar: QGIS's message bar.
        error: Why it failed; empty if it succeeded.
        show: Shows the window again.
        try_sample: Draws the sample image.
    """
    if error:
        text = tr("The engine was not set up. {error}", error=error)
        _show(bar, text, Qgis.MessageLevel.Critical, tr("Show"), show)
    else:
        text = tr("The engine is ready.")
        _show(bar, text, Qgis.MessageLevel.Success, tr("Try a sample image…"), try_sample)


def _show(bar: QgsMessageBar, text: str, level: Qgis.MessageLevel, action: str, called: Callable[[], None]) -> None:
    """Show a message with a button, which removes it, until the user closes it."""
    item, button = bar.createMessage(tr("Land Cover"), text), QPushButton(action)
    item.layout().addWidget(button)
    bar.pushWidget(item, level, 0)
    button.clicked.connect(lambda: (bar.popWidget(item), called()))
    _OFFERS.append((bar, item))


def withdraw_offers() -> None:
    """Remove the messages, once another set-up has started or the plugin is unloaded."""
    while _OFFERS:
        bar, item = _OFFERS.pop()
        if not sip.isdeleted(bar) and not sip.isdeleted(item):  # the user has closed it
            bar.popWidget(item)
