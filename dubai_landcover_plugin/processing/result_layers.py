"""Results as layers of a project: their names and styles, one group for each run, and the order in it.

QGIS 3.32 and newer add layers to the layer tree after they were styled, older ones before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Optional

from qgis.core import (
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QTimer

from dubai_landcover_plugin.processing.layer_styles import (
    style_as_stored,
    style_classes,
    style_confidence,
    style_novelty,
    style_polygons,
)
from dubai_landcover_plugin.protocol.classes import ClassScheme

SORT_KEYS = {
    "probabilities": -2, "uncertainty": -1, "novelty": 0, "confidence": 1, "classes": 2, "polygons": 3, "nodes": 4,
    "buildings": 5, "roads": 6,
}  # fmt: skip
"""Results with a larger key are drawn above those with a smaller one."""
_PERCENTS = ("novelty", "confidence", "probabilities", "uncertainty")
_RUN = "dubai_landcover/run"
_KEY = "dubai_landcover/sort_key"
_TRIES, _WAIT = 20, 50  # ms

Style = Callable[[QgsMapLayer], None]
Loaded = tuple[Optional[str], str, str]
"""Path of a result, its kind (a key of ``SORT_KEYS``), and its title."""


@dataclass(frozen=True)
class RunLayers:
    """The layers of one run.

    Args:
        run: The same text for all layers of the run.
        group: Name of their group in the layer tree; empty for none.
        hidden: Kinds that start hidden.
    """

    run: str
    group: str = ""
    hidden: tuple[str, ...] = _PERCENTS


class LayerStyler(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer when QGIS has loaded it into the project: Processing loads layers without their stored style.

    Args:
        style: Styles the layer.
        kind: A key of ``SORT_KEYS``.
        layers: The layers of the run; None leaves order and group.
    """

    def __init__(self, style: Style, kind: str, layers: RunLayers | None) -> None:
        super().__init__()
        self._style = style
        self._kind = kind
        self._layers = layers

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """Style the layer, and put it into its place in the layer tree."""
        self._style(layer)
        if self._layers is not None and context.project() is not None:
            layer.setCustomProperty(_RUN, self._layers.run)
            layer.setCustomProperty(_KEY, SORT_KEYS[self._kind])
            _arrange(context.project(), layer.id(), self._kind, self._layers, _TRIES)


_ALIVE: list[LayerStyler] = []
"""Stylers that QGIS may still call. It deletes the C++ half with the context; until then the Python half is
kept here. Two layers must not share one."""


def style_on_load(
    context: QgsProcessingContext,
    path: str | None,
    title: str,
    name: str,
    style: Style = style_as_stored,
    kind: str = "",
    layers: RunLayers | None = None,
) -> None:
    """Name and style a result when QGIS loads it; nothing happens where it will not be loaded.

    Args:
        context: Knows what will be loaded.
        path: The result, as it was given by the destination parameter.
        title: Description of the destination parameter; a name that the user gave stays.
        name: Name of the layer otherwise.
        style: Styles the layer.
        kind: A key of ``SORT_KEYS``; empty leaves the order of layers.
        layers: The layers of the run; None leaves order and group.
    """
    if not path or not context.willLoadLayerOnCompletion(path):
        return
    details = context.layerToLoadOnCompletionDetails(path)
    if details.name in ("", title):
        details.name = name
    if kind:
        set_sort_key(details, kind)
    _ALIVE[:] = [styler for styler in _ALIVE if not sip.isdeleted(styler)]
    _ALIVE.append(LayerStyler(style, kind, layers))
    details.setPostProcessor(_ALIVE[-1])


def load_styled(
    context: QgsProcessingContext, results: Sequence[Loaded], source: str, run: str, style: Callable[[str], Style]
) -> None:
    """Name, style, sort and group the results of a run as far as QGIS loads them.

    Two or more get a group, named after the image. Under polygons of all classes, the classified raster starts hidden,
    so that the image shows through them.

    Args:
        context: Knows what will be loaded.
        results: The results.
        source: Name of the image.
        run: The same text for all results of the run.
        style: Returns the style of a kind.
    """
    loaded = [kind for path, kind, _ in results if path and context.willLoadLayerOnCompletion(path)]
    hidden = (*_PERCENTS, "classes") if "polygons" in loaded else _PERCENTS
    layers = RunLayers(run, source if len(loaded) > 1 else "", hidden)
    for path, kind, title in results:
        style_on_load(context, path, title, f"{title}: {source}", style(kind), kind, layers)


@dataclass(frozen=True)
class ResultStyle:
    """Styles and names of the results of one run.

    Args:
        scheme: The classes.
        natural: Natural colours rather than the dataset's.
        source: Name of the image.
    """

    scheme: ClassScheme
    natural: bool
    source: str

    def on_load(self, context: QgsProcessingContext, results: Sequence[Loaded], run: str) -> None:
        """Name, style, sort and group results, see :func:`load_styled`."""
        load_styled(context, results, self.source, run, lambda kind: partial(self.apply, kind))

    def apply(self, kind: str, layer: QgsMapLayer) -> None:
        """Style a layer according to its kind."""
        if kind in ("buildings", "roads"):
            style_as_stored(layer)
        elif kind == "polygons" and isinstance(layer, QgsVectorLayer):
            style_polygons(layer, self.scheme, self.natural)
        elif kind in ("confidence", "probabilities", "uncertainty") and isinstance(layer, QgsRasterLayer):
            style_confidence(layer)
        elif kind == "novelty" and isinstance(layer, QgsRasterLayer):
            style_novelty(layer)
        elif kind == "classes" and isinstance(layer, QgsRasterLayer):
            style_classes(layer, self.scheme, self.natural)


def set_sort_key(details: QgsProcessingContext.LayerDetails, kind: str) -> None:
    """Set the drawing order of layers where this version of QGIS supports it."""
    if hasattr(details, "layerSortKey"):
        details.layerSortKey = SORT_KEYS[kind]


def _arrange(project: QgsProject, layer_id: str, kind: str, layers: RunLayers, tries: int) -> None:
    """Arrange a layer once it is in the layer tree; give up after some tries."""
    if sip.isdeleted(project) or project.mapLayer(layer_id) is None:
        return
    if project.layerTreeRoot().findLayer(layer_id) is not None:
        arrange(project, layer_id, kind, layers)
    elif tries:
        QTimer.singleShot(_WAIT, partial(_arrange, project, layer_id, kind, layers, tries - 1))


def arrange(project: QgsProject, layer_id: str, kind: str, layers: RunLayers) -> None:
    """Put a layer into the group of its run, in its order there, and hide it if it starts hidden.

    Args:
        project: Holds the layers.
        layer_id: The layer, which is in the layer tree.
        kind: A key of ``SORT_KEYS``.
        layers: The layers of the run.
    """
    node = project.layerTreeRoot().findLayer(layer_id)
    if kind in layers.hidden:
        node.setItemVisibilityChecked(False)
        node.setExpanded(False)
    parent = node.parent()
    if layers.group:
        group = _group_of(project.layerTreeRoot(), layers) or _new_group(node, layers)
        if parent != group:
            group.insertChildNode(-1, node.clone())
            parent.removeChildNode(node)
            parent = group
        _number(project.mapLayer(layer_id), group.name(), layers.group)
    _sort(parent, layers.run)


def _number(layer: QgsMapLayer, group: str, source: str) -> None:
    """Give a layer that is named after the image the number of its group, so that lists of layers tell runs apart."""
    if group != source and layer.name().endswith(f": {source}"):
        layer.setName(layer.name().removesuffix(source) + group)


def _group_of(root: QgsLayerTreeGroup, layers: RunLayers) -> QgsLayerTreeGroup | None:
    """Return the group of a run; None before its first layer."""
    return next((group for group in root.findGroups(True) if group.customProperty(_RUN) == layers.run), None)


def _new_group(node: QgsLayerTreeLayer, layers: RunLayers) -> QgsLayerTreeGroup:
    """Return a new group where a layer is; a number tells it from one of an earlier run.

    QGIS adds layers to the group of the current layer, which may be that of another run: then the group is beside it.
    """
    parent, index = node.parent(), node.parent().children().index(node)
    while parent.customProperty(_RUN) and parent.parent() is not None:
        index, parent = parent.parent().children().index(parent), parent.parent()
    name, number = layers.group, 2
    while parent.findGroup(name) is not None:
        name, number = f"{layers.group} ({number})", number + 1
    group = parent.insertGroup(index, name)
    group.setCustomProperty(_RUN, layers.run)
    return group


def _sort(parent: QgsLayerTreeGroup, run: str) -> None:
    """Sort the layers of a run that are directly in a group."""
    ours = [child for child in parent.children() if isinstance(child, QgsLayerTreeLayer) and _is_of(child, run)]
    ordered = sorted(ours, key=lambda child: -int(child.layer().customProperty(_KEY)))
    if ordered == ours:
        return
    first = min(parent.children().index(child) for child in ours)
    for offset, child in enumerate(ordered):
        parent.insertChildNode(first + offset, child.clone())
    for child in ours:
        parent.removeChildNode(child)


def _is_of(child: QgsLayerTreeLayer, run: str) -> bool:
    return child.layer() is not None and child.layer().customProperty(_RUN) == run
