"""Choice of a layer that stays empty when its layer is removed."""

from __future__ import annotations

from typing import Any

import pytest
from qgis.core import QgsApplication, QgsProject, QgsVectorLayer
from qgis.gui import QgsMapLayerComboBox

from dubai_landcover_plugin.gui.panel.layer_choice import LayerChoice

pytestmark = pytest.mark.qgis


@pytest.fixture
def box(qgis_app: object) -> Any:
    for name in "abc":
        QgsProject.instance().addMapLayer(QgsVectorLayer("Point", name, "memory"))
    made = QgsMapLayerComboBox()
    made.setAllowEmptyLayer(True)
    made.setLayer(None)
    yield made
    made.deleteLater()


def test_only_what_the_user_chooses_is_a_choice(box: QgsMapLayerComboBox):
    names: list[str] = []
    choice = LayerChoice(box)
    choice.chosen.connect(lambda layer: names.append("" if layer is None else layer.name()))
    a, b, c = (QgsProject.instance().mapLayersByName(name)[0] for name in "abc")
    choice.show(b)
    QgsApplication.processEvents()
    assert (choice.layer, names) == (b, [])
    box.setLayer(c)
    box.setLayer(a)
    QgsApplication.processEvents()
    assert names == ["a"]
    QgsProject.instance().removeMapLayer(a.id())
    QgsApplication.processEvents()
    assert (choice.layer, names) == (None, ["a"])
    box.setLayer(c)
    QgsApplication.processEvents()
    box.setLayer(None)
    QgsApplication.processEvents()
    assert names == ["a", "c", ""]


def test_a_layer_that_the_box_lists_later(box: QgsMapLayerComboBox, qgis_app: object):
    names: list[str] = []
    project = QgsProject.instance()
    made = QgsVectorLayer("Point", "d", "memory")
    box.setExceptedLayerList([made])
    choice = LayerChoice(box)
    choice.chosen.connect(lambda layer: names.append("" if layer is None else layer.name()))
    project.addMapLayer(made)
    choice.show(made)
    assert choice.layer is None
    box.setExceptedLayerList([])
    QgsApplication.processEvents()
    assert (choice.layer, names) == (made, [])
    project.removeMapLayer(made.id())
    QgsApplication.processEvents()
    assert (choice.layer, names) == (None, [])
