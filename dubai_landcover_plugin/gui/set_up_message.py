"""Message that offers to set up the engine while there is none."""

from __future__ import annotations

from typing import Callable

from qgis.core import Qgis
from qgis.gui import QgsMessageBar
from qgis.PyQt.QtWidgets import QPushButton

from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import engine_interpreter


def offer_set_up(bar: QgsMessageBar, set_up: Callable[[], None]) -> bool:
    """Show a message with a button that sets up the engine; return whether it was needed.

    Args:
        bar: QGIS's message bar.
        set_up: Opens the window of the set-up.
    """
    try:
        engine_interpreter()
    except LandCoverError as error:
        item = bar.createMessage("Dubai Land Cover", error.message)
        button = QPushButton(tr("Set up now"))

        def pressed() -> None:
            bar.popWidget(item)
            set_up()

        button.clicked.connect(pressed)
        item.layout().addWidget(button)
        bar.pushWidget(item, Qgis.MessageLevel.Info, 0)  # until the user closes it
        return True
    return False
