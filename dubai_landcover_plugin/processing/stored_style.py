"""Lets a result look as its file says: Processing loads layers without the style that the engine has stored."""

from __future__ import annotations

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
)
from qgis.PyQt import sip


class StoredStyle(QgsProcessingLayerPostProcessorInterface):
    """Gives a loaded layer the style, form included, that lies in its file or beside it."""

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Load the style."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()


_ALIVE: list[StoredStyle] = []
"""Those that QGIS may still call. It deletes the C++ half with the context; until then the Python half is kept here."""


def show_as_stored(context: QgsProcessingContext, path: str, title: str, name: str) -> None:
    """Name and style a result when QGIS loads it; nothing happens where it will not be loaded.

    Args:
        context: Knows what will be loaded.
        path: The result, as it was given by the destination parameter.
        title: Description of the destination parameter; a name that the user gave stays.
        name: The name of the layer otherwise.
    """
    if not path or not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", title):
        details.name = name
    _ALIVE[:] = [style for style in _ALIVE if not sip.isdeleted(style)]
    _ALIVE.append(StoredStyle())
    details.setPostProcessor(_ALIVE[-1])
