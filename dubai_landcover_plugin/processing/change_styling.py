"""How the change between two dates looks in QGIS: a colour and a name for each transition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFillSymbol,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.processing.layer_order import set_sort_key, sort_layers

CODE_FIELD = "code"
_UNCHANGED_ALPHA, _POLYGON_ALPHA = 150, 190  # what did not change lets the image below through

Legend = Sequence[Mapping[str, Any]]


def style_change_raster(layer: QgsRasterLayer, legend: Legend) -> None:
    """Give a from–to raster the names and colours of the codes that occur in it."""
    entries = []
    for code in legend:
        colour = QColor(code["colour"])
        if not code["change"]:
            colour.setAlpha(_UNCHANGED_ALPHA)
        entries.append(QgsPalettedRasterRenderer.Class(code["code"], colour, code["name"]))
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))
    layer.triggerRepaint()


def style_change_polygons(layer: QgsVectorLayer, legend: Legend) -> None:
    """Draw polygons of change in the colours of their codes; a layer without codes stays as it is."""
    index = layer.fields().indexOf(CODE_FIELD)
    if index < 0:
        return
    present = layer.uniqueValues(index)
    categories = [
        QgsRendererCategory(code["code"], _symbol(code["colour"]), code["name"])
        for code in legend
        if code["code"] in present
    ]
    if categories:
        layer.setRenderer(QgsCategorizedSymbolRenderer(CODE_FIELD, categories))
        layer.triggerRepaint()


def _symbol(colour: str) -> QgsFillSymbol:
    fill, outline = QColor(colour), QColor(colour).darker(160)
    return QgsFillSymbol.createSimple(
        {
            "color": f"{fill.red()},{fill.green()},{fill.blue()},{_POLYGON_ALPHA}",
            "outline_color": f"{outline.red()},{outline.green()},{outline.blue()},255",
            "outline_width": "0.2",
        }
    )


class ChangeStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles a result when QGIS has loaded it into the project.

    Args:
        kind: ``classes`` for the raster or ``polygons``.
        legend: The codes that occur, as the engine tells them.
        run: The same text for all layers of a run, to sort them.
    """

    def __init__(self, kind: str, legend: Legend, run: str) -> None:
        super().__init__()
        self._kind = kind
        self._legend = legend
        self._run = run

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer according to its kind."""
        if isinstance(layer, QgsVectorLayer):
            style_change_polygons(layer, self._legend)
        elif isinstance(layer, QgsRasterLayer):
            style_change_raster(layer, self._legend)
        if context.project() is not None:
            sort_layers(context.project(), layer, self._kind, self._run)


_ALIVE: list[ChangeStyler] = []
"""Stylers that QGIS may still call. It deletes the C++ half with the context; until then the Python half is
kept here. Two layers must not share one."""


def style_on_load(
    context: QgsProcessingContext, path: str | None, kind: str, title: str, name: str, legend: Legend, run: str
) -> None:
    """Name and style a result when QGIS loads it; nothing happens where it will not be loaded.

    Args:
        context: Knows what will be loaded.
        path: The result, as it was given by the destination parameter.
        kind: ``classes`` for the raster or ``polygons``.
        title: Description of the destination parameter; a name that the user gave stays.
        name: What the layer is called otherwise.
        legend: The codes that occur, as the engine tells them.
        run: The same text for all layers of a run, to sort them.
    """
    if not path or not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", title):
        details.name = name
    set_sort_key(details, kind)
    _ALIVE[:] = [styler for styler in _ALIVE if not sip.isdeleted(styler)]
    _ALIVE.append(ChangeStyler(kind, legend, run))
    details.setPostProcessor(_ALIVE[-1])
