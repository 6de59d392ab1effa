"""A message in the panel."""

from __future__ import annotations

from qgis.core import Qgis, QgsApplication, QgsMessageLog
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from dubai_landcover_plugin.protocol.translation import tr

_BARS = {"info": "#3B8EC2", "warning": "#D99A00", "error": "#C8372D"}
_ICONS = {
    "info": "/mIconInfo.svg",
    "warning": "/mIconWarning.svg",
    "error": "/mIconCritical.svg",
}
_ICON_PX = 18


class Notice(QFrame):
    """Shows one message until it is closed or replaced; hidden without one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = QLabel()
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._text = QLabel()
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton()
        close.setText("×")
        close.setAutoRaise(True)
        close.setToolTip(tr("Close the message"))
        close.clicked.connect(self.clear)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 6, 4, 6)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._text, 1)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self.level = ""
        self.is_passing = False
        """Whether the next view answers the message."""
        self.hide()

    @property
    def text(self) -> str:
        """The message; empty without one."""
        return self._text.text() if self.level else ""

    def show_message(self, level: str, text: str, passing: bool = False) -> None:
        """Show a message of the level ``info``, ``warning`` or ``error``, and log it.

        Args:
            level: Level.
            text: The message.
            passing: Whether the next view answers it.
        """
        self.is_passing = passing
        self.level = level if level in _BARS else "info"
        self._text.setText(text)
        self._icon.setPixmap(QgsApplication.getThemeIcon(_ICONS[self.level]).pixmap(_ICON_PX, _ICON_PX))
        self.setObjectName("notice")
        side = "right" if self.isRightToLeft() else "left"
        self.setStyleSheet(f"QFrame#notice {{ border: 0; border-{side}: 4px solid {_BARS[self.level]}; }}")
        self.show()
        levels = {"info": Qgis.MessageLevel.Info, "warning": Qgis.MessageLevel.Warning}
        log(text, levels.get(self.level, Qgis.MessageLevel.Critical))

    def clear(self) -> None:
        """Take the message away."""
        self.level = ""
        self.hide()


def log(text: str, level: Qgis.MessageLevel = Qgis.MessageLevel.Info) -> None:
    """Write a message into QGIS's log."""
    QgsMessageLog.logMessage(text, "Dubai Land Cover", level, False)
