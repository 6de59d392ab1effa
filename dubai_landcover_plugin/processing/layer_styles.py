"""Styles of results in QGIS: colours and names of classes and changes, ramps for percents, the order of layers.

QGIS 3.32 and newer sort layers by a key. Older ones load in the order of file names, so there the layer tree is put
right.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.protocol.classes import ClassScheme, naturally_coloured

CLASS_FIELD, CODE_FIELD = "class_id", "code"
SORT_KEYS = {"novelty": 0, "confidence": 1, "classes": 2, "polygons": 3, "buildings": 4, "roads": 5}
"""Results with a larger key are drawn above those with a smaller one."""

_CONFIDENCE_STOPS = ((0, "#440154"), (25, "#3B528B"), (50, "#21918C"), (75, "#5EC962"), (100, "#FDE725"))
"""Percent and colour: the viridis ramp, which reads well in print and for the colour-blind."""
_NOVELTY_STOPS = ((0, "#F7F7F7"), (50, "#F7F7F7"), (75, "#FDDBC7"), (90, "#EF8A62"), (95, "#D6604D"), (100, "#67001F"))
"""Percent and colour: pale up to the value of ordinary ground, then the reds of ColorBrewer's RdGy."""
_POLYGON_ALPHA, _CHANGE_ALPHA = 140, 190
_UNCHANGED_ALPHA = 150  # what did not change lets the image below through
_RUN = "dubai_landcover/run"
_KEY = "dubai_landcover/sort_key"

Legend = Sequence[Mapping[str, Any]]


def class_colours(scheme: ClassScheme, natural: bool = False) -> dict[int, str]:
    """Return a colour for each class id; natural ones exist for the Dubai classes only."""
    shown = naturally_coloured(scheme) if natural else scheme
    return {entry.id: entry.colour for entry in shown.entries}


def style_classes(layer: QgsRasterLayer, scheme: ClassScheme, natural: bool = False) -> None:
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


def style_polygons(layer: QgsVectorLayer, scheme: ClassScheme, natural: bool = False) -> None:
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


class LayerStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer when QGIS has loaded it into the project: Processing loads layers without their stored style.

    Args:
        style: Styles the layer.
        kind: A key of ``SORT_KEYS``.
        run: The same text for all layers of a run, to sort them; empty leaves their order.
    """

    def __init__(self, style: Callable[[QgsMapLayer], None], kind: str, run: str) -> None:
        super().__init__()
        self._style = style
        self._kind = kind
        self._run = run

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer."""
        self._style(layer)
        if self._run and context.project() is not None:
            sort_layers(context.project(), layer, self._kind, self._run)


_ALIVE: list[LayerStyler] = []
"""Stylers that QGIS may still call. It deletes the C++ half with the context; until then the Python half is
kept here. Two layers must not share one."""


def style_on_load(
    context: QgsProcessingContext,
    path: str | None,
    title: str,
    name: str,
    style: Callable[[QgsMapLayer], None] = style_as_stored,
    kind: str = "",
    run: str = "",
) -> None:
    """Name and style a result when QGIS loads it; nothing happens where it will not be loaded.

    Args:
        context: Knows what will be loaded.
        path: The result, as it was given by the destination parameter.
        title: Description of the destination parameter; a name that the user gave stays.
        name: Name of the layer otherwise.
        style: Styles the layer.
        kind: A key of ``SORT_KEYS``; empty leaves the order of layers.
        run: The same text for all layers of a run, to sort them; empty leaves their order.
    """
    if not path or not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", title):
        details.name = name
    if kind:
        set_sort_key(details, kind)
    _ALIVE[:] = [styler for styler in _ALIVE if not sip.isdeleted(styler)]
    _ALIVE.append(LayerStyler(style, kind, run))
    details.setPostProcessor(_ALIVE[-1])


@dataclass(frozen=True)
class ResultStyle:
    """Styles and names of the results of one run.

    Args:
        scheme: The classes.
        natural: Natural colours rather than the dataset's.
        source: Name of the raster that was classified.
    """

    scheme: ClassScheme
    natural: bool
    source: str

    def on_load(self, context: QgsProcessingContext, path: str | None, kind: str, title: str, run: str = "") -> None:
        """Name and style a result of a kind, see :func:`style_on_load`."""
        style_on_load(context, path, title, f"{title}: {self.source}", partial(self.apply, kind), kind, run)

    def apply(self, kind: str, layer: QgsMapLayer) -> None:
        """Style a layer according to its kind."""
        if kind in ("buildings", "roads"):
            style_as_stored(layer)
        elif kind == "polygons" and isinstance(layer, QgsVectorLayer):
            style_polygons(layer, self.scheme, self.natural)
        elif kind == "confidence" and isinstance(layer, QgsRasterLayer):
            style_confidence(layer)
        elif kind == "novelty" and isinstance(layer, QgsRasterLayer):
            style_novelty(layer)
        elif kind == "classes" and isinstance(layer, QgsRasterLayer):
            style_classes(layer, self.scheme, self.natural)


def set_sort_key(details: QgsProcessingContext.LayerDetails, kind: str) -> None:
    """Set the drawing order of layers where this version of QGIS supports it."""
    if hasattr(details, "layerSortKey"):
        details.layerSortKey = SORT_KEYS[kind]


def sort_layers(project: QgsProject, layer: QgsMapLayer, kind: str, run: str) -> None:
    """Sort the layers of one run, as far as they are in the layer tree; rasters of percents start hidden.

    Args:
        project: Holds the layers.
        layer: The one that was added last.
        kind: A key of ``SORT_KEYS``.
        run: The same text for all layers of a run.
    """
    layer.setCustomProperty(_RUN, run)
    layer.setCustomProperty(_KEY, SORT_KEYS[kind])
    node = project.layerTreeRoot().findLayer(layer.id())
    if node is None:
        return  # a newer QGIS adds it to the tree afterwards, by its key
    if kind in ("confidence", "novelty"):
        node.setItemVisibilityChecked(False)
        node.setExpanded(False)
    parent = node.parent()
    ours = [
        child
        for child in parent.findLayers()
        if child.parent() == parent and child.layer() is not None and child.layer().customProperty(_RUN) == run
    ]
    ordered = sorted(ours, key=lambda child: -int(child.layer().customProperty(_KEY)))
    if ordered == ours:
        return
    first = min(parent.children().index(child) for child in ours)
    for offset, child in enumerate(ordered):
        parent.insertChildNode(first + offset, child.clone())
    for child in ours:
        parent.removeChildNode(child)
