"""Widgets of the tab Correct."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.gui.panel.correct_tab import CorrectBar, CorrectHeader, CorrectTab
from dubai_landcover_plugin.gui.panel.corrections import Correction
from dubai_landcover_plugin.gui.panel.header import Header
from dubai_landcover_plugin.protocol.classes import DUBAI

pytestmark = pytest.mark.qgis
COLOURS = {entry.name: entry.colour for entry in DUBAI.entries}


def test_the_only_class_stays_when_classes_change(qgis_app: object):
    tab = CorrectTab()
    tab.set_classes(DUBAI.entries, COLOURS, {})
    assert tab.only_class() == ""
    tab.only.setCurrentIndex(tab.only.findData("Building"))
    tab.set_classes(DUBAI.entries, COLOURS, {"Land": 1})
    assert tab.only_class() == "Building"
    tab.set_classes(DUBAI.entries[:2], COLOURS, {})
    assert tab.only_class() == ""


def test_the_newest_correction_is_on_top(qgis_app: object):
    tab = CorrectTab()
    found = {
        "b": Correction("Road", "", "Building", "2026-01-02T10:00:01"),
        "a": Correction("Land", "", "", "2026-01-02T10:00:00"),
        "c": Correction("Swamp", "", "", ""),
    }
    tab.set_corrections(found, {"c": "'Swamp' is not a class of the raster."}, COLOURS)
    rows = [[tab.features.topLevelItem(row).text(column) for column in range(3)] for row in range(3)]
    assert rows == [["3", "Building → Road", "10:00:01"], ["2", "→ Land", "10:00:00"], ["1", "⚠ → Swamp", ""]]


def test_the_header_shows_the_layer_without_asking_for_changes(qgis_app: object):
    header, asked = CorrectHeader(), []
    header.shown_changed.connect(asked.append)
    header.opacity_changed.connect(asked.append)
    header.show_layer(0.5, True)
    assert (header.shown.isChecked(), header.opacity.value(), header.shown.isEnabled()) == (True, 50, True)
    header.show_layer(None, False)
    assert not header.opacity.isEnabled()
    assert asked == []
    header.opacity.setValue(20)
    header.shown.setChecked(True)
    assert asked == [0.2, True]


def test_the_tab_bar_does_not_move_between_headers(qgis_app: object):
    assert CorrectHeader().sizeHint().height() <= Header().sizeHint().height() + 2


def test_what_is_done_with_corrections(qgis_app: object):
    bar = CorrectBar()
    assert [action.text() for action in bar.use.menu().actions()] == [bar.teach.text(), bar.model.text()]
