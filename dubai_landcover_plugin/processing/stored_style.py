"""Results that bring their style along: QGIS takes it from the file when it loads them."""

from __future__ import annotations

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
)
from qgis.PyQt import sip


class _StoredStyle(QgsProcessingLayerPostProcessorInterface):
    """Takes the style that lies in or beside a layer's file; Processing loads layers without it."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


_ALIVE: list[_StoredStyle] = []
"""What QGIS may still call; see :mod:`dubai_landcover_plugin.processing.styling`."""


def load_with_stored_style(context: QgsProcessingContext, path: str) -> None:
    """Style a result when QGIS loads it; nothing happens where it will not be loaded."""
    if not context.willLoadLayerOnCompletion(path):
        return
    _ALIVE[:] = [styler for styler in _ALIVE if not sip.isdeleted(styler)]
    _ALIVE.append(_StoredStyle())
    context.layerToLoadOnCompletionDetails(path).setPostProcessor(_ALIVE[-1])
