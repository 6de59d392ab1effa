"""What tabs that draw have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qgis.core import QgsCoordinateReferenceSystem, QgsRectangle
from qgis.gui import QgsMapToolPan
from qgis.PyQt.QtWidgets import QFileDialog

from dubai_landcover_plugin.gui.panel.draw_tab import DrawTab, ToolButton
from dubai_landcover_plugin.gui.panel.tab_drawing import TabDrawing, ask_geopackage
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import RequestError

pytestmark = pytest.mark.qgis
UTM = QgsCoordinateReferenceSystem("EPSG:32640")


class Ground:
    """A raster of 2000 × 2000 px."""

    crs = UTM
    extent = QgsRectangle(300_000, 2_780_000, 301_000, 2_781_000)
    pixel = 0.5


class Features:
    """Fails at undo, and notes other changes."""

    classes = DUBAI.classes

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []

    def undo(self) -> None:
        raise RequestError("There is nothing.", "Draw first.")

    def redo(self) -> None:
        self.done.append(("redo",))

    def delete(self, names: Any) -> None:
        self.done.append(("delete", *names))

    def set_class(self, names: Any, entry: Any) -> None:
        self.done.append(("set_class", *names, entry.id))


class Drawing(TabDrawing):
    """Draws in red."""

    def colour(self) -> str:
        return "#ff0000"


@pytest.fixture
def drawing(canvas: Any) -> Any:
    canvas.setDestinationCrs(UTM)
    canvas.setExtent(QgsRectangle(300_000, 2_780_000, 301_000, 2_781_000))
    tools = (ToolButton("line", "", "Brush", ""), ToolButton("polygon", "", "Polygon", ""))
    made = Drawing(canvas, DrawTab(tools, ("", "", ""), ("", "")), Features())
    yield made
    made.close()
    made._tab.deleteLater()


def test_errors_are_shown(drawing: Drawing):
    said: list[tuple[str, str]] = []
    drawing.said.connect(lambda *message: said.append(message))
    drawing._tab.undo.click()
    assert said == [("error", "There is nothing. Draw first.")]


def test_changes_of_what_was_drawn(drawing: Drawing):
    said: list[tuple[str, str]] = []
    drawing.said.connect(lambda *message: said.append(message))
    tab = drawing._tab
    tab.redo.click()
    tab.delete_asked.emit(["a", "b"])
    tab.class_asked.emit(["a"], "Road")
    tab.class_asked.emit(["a"], "Lawn")
    assert drawing._edits.done == [("redo",), ("delete", "a", "b"), ("set_class", "a", 3)]
    assert said == [("error", "Choose a class first.")]


def test_the_canvas_gets_its_tool_back(drawing: Drawing, canvas: Any):
    pan = QgsMapToolPan(canvas)
    canvas.setMapTool(pan)
    drawing.set_ground(Ground())
    drawing.choose_tool("line")
    drawing.choose_tool("polygon")
    assert canvas.mapTool() is drawing.tool
    assert [button.isChecked() for button in drawing._tab.tools.buttons()] == [False, True]
    drawing.set_ground(None)
    assert canvas.mapTool() is pan
    assert not any(button.isChecked() for button in drawing._tab.tools.buttons())
    assert not drawing._tab.isEnabled()


def test_the_brush_has_the_width_of_some_pixels_in_any_crs(drawing: Drawing, canvas: Any):
    drawing.set_ground(Ground())
    assert drawing._tab.width_box.value() == 3
    assert drawing._tab.width_box.suffix() == " m"
    canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    assert drawing._tab.width_box.value() == pytest.approx(3e-5, rel=0.2)
    canvas.setDestinationCrs(UTM)


def test_places_are_shown_and_marked(drawing: Drawing, canvas: Any):
    drawing.set_ground(Ground())
    drawing.go_to(QgsRectangle(300_400, 2_780_400, 300_410, 2_780_410))
    assert canvas.extent().center().x() == pytest.approx(300_405, abs=1)
    assert 125 <= canvas.extent().height() < 600
    assert drawing._spot.asGeometry().boundingBox().width() == pytest.approx(10)
    drawing.forget_spot()
    assert drawing._spot.asGeometry().isEmpty()
    centre = canvas.extent().center()
    drawing.go_to(QgsRectangle())
    assert canvas.extent().center() == centre


def test_a_geopackage_is_asked_for(qgis_app: object, monkeypatch: pytest.MonkeyPatch):
    answers = iter(["", "/a/b.gpkg", "/a/c"])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (next(answers), ""))
    found = [ask_geopackage(None, "title", Path("/a/x.gpkg")) for _ in range(3)]
    assert found == [None, Path("/a/b.gpkg"), Path("/a/c.gpkg")]
