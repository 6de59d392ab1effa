"""Save a picture of every dialog of the plugin; QGIS runs this file at its start, see ``screenshots.sh``."""

from __future__ import annotations

import os
import traceback
from pathlib import Path

import processing
from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer
from qgis.PyQt.QtWidgets import QGroupBox, QScrollArea, QTabWidget, QWidget
from qgis.utils import iface, plugins

FOLDER = Path(os.environ["SCREENSHOTS_FOLDER"])
PLUGIN = plugins["dubai_landcover_plugin"]
BATCHES = ("exportclasspolygons", "segmentlandcover")
SIZE = (760, 560)
PAUSE_MS = 250


def wait(milliseconds: int = PAUSE_MS) -> None:
    """Let QGIS draw."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def save(widget: QWidget, name: str, size: tuple[int, int] | None = None) -> None:
    """Show a widget and save its picture."""
    widget.show()
    if size is not None:  # QGIS restores the size of the last dialog
        widget.resize(*size)
    wait()
    widget.grab().save(str(FOLDER / f"{name}.png"))


def fold(dialog: QWidget, folded: bool) -> None:
    """Close or open the groups of a dialog; QGIS remembers their state."""
    for group in dialog.findChildren(QGroupBox):
        group.setProperty("collapsed", folded)


def unfold(dialog: QWidget) -> None:
    """Open the groups of a dialog, and make it as high as what it shows."""
    fold(dialog, False)
    wait()
    hidden = [
        area.widget().sizeHint().height() - area.viewport().height()
        for area in dialog.findChildren(QScrollArea)
        if area.widget() is not None
    ]
    dialog.resize(dialog.width(), dialog.height() + max(hidden, default=0))


def algorithms() -> None:
    """Save the dialogs of all tools, as they open and unfolded."""
    provider = QgsApplication.processingRegistry().providerById("dubailandcover")
    for algorithm in provider.algorithms():
        dialog = processing.createAlgorithmDialog(algorithm.id(), {})
        fold(dialog, True)
        save(dialog, algorithm.name(), SIZE)
        unfold(dialog)
        save(dialog, f"{algorithm.name()}_all")
        dialog.close()
    for name in BATCHES:
        dialog = BatchAlgorithmDialog(provider.algorithm(name).create(), iface.mainWindow())
        save(dialog, f"{name}_batch", (1200, 400))
        dialog.close()


def windows() -> None:
    """Save the windows of the plugin and the tabs of its panel."""
    from dubai_landcover_plugin.gui.engine_dialog import EngineDialog
    from dubai_landcover_plugin.gui.models.address_dialog import AddressDialog
    from dubai_landcover_plugin.gui.models.dialog import ModelsDialog
    from dubai_landcover_plugin.gui.panel.class_dialog import ClassDialog
    from dubai_landcover_plugin.gui.settings_page import SettingsPage

    window = iface.mainWindow()
    for name, made in {
        "engine": EngineDialog(window),
        "models": ModelsDialog(iface, window),
        "models_address": AddressDialog(window),
        "panel_class": ClassDialog("#40a0e0", window),
        "settings": SettingsPage(None),
    }.items():
        save(made, name)
        made.close()
    dock = PLUGIN._dock
    dock.show()
    wait(2000)
    tabs = dock.findChild(QTabWidget)
    for number in range(tabs.count()):
        tabs.setCurrentIndex(number)
        save(dock, f"panel_{number}")
    save(window, "window")


def main() -> None:
    """Save all pictures and end QGIS."""
    try:
        QgsApplication.setUITheme(os.environ["SCREENSHOTS_THEME"])
        if QgsApplication.locale().startswith("ar"):  # Qt does so where its own Arabic catalogue is installed
            QgsApplication.instance().setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        image = os.environ.get("SCREENSHOTS_IMAGE")
        if image:
            QgsProject.instance().addMapLayer(QgsRasterLayer(image, "town"))
        algorithms()
        windows()
    except Exception:
        traceback.print_exc()
    os._exit(0)  # QGIS would ask whether to save the project


QTimer.singleShot(1000, main)
