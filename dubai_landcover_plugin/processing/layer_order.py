"""Puts the results of a run above each other so that each can be seen: vectors, classes, confidence.

QGIS 3.32 and newer sort by a key. Older ones load in the order of file names, so there the layer tree is put right.
"""

from __future__ import annotations

from qgis.core import QgsMapLayer, QgsProcessingContext, QgsProject

SORT_KEYS = {"confidence": 1, "classes": 2, "polygons": 3, "buildings": 4, "roads": 5}
"""Results with a larger key lie above those with a smaller one."""

_RUN = "dubai_landcover/run"
_KEY = "dubai_landcover/sort_key"


def set_sort_key(details: QgsProcessingContext.LayerDetails, kind: str) -> None:
    """Tell QGIS, where it listens, what lies above what."""
    if hasattr(details, "layerSortKey"):
        details.layerSortKey = SORT_KEYS[kind]


def sort_layers(project: QgsProject, layer: QgsMapLayer, kind: str, run: str) -> None:
    """Sort the layers of one run, as far as they are in the layer tree; a confidence raster starts hidden.

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
    if kind == "confidence":
        node.setItemVisibilityChecked(False)
        node.setExpanded(False)
    parent = node.parent()
    ours = [
        child
        for child in parent.findLayers()
        if child.parent() == parent and child.layer() is not None and child.layer().customProperty(_RUN) == run
    ]
    wanted = sorted(ours, key=lambda child: -int(child.layer().customProperty(_KEY)))
    if wanted == ours:
        return
    first = min(parent.children().index(child) for child in ours)
    for offset, child in enumerate(wanted):
        parent.insertChildNode(first + offset, child.clone())
    for child in ours:
        parent.removeChildNode(child)
