"""Widgets of the tabs that draw."""

from __future__ import annotations

from typing import Any

import pytest
from qgis.PyQt.QtWidgets import QMenu

from dubai_landcover_plugin.gui.panel.draw_tab import DrawTab, Row, ToolButton, narrow, polygon_layer_box
from dubai_landcover_plugin.protocol.classes import DUBAI

pytestmark = pytest.mark.qgis
COLOURS = {entry.name: entry.colour for entry in DUBAI.entries}
TOOLS = (ToolButton("line", "/mActionCaptureLine.svg", "Brush", "tip"), ToolButton("polygon", "", "Polygon", "tip"))


@pytest.fixture
def tab(qgis_app: object) -> Any:
    made = DrawTab(TOOLS, ("Key", "Class", "Number"), ("", "Class", "Time"))
    made.show_classes(DUBAI.classes, COLOURS, {"Road": 2})
    yield made
    made.deleteLater()


def test_the_chosen_class_stays_when_classes_change(tab: DrawTab):
    chosen: list[str] = []
    tab.class_chosen.connect(chosen.append)
    assert tab.chosen_class() == "Water"
    tab.choose_class(3)
    tab.choose_class(99)
    tab.show_classes(DUBAI.entries, COLOURS, {})
    assert tab.chosen_class() == "Road"
    tab.show_classes(DUBAI.classes[:2], COLOURS, {})
    assert chosen == ["Road", "Water"]
    assert [tab.classes.topLevelItem(row).text(0) for row in range(2)] == ["1", "2"]


def test_tools_are_chosen_one_at_a_time(tab: DrawTab):
    kinds: list[str] = []
    tab.tool_chosen.connect(kinds.append)
    line, polygon = tab.tools.buttons()
    line.click()
    polygon.click()
    tab.set_tool("polygon")
    assert [line.isChecked(), polygon.isChecked()] == [False, True]
    polygon.click()
    assert kinds == ["line", "polygon", ""]


def test_the_list_keeps_its_selection_and_marks_problems(tab: DrawTab):
    rows = {"b": Row(("2", "Road", "12:00"), "#00ff00"), "a": Row(("1", "Land", "11:00"), "#ff0000", "It is far away.")}
    tab.show_rows(rows)
    assert not tab.delete.isEnabled()
    tab.features.topLevelItem(1).setSelected(True)
    tab.show_rows({"c": rows["b"], **rows})
    assert tab.selected() == ["a"]
    assert tab.delete.isEnabled()
    assert tab.features.topLevelItem(2).text(1) == "⚠ Land"
    assert tab.features.topLevelItem(2).toolTip(0) == "It is far away."
    asked: list[list[str]] = []
    tab.delete_asked.connect(asked.append)
    tab.delete.click()
    assert asked == [["a"]]


def test_the_menu_changes_the_class(tab: DrawTab):
    asked: list[tuple] = []
    tab.class_asked.connect(lambda names, name: asked.append((names, name)))
    tab.show_rows({"a": Row(("1", "Land", ""), "#ff0000")})
    tab.features.topLevelItem(0).setSelected(True)
    tab.features.customContextMenuRequested.emit(tab.features.rect().center())
    menu = tab.findChild(QMenu)
    next(action for action in menu.actions() if action.text() == "Class Vegetation").trigger()
    menu.close()
    assert asked == [(["a"], "Vegetation")]


def test_lists_of_layers_do_not_widen_the_panel(qgis_app: object):
    box = polygon_layer_box("none " * 40, "tip")
    wide = box.sizeHint().width()
    narrow(box)
    assert box.sizeHint().width() == wide < 300
    assert box.currentLayer() is None
