"""Styles of results in QGIS: colours and names of classes and changes, and ramps for percents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.protocol.classes import DATASET, NATURAL, ClassScheme, coloured

CLASS_FIELD, CODE_FIELD = "class_id", "code"
_CONFIDENCE_STOPS = ((0, "#440154"), (25, "#3B528B"), (50, "#21918C"), (75, "#5EC962"), (100, "#FDE725"))
"""Percent and colour: the viridis ramp, which reads well in print and for the colour-blind."""
_NOVELTY_STOPS = ((0, "#F7F7F7"), (50, "#F7F7F7"), (75, "#FDDBC7"), (90, "#EF8A62"), (95, "#D6604D"), (100, "#67001F"))
"""Percent and colour: pale up to the value of ordinary ground, then the reds of ColorBrewer's RdGy."""
_POLYGON_ALPHA, _CHANGE_ALPHA = 140, 190
_UNCHANGED_ALPHA = 150  # what did not change lets the image below through

Legend = Sequence[Mapping[str, Any]]


def class_colours(scheme: ClassScheme, natural: bool = True) -> dict[int, str]:
    """Return a colour for each class id: natural ones, or those of the dataset, see :func:`.coloured`."""
    return {entry.id: entry.colour for entry in coloured(scheme, NATURAL if natural else DATASET).entries}


def style_classes(layer: QgsRasterLayer, scheme: ClassScheme, natural: bool = True) -> None:
    """Set the colours and names of the classes of a classified raster."""
    colours = class_colours(scheme, natural)
    entries = [
        QgsPalettedRasterRenderer.Class(entry.id, QColor(colours[entry.id]), entry.name) for entry in scheme.entries
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))
    layer.triggerRepaint()


def style_confidence(layer: QgsRasterLayer) -> None:
    """Style a confidence raster (percent) with a ramp from dark to bright."""
    _style_percents(layer, _CONFIDENCE_STOPS)


def style_novelty(layer: QgsRasterLayer) -> None:
    """Style a novelty raster (percent): usual ground pale, ground unlike the training images red."""
    _style_percents(layer, _NOVELTY_STOPS)


def _style_percents(layer: QgsRasterLayer, stops: Sequence[tuple]) -> None:
    ramp = QgsColorRampShader(0, 100, None, QgsColorRampShader.Type.Interpolated)
    ramp.setColorRampItemList(
        [QgsColorRampShader.ColorRampItem(value, QColor(colour), f"{value} %") for value, colour in stops]
    )
    shader = QgsRasterShader(0, 100)
    shader.setRasterShaderFunction(ramp)
    renderer = QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, shader)
    renderer.setClassificationMin(0)
    renderer.setClassificationMax(100)
    layer.setRenderer(renderer)
    layer.triggerRepaint()


def style_polygons(layer: QgsVectorLayer, scheme: ClassScheme, natural: bool = True) -> None:
    """Draw class polygons in their classes' colours; a layer without known class ids stays as it is."""
    if layer.fields().indexOf(CLASS_FIELD) < 0:
        return
    present = layer.uniqueValues(layer.fields().indexOf(CLASS_FIELD))
    categories = [
        QgsRendererCategory(entry.id, _symbol(colour), entry.name)
        for entry, colour in _with_colours(scheme, class_colours(scheme, natural))
        if entry.id in present
    ]
    if categories:
        layer.setRenderer(QgsCategorizedSymbolRenderer(CLASS_FIELD, categories))
        layer.triggerRepaint()


def _with_colours(scheme: ClassScheme, colours: Mapping[int, str]) -> list[tuple]:
    return [(entry, colours[entry.id]) for entry in scheme.entries]


def style_change(layer: QgsMapLayer, legend: Legend) -> None:
    """Style the raster or the polygons of a change."""
    if isinstance(layer, QgsVectorLayer):
        style_change_polygons(layer, legend)
    elif isinstance(layer, QgsRasterLayer):
        style_change_raster(layer, legend)


def style_change_raster(layer: QgsRasterLayer, legend: Legend) -> None:
    """Set the names and colours of the codes that occur in a from–to raster."""
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
        QgsRendererCategory(code["code"], _symbol(code["colour"], _CHANGE_ALPHA), code["name"])
        for code in legend
        if code["code"] in present
    ]
    if categories:
        layer.setRenderer(QgsCategorizedSymbolRenderer(CODE_FIELD, categories))
        layer.triggerRepaint()


def _symbol(colour: str, alpha: int = _POLYGON_ALPHA) -> QgsFillSymbol:
    """Return a half-transparent fill with a darker outline, so that the image below stays readable."""
    fill, outline = QColor(colour), QColor(colour).darker(160)
    return QgsFillSymbol.createSimple(
        {
            "color": f"{fill.red()},{fill.green()},{fill.blue()},{alpha}",
            "outline_color": f"{outline.red()},{outline.green()},{outline.blue()},255",
            "outline_width": "0.2",
        }
    )


def style_as_stored(layer: QgsMapLayer) -> None:
    """Apply the style in a layer's file or beside it, including its form."""
    layer.loadDefaultStyle()
    layer.triggerRepaint()
