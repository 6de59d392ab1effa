"""How results look in QGIS: colours and names of classes, a ramp for confidence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsColorRampShader,
    QgsFillSymbol,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsRasterLayer,
    QgsRasterShader,
    QgsRendererCategory,
    QgsSingleBandPseudoColorRenderer,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtGui import QColor

from dubai_landcover_plugin.core.classes import ClassScheme, naturally_coloured
from dubai_landcover_plugin.processing.layer_order import set_sort_key, sort_layers

CLASS_FIELD = "class_id"

_CONFIDENCE_STOPS = ((0, "#440154"), (25, "#3B528B"), (50, "#21918C"), (75, "#5EC962"), (100, "#FDE725"))
"""Percent and colour: the viridis ramp, which reads well in print and for the colour-blind."""


def class_colours(scheme: ClassScheme, natural: bool = False) -> dict[int, str]:
    """Return a colour for each class id; natural ones exist for the Dubai classes only."""
    shown = naturally_coloured(scheme) if natural else scheme
    return {entry.id: entry.colour for entry in shown.entries}


def style_classes(layer: QgsRasterLayer, scheme: ClassScheme, natural: bool = False) -> None:
    """Give a classified raster its classes' colours and names."""
    colours = class_colours(scheme, natural)
    entries = [
        QgsPalettedRasterRenderer.Class(entry.id, QColor(colours[entry.id]), entry.name) for entry in scheme.entries
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, entries))
    layer.triggerRepaint()


def style_confidence(layer: QgsRasterLayer) -> None:
    """Give a confidence raster (percent) a ramp from dark to bright."""
    ramp = QgsColorRampShader(0, 100, None, QgsColorRampShader.Type.Interpolated)
    ramp.setColorRampItemList(
        [QgsColorRampShader.ColorRampItem(value, QColor(colour), f"{value} %") for value, colour in _CONFIDENCE_STOPS]
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


def _symbol(colour: str) -> QgsFillSymbol:
    """Return a half-transparent fill with a darker outline, so that the image below stays readable."""
    fill = QColor(colour)
    fill.setAlpha(140)
    outline = QColor(colour).darker(160)
    return QgsFillSymbol.createSimple(
        {
            "color": f"{fill.red()},{fill.green()},{fill.blue()},{fill.alpha()}",
            "outline_color": f"{outline.red()},{outline.green()},{outline.blue()},255",
            "outline_width": "0.2",
        }
    )


class LayerStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer when QGIS has loaded it into the project.

    Args:
        kind: A key of ``SORT_KEYS``.
        style: How the results of the run are drawn.
        run: The same text for all layers of a run, to sort them; empty leaves their order.
    """

    def __init__(self, kind: str, style: ResultStyle, run: str) -> None:
        super().__init__()
        self._kind = kind
        self._style = style
        self._run = run

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer according to its kind."""
        style = self._style
        if self._kind in ("buildings", "roads"):
            layer.loadDefaultStyle()  # lies in the file
            layer.triggerRepaint()
        elif self._kind == "polygons" and isinstance(layer, QgsVectorLayer):
            style_polygons(layer, style.scheme, style.natural)
        elif self._kind == "confidence" and isinstance(layer, QgsRasterLayer):
            style_confidence(layer)
        elif self._kind == "classes" and isinstance(layer, QgsRasterLayer):
            style_classes(layer, style.scheme, style.natural)
        if self._run and context.project() is not None:
            sort_layers(context.project(), layer, self._kind, self._run)


_ALIVE: list[LayerStyler] = []
"""Stylers that QGIS may still call. It deletes the C++ half with the context; until then the Python half is
kept here. Two layers must not share one."""


@dataclass(frozen=True)
class ResultStyle:
    """How the results of one run are drawn and named.

    Args:
        scheme: The classes.
        natural: Natural colours rather than the dataset's.
        source: Name of the raster that was classified.
    """

    scheme: ClassScheme
    natural: bool
    source: str

    def on_load(self, context: QgsProcessingContext, path: str | None, kind: str, title: str, run: str = "") -> None:
        """Name and style a result when QGIS loads it; nothing happens where it will not be loaded.

        Args:
            context: Knows what will be loaded.
            path: The result, as it was given by the destination parameter.
            kind: A key of ``SORT_KEYS``.
            title: Description of the destination parameter; a name that the user gave stays.
            run: The same text for all layers of a run, to sort them; empty leaves their order.
        """
        if not path or not context.willLoadLayerOnCompletion(path):
            return
        details = context.layerToLoadOnCompletionDetails(path)
        if details.name in ("", title):
            details.name = f"{title}: {self.source}"
        set_sort_key(details, kind)
        _ALIVE[:] = [styler for styler in _ALIVE if not sip.isdeleted(styler)]
        _ALIVE.append(LayerStyler(kind, self, run))
        details.setPostProcessor(_ALIVE[-1])
