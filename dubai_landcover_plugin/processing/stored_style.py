"""Lets QGIS draw a result with the style that the engine stored beside or inside the file."""

from __future__ import annotations

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
)
from qgis.PyQt import sip


class StoredStyle(QgsProcessingLayerPostProcessorInterface):
    """Loads a layer's default style when QGIS has loaded the layer; Processing itself does not."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


_ALIVE: list[StoredStyle] = []
"""QGIS deletes the C++ half with the context; until then the Python half is kept here. Two layers must not share
one."""


def load_with_stored_style(context: QgsProcessingContext, path: str, title: str, source: str) -> None:
    """Name and style a result when QGIS loads it; nothing happens where it will not be loaded.

    Args:
        context: Knows what will be loaded.
        path: The result, as the destination parameter gave it.
        title: Description of the destination parameter; a name that the user gave stays.
        source: Name of the raster that the result was made of.
    """
    if not path or not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", title):
        details.name = f"{title}: {source}"
    _ALIVE[:] = [styler for styler in _ALIVE if not sip.isdeleted(styler)]
    _ALIVE.append(StoredStyle())
    details.setPostProcessor(_ALIVE[-1])
