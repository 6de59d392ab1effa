"""Dialogs that the panel opens."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from qgis.core import QgsApplication
from qgis.gui import QgsBrowserGuiModel
from qgis.PyQt.QtCore import QCoreApplication, QEvent
from qgis.PyQt.QtWidgets import QDialog

from dubai_landcover_plugin.gui.panel import keep

pytestmark = pytest.mark.qgis


def dialogs() -> list[QDialog]:
    return [one for one in QgsApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]


@pytest.mark.usefixtures("provider")
def test_a_dialog_keeps_its_python_half_until_it_is_closed(
    qgis_iface: Any, town_layer: Any, monkeypatch: pytest.MonkeyPatch
):
    model = QgsBrowserGuiModel()  # widgets of dialogs keep its address alone
    monkeypatch.setattr(qgis_iface, "browserModel", lambda: model, raising=False)
    keep.open_run_dialog({"INPUT": town_layer.id(), "MODEL": "world"})
    gc.collect()
    (dialog,) = dialogs()
    assert type(dialog).__name__ == "AlgorithmDialog"  # a plain QDialog has lost its Python half
    assert dialog.createProcessingParameters()["INPUT"] == town_layer.id()
    dialog.reject()
    again = keep.open_run_dialog({"INPUT": town_layer.id()})
    assert len(keep._OPEN) == 1
    again.reject()
    for one in (dialog, again):
        one.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)  # before the project is cleared
