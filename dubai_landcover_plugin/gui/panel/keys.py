"""Keys of teaching: numbers for classes, undo and redo."""

from __future__ import annotations

from typing import Any, Callable

from qgis.PyQt.QtCore import QEvent, QObject, Qt, pyqtSignal
from qgis.PyQt.QtGui import QKeyEvent


class SampleKeys(QObject):
    """Event filter that takes the keys of teaching from widgets before the shortcuts of QGIS do.

    QGIS has the same shortcuts for layers in edit mode.
    """

    chosen = pyqtSignal(int)
    """Number key that was pressed, 1..9."""
    undo = pyqtSignal()
    redo = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.drawing: Callable[[int], bool] = lambda key: False
        """Takes keys without modifiers first; returns whether it did."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take a key; all other events go on."""
        is_key = event.type() == QEvent.Type.KeyPress
        if not (is_key or event.type() == QEvent.Type.ShortcutOverride) or not isinstance(event, QKeyEvent):
            return False
        action = self._action(event)
        if action is None:
            return bool(is_key and _plain(event) and self.drawing(event.key()))
        event.accept()
        if is_key:
            action()
        return True

    def _action(self, event: QKeyEvent) -> Callable[[], Any] | None:
        """Return the function of a key; None for keys of others."""
        key, modifiers = event.key(), event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
        if key == Qt.Key.Key_Z and modifiers == control:
            return self.undo.emit
        if (key == Qt.Key.Key_Z and modifiers == (control | shift)) or (key == Qt.Key.Key_Y and modifiers == control):
            return self.redo.emit
        if _plain(event) and Qt.Key.Key_1 <= key <= Qt.Key.Key_9:
            return lambda: self.chosen.emit(int(key) - int(Qt.Key.Key_0))
        return None


def _plain(event: QKeyEvent) -> bool:
    """Return whether no modifier is pressed."""
    return bool(event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.NoModifier)
