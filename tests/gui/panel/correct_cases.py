"""A user in front of the tab Correct, and a small classified raster."""

from __future__ import annotations

from typing import Any

import numpy as np
from osgeo import gdal
from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt

from tests.gui.panel.conftest import Hand


class Corrector(Hand):
    """A user in front of the tab Correct."""

    def pixel(self, x: float, y: float) -> Any:
        """The place on the screen of a pixel of the raster."""
        extent = self.dock.correct_drawing.correcting.raster.extent
        return self.screen(extent.xMinimum() + x, extent.yMaximum() - y, self.dock.correct_drawing.tool)

    def tool(self, kind: str, keep: bool = False) -> None:
        """Click the button of a tool; ``keep`` leaves one that is active."""
        buttons = self.dock.correct_tab.tools.buttons()
        button = next(button for button in buttons if button.property("kind") == kind)
        if not (keep and button.isChecked()):
            button.click()

    def choose(self, class_name: str) -> None:
        names = [entry.name for entry in self.dock.correct_drawing.correcting.classes]
        self.key(Qt.Key.Key_1 + names.index(class_name))

    def choose_layer(self, box: Any, layer: Any) -> None:
        box.setLayer(layer)
        QgsApplication.processEvents()

    def only(self, class_name: str) -> None:
        box = self.dock.correct_tab.only
        box.setCurrentIndex(box.findData(class_name))

    def region(self, x: float, y: float) -> None:
        """Click a region and wait until it was searched."""
        self.click(x, y)
        self.wait(lambda: not self.dock.correct_drawing.is_searching)

    def stored(self) -> list[tuple[str, str, float]]:
        """Classes before and after and area of each correction in the GeoPackage, by time."""
        layer = self.dock.correct_drawing.correcting.layer
        dataset = gdal.OpenEx(layer.source().split("|")[0], gdal.OF_VECTOR)
        rows = sorted(
            (row["time"], row["from"] or "", row["to"], row.GetGeometryRef().GetArea())
            for row in dataset.GetLayerByName("corrections")
        )
        return [row[1:] for row in rows]


def class_ids() -> np.ndarray:
    """Land, two houses, a road; the right edge has no data."""
    ids = np.full((80, 96), 2, np.uint8)
    ids[10:20, 10:30] = 4
    ids[10:20, 50:60] = 4
    ids[40:45] = 3
    ids[:, 90:] = 0
    return ids
