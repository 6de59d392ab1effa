"""Offers to remove the engine when the plugin is uninstalled.

QGIS tells a plugin only that it is unloaded: when it is disabled, upgraded, uninstalled, or QGIS ends. It deletes the
plugin's folder in the same call, before its event loop goes on; what is gone by then and not loaded again was
uninstalled.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qgis.utils
from qgis.core import Qgis, QgsApplication
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QMessageBox, QWidget

from dubai_landcover_plugin.gui.engine_task import EngineTask
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.engine_removal import engine_parts, remove_engine, size_mb
from dubai_landcover_plugin.runner.interpreter import engine_folder
from dubai_landcover_plugin.runner.settings import data_folder, profile_folder

_PLUGIN = Path(__file__).resolve().parents[1]
_TASKS: list[EngineTask] = []  # QGIS does not keep them


def is_removal_confirmed(parent: QWidget | None) -> bool:
    """Ask whether the engine is to be removed, with its size and place; false if there is none."""
    parts = engine_parts(data_folder(), profile_folder())
    if not parts:
        return False
    text = tr(
        "Remove the engine ({size} MB in {folder})? Models, settings and results stay. Land cover cannot be computed "
        "until an engine is set up again.",
        size=size_mb(parts),
        folder=engine_folder(data_folder()).parent,
    )
    answer = QMessageBox.question(
        parent,
        "Dubai Land Cover",
        text,
        QMessageBox.StandardButton.Yes | QMessageBox.StandardButton.No,
        QMessageBox.StandardButton.No,
    )
    return bool(answer == QMessageBox.StandardButton.Yes)


def ask_if_uninstalled(iface: Any) -> None:
    """Offer to remove the engine once the event loop goes on, if the plugin's folder is gone by then.

    Args:
        iface: QGIS's ``QgisInterface``.
    """

    def ask() -> None:
        if _PLUGIN.exists() or _PLUGIN.name in qgis.utils.plugins or not is_removal_confirmed(iface.mainWindow()):
            return
        base, profile = data_folder(), profile_folder()
        task = EngineTask(tr("Remove the land-cover engine"), lambda monitor: remove_engine(base, profile, monitor))
        task.ended.connect(lambda succeeded: show_end(task, succeeded))
        _TASKS.append(task)
        QgsApplication.taskManager().addTask(task)

    def show_end(task: EngineTask, succeeded: bool) -> None:
        text = tr("The engine is removed.") if succeeded else task.error
        level = Qgis.MessageLevel.Success if succeeded else Qgis.MessageLevel.Warning
        iface.messageBar().pushMessage(tr("Land Cover"), text, level)
        _TASKS.remove(task)

    QTimer.singleShot(0, ask)
