"""The classified view as a temporary layer of the project."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsPalettedRasterRenderer,
    QgsPointXY,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QObject, QStandardPaths, QTimer
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtXml import QDomDocument

from dubai_landcover_plugin.protocol.classes import LandCoverClass
from dubai_landcover_plugin.protocol.translation import tr

_PREFIX = "landcover_view_"
_ABANDONED_SECONDS = 24 * 3600.0
_MIDDLE = 0.501  # of a pixel; not on the edge between two pixels of the raster
_LAYER_TAGS = ("layer-tree-layer", "layer", "legendlayer", "item")


@dataclass(frozen=True)
class Reading:
    """Class and confidence of a place.

    Args:
        class_id: Raster id of the class.
        confidence: Percent; None where it is not known.
    """

    class_id: int
    confidence: int | None


class ViewLayer(QObject):
    """Shows the files of views, one after the other, in one layer above the raster.

    The layer is not written into project files: its data are gone when QGIS closes.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = ""
        self._number = 0
        self._layer_id, self._above_id = "", ""
        self._leaving: set[str] = set()  # ids of layers that are hidden, and removed from the project soon
        self._shown: list[str] = []
        self._confidence: QgsRasterLayer | None = None
        self._opacity = 1.0
        QgsProject.instance().writeProject.connect(self._leave_out)

    @property
    def layer(self) -> QgsRasterLayer | None:
        """The layer; None while nothing is shown."""
        found = QgsProject.instance().mapLayer(self._layer_id) if self._layer_id else None
        return found if isinstance(found, QgsRasterLayer) else None

    @property
    def confidence_path(self) -> str:
        """The confidence raster of the view; empty while nothing is shown."""
        return self._shown[1] if len(self._shown) == 2 else ""

    def next_paths(self) -> tuple[str, str]:
        """Return paths for the classes and the confidence of the next view."""
        if not self._folder or not os.path.isdir(self._folder):
            self._folder = _make_folder()
        self._number += 1
        return (
            os.path.join(self._folder, f"classes_{self._number}.tif"),
            os.path.join(self._folder, f"confidence_{self._number}.tif"),
        )

    def show(
        self,
        classes: str,
        confidence: str,
        entries: Sequence[LandCoverClass],
        colours: Mapping[str, str],
        above: QgsRasterLayer,
    ) -> None:
        """Show a view.

        Args:
            classes: Raster of class ids.
            confidence: Raster of percent.
            entries: The classes.
            colours: Colours by class name.
            above: The raster; a new layer is put above it.
        """
        layer = self.layer
        if layer is None:
            layer = QgsRasterLayer(classes, tr("Land cover of the view"), "gdal")
            layer.setCustomProperty("skipMemoryLayersCheck", 1)
            self._above_id = above.id()
            self._add(layer)
        else:
            layer.setDataSource(classes, layer.name(), "gdal", layer.dataProvider().ProviderOptions())
        if not layer.isValid():
            return
        layer.setCrs(above.crs())
        shown = [QgsPalettedRasterRenderer.Class(one.id, QColor(colours[one.name]), one.name) for one in entries]
        renderer = QgsPalettedRasterRenderer(layer.dataProvider(), 1, shown)
        renderer.setOpacity(self._opacity)
        layer.setRenderer(renderer)
        layer.triggerRepaint()
        self._confidence = QgsRasterLayer(confidence, "", "gdal")
        old, self._shown = self._shown, [classes, confidence]
        for path in old:
            if path not in self._shown:
                with suppress(OSError):  # Windows does not delete files that are open; the folder goes at the end
                    os.unlink(path)

    def set_opacity(self, opacity: float) -> None:
        """Set the opacity, 0..1."""
        self._opacity = opacity
        layer = self.layer
        if layer is not None and layer.renderer() is not None:
            layer.renderer().setOpacity(opacity)
            layer.triggerRepaint()

    def read(self, point: QgsPointXY) -> Reading | None:
        """Return class and confidence at a place in the layer's CRS; None outside and without data."""
        layer = self.layer
        if layer is None or not layer.isValid() or not layer.extent().contains(point):
            return None
        value, found = layer.dataProvider().sample(point, 1)
        if not found or not value > 0:
            return None
        percent, known = (0.0, False)
        if self._confidence is not None and self._confidence.isValid():
            percent, known = self._confidence.dataProvider().sample(point, 1)
        return Reading(int(value), int(percent) if known and percent <= 100 else None)

    def shown_place(self, point: QgsPointXY) -> QgsPointXY:
        """Return the middle of the pixel of the view at a place in the layer's CRS, where its class was computed.

        A view of a large area has every n-th pixel of the raster. Outside of the view, it is the place itself.
        """
        layer = self.layer
        if layer is None or not layer.isValid() or not layer.extent().contains(point):
            return point
        area, width, height = layer.extent(), layer.rasterUnitsPerPixelX(), layer.rasterUnitsPerPixelY()
        col, row = int((point.x() - area.xMinimum()) / width), int((area.yMaximum() - point.y()) / height)
        return QgsPointXY(area.xMinimum() + (col + _MIDDLE) * width, area.yMaximum() - (row + _MIDDLE) * height)

    def hide(self) -> None:
        """Take the layer off the project and delete its files."""
        self._confidence = None
        if self._layer_id:
            # Later: QGIS crashes if layers are removed while it is removing others.
            self._leaving.add(self._layer_id)
            QTimer.singleShot(0, partial(self._remove, self._layer_id))
        self._layer_id, self._shown = "", []
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = ""

    def close(self) -> None:
        """Hide the layer for good."""
        self.hide()
        with suppress(TypeError):
            QgsProject.instance().writeProject.disconnect(self._leave_out)

    def _add(self, layer: QgsRasterLayer) -> None:
        """Add the layer to the project above the raster."""
        project = QgsProject.instance()
        was_dirty = project.isDirty()
        project.addMapLayer(layer, False)
        self._layer_id = layer.id()
        root = project.layerTreeRoot()
        node = root.findLayer(self._above_id)
        group = node.parent() if node is not None and node.parent() is not None else root
        position = group.children().index(node) if node in group.children() else 0
        group.insertLayer(position, layer).setExpanded(False)
        project.setDirty(was_dirty)

    def _leave_out(self, document: QDomDocument) -> None:
        """Leave the layer out of a project file: the layer tree is written by now, the layers are not."""
        project = QgsProject.instance()
        for name in self._leaving:
            remove_from_tree(document, name)
            if project.mapLayer(name) is not None:
                project.takeMapLayer(project.mapLayer(name))
        layer = self.layer
        if layer is None:
            return
        remove_from_tree(document, self._layer_id)
        project.takeMapLayer(layer)
        QTimer.singleShot(0, partial(self._bring_back, layer))

    def _remove(self, layer_id: str) -> None:
        """Remove a layer that is not shown any more from the project."""
        self._leaving.discard(layer_id)
        if QgsProject.instance().mapLayer(layer_id) is not None:
            QgsProject.instance().removeMapLayer(layer_id)

    def _bring_back(self, layer: QgsRasterLayer) -> None:
        if self._layer_id == layer.id():
            self._add(layer)


def _make_folder() -> str:
    """Return a new folder for views, in the cache: QGIS asks about layers in the folder for temporary files at its end.

    Folders that a crash left behind are removed.
    """
    cache = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.CacheLocation) or tempfile.gettempdir()
    with suppress(OSError):
        os.makedirs(cache, exist_ok=True)
        for old in Path(cache).glob(f"{_PREFIX}*"):
            if time.time() - old.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        return tempfile.mkdtemp(prefix=_PREFIX, dir=cache)
    return tempfile.mkdtemp(prefix=_PREFIX)


def remove_from_tree(document: QDomDocument, layer_id: str) -> None:
    """Remove a layer from the layer tree and the orders of layers in a project document."""
    found: list[Any] = []
    for tag in _LAYER_TAGS:
        nodes = document.elementsByTagName(tag)
        for number in range(nodes.count()):
            element = nodes.at(number).toElement()
            if layer_id in (element.attribute("id"), element.attribute("layerid"), element.text()):
                found.append(element)
    for element in found:
        element.parentNode().removeChild(element)
