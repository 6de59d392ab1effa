"""Names, groups and order of the layers of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from qgis.core import QgsApplication, QgsLayerTreeNode, QgsProject, QgsRasterLayer

from dubai_landcover_plugin.processing import result_layers
from dubai_landcover_plugin.processing.result_layers import LayerStyler, RunLayers
from tests.processing.qgis_fixtures import write_classes

pytestmark = pytest.mark.qgis
KINDS = ["classes", "confidence", "polygons"]
HIDDEN = ("novelty", "confidence", "classes")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[QgsProject]:
    """The project, with the image that is classified."""
    project = QgsProject.instance()
    project.clear()
    project.addMapLayer(QgsRasterLayer(write_classes(tmp_path / "classes.tif"), "image"))
    yield project
    project.clear()


class Context:
    """What a styler asks of Processing's context."""

    def __init__(self, project: QgsProject) -> None:
        self.project = lambda: project


def load(
    project: QgsProject, tmp_path: Path, kind: str, layers: RunLayers, in_tree: bool = True, name: str = ""
) -> str:
    """Load a layer as Processing does; newer versions of QGIS add it to the tree afterwards."""
    layer = QgsRasterLayer(str(tmp_path / "classes.tif"), name or kind)
    project.addMapLayer(layer, in_tree)
    LayerStyler(lambda layer: None, kind, layers).postProcessLayer(layer, Context(project), None)
    if not in_tree:
        project.layerTreeRoot().insertLayer(0, layer)
    return str(layer.id())


def names(node: QgsLayerTreeNode) -> list[str]:
    return [child.name() for child in node.children()]


@pytest.mark.parametrize("order", list(permutations(KINDS)))
def test_a_run_is_a_group_in_its_order_whatever_the_order_layers_come_in(
    tmp_path: Path, project: QgsProject, order: tuple[str, ...]
):
    for kind in order:
        load(project, tmp_path, kind, RunLayers("one run", "town", HIDDEN))
    root = project.layerTreeRoot()
    assert names(root) == ["town", "image"]
    group = root.children()[0]
    assert names(group) == ["polygons", "classes", "confidence"]
    assert [child.isVisible() for child in group.children()] == [True, False, False]
    assert [layer.name() for layer in root.layerOrder()] == ["polygons", "classes", "confidence", "image"]
    assert len(project.mapLayers()) == 4


def test_each_run_has_its_own_group(tmp_path: Path, project: QgsProject):
    for run in ("one", "another"):
        for kind in ("classes", "confidence"):
            load(project, tmp_path, kind, RunLayers(run, "town"))
    root = project.layerTreeRoot()
    assert names(root) == ["town (2)", "town", "image"]
    assert [names(group) for group in root.children()[:2]] == [["classes", "confidence"]] * 2
    assert root.children()[0].children()[0].isVisible()  # no polygons cover the classes


def test_layers_of_a_later_run_have_the_number_of_their_group(tmp_path: Path, project: QgsProject):
    for run in ("one", "another"):
        for kind, name in (("classes", "Land cover: town"), ("polygons", "own name")):
            load(project, tmp_path, kind, RunLayers(run, "town"), name=name)
    groups = project.layerTreeRoot().children()[:2]
    assert [names(group) for group in groups] == [
        ["own name", "Land cover: town (2)"],
        ["own name", "Land cover: town"],
    ]


def test_a_run_does_not_go_into_the_group_of_another(tmp_path: Path, project: QgsProject):
    """QGIS adds layers to the group of the current layer, here always the newest group."""
    root = project.layerTreeRoot()
    for run in ("a", "b", "c"):
        for kind in ("classes", "polygons"):
            layer = QgsRasterLayer(str(tmp_path / "classes.tif"), kind)
            project.addMapLayer(layer, False)
            (root.children()[0] if run != "a" else root).insertLayer(0, layer)
            LayerStyler(lambda layer: None, kind, RunLayers(run, run)).postProcessLayer(layer, Context(project), None)
    assert names(root) == ["c", "b", "a", "image"]
    assert [names(group) for group in root.children()[:3]] == [["polygons", "classes"]] * 3


def test_a_single_layer_has_no_group(tmp_path: Path, project: QgsProject):
    load(project, tmp_path, "polygons", RunLayers("one run"))
    assert names(project.layerTreeRoot()) == ["polygons", "image"]


def test_layers_that_come_into_the_tree_later_are_arranged_then(tmp_path: Path, project: QgsProject, monkeypatch):
    monkeypatch.setattr(result_layers, "_WAIT", 1)
    for kind in KINDS:
        load(project, tmp_path, kind, RunLayers("one run", "town", HIDDEN), in_tree=False)
    root, end = project.layerTreeRoot(), time.monotonic() + 10
    while names(root) != ["town", "image"] and time.monotonic() < end:
        QgsApplication.processEvents()
        time.sleep(0.01)
    assert names(root.children()[0]) == ["polygons", "classes", "confidence"]
    assert [child.isVisible() for child in root.children()[0].children()] == [True, False, False]


def test_a_layer_that_was_removed_meanwhile_is_no_error(tmp_path: Path, project: QgsProject, monkeypatch):
    monkeypatch.setattr(result_layers, "_WAIT", 1)
    layer = QgsRasterLayer(str(tmp_path / "classes.tif"), "classes")
    project.addMapLayer(layer, False)
    LayerStyler(lambda layer: None, "classes", RunLayers("one run", "town")).postProcessLayer(
        layer, Context(project), None
    )
    project.removeMapLayer(layer.id())
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        QgsApplication.processEvents()
    assert names(project.layerTreeRoot()) == ["image"]
