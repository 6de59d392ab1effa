"""What the panel classifies: the view, its middle first, a rectangle, and layers that the engine cannot open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsMapToolPan

from dubai_landcover_plugin.gui.panel import look as look_module
from tests.gui.panel.conftest import shown_alone
from tests.processing.qgis_fixtures import town, write_raster
from tests.processing.web_layers import served

pytestmark = pytest.mark.qgis
WEST, SOUTH = 6_146_000.0, 2_895_000.0  # Dubai in Web Mercator


@pytest.fixture
def web_layer(hand: Any, tmp_path: Path, canvas: Any) -> Iterator[QgsRasterLayer]:
    with served(tmp_path, town(256, 256)) as layer:
        shown_alone(layer, canvas)
        canvas.setExtent(QgsRectangle(WEST, SOUTH, WEST + 120, SOUTH + 100))
        yield layer
        QgsProject.instance().clear()


@pytest.fixture
def shown(dock: Any) -> list[Any]:
    """Extents of the layer after each view of the engine."""
    found: list[Any] = []
    dock.client.viewed.connect(lambda _: found.append(QgsRectangle(dock.look.view_layer.layer.extent())))
    return found


def test_the_middle_of_a_large_view_comes_first(hand, dock, town_layer, shown, monkeypatch):
    monkeypatch.setattr(look_module, "FIRST_PIXELS", 1000)
    dock.header.look.setChecked(True)
    hand.wait(lambda: len(shown) == 2)
    hand.wait_until_idle()
    middle, whole = shown
    assert whole == town_layer.extent()
    assert whole.contains(middle)
    assert middle.width() * middle.height() == pytest.approx(1000, rel=0.2)
    assert middle.center().distance(whole.center()) < 2
    dock.look.refresh()  # known by now
    hand.wait(lambda: len(shown) == 3)
    hand.wait_until_idle()
    assert shown[2] == whole
    assert len(shown) == 3


def test_a_dragged_rectangle_is_classified_alone(hand, dock, canvas, town_layer, shown):
    pan = QgsMapToolPan(canvas)
    canvas.setMapTool(pan)
    button = dock.look_tab.rectangle
    button.click()
    hand.drag((20, 20), (30, 30), (60, 50))
    hand.wait(lambda: shown)
    hand.wait_until_idle()
    extent = town_layer.extent()
    asked = QgsRectangle(extent.xMinimum() + 20, extent.yMaximum() - 50, extent.xMinimum() + 60, extent.yMaximum() - 20)
    assert shown[-1].buffered(3).contains(asked)
    assert asked.buffered(3).contains(shown[-1])
    assert dock.header.look.isChecked()
    canvas.zoomByFactor(0.8)  # the rectangle stays
    hand.tool("point")
    assert not button.isChecked()
    hand.click(40, 40)
    hand.wait_until_idle()
    assert asked.buffered(3).contains(shown[-1])
    assert dock.look_tab.whole.isEnabled()
    dock.look_tab.whole.click()
    hand.wait_until_idle()
    assert not asked.buffered(3).contains(shown[-1])
    assert not dock.look_tab.whole.isEnabled()
    canvas.unsetMapTool(pan)


def test_a_rectangle_beside_the_raster_is_refused(hand, dock, canvas):
    canvas.zoomByFactor(2)
    dock.look_tab.rectangle.click()
    hand.drag((-30, -30), (-20, -20), (-10, -10))
    assert "outside of the raster 'town'" in dock.notice.text
    assert not dock.look_tab.whole.isEnabled()
    dock.look_tab.rectangle.click()
    assert canvas.mapTool() is not dock.rectangle.tool


def test_views_of_a_web_layer_are_drawn_and_classified(hand, web_layer, dock, canvas, shown):
    dock.header.raster.setLayer(web_layer)
    hand.look()
    hand.wait_until_idle()
    visible = canvas.mapSettings().visibleExtent()
    assert shown[-1].buffered(3).contains(visible)
    assert dock.look.read(visible.center()).confidence > 20
    first = Path(dock.look._drawn.path)
    pid = dock.client.pid
    canvas.zoomByFactor(0.5)
    hand.wait(lambda: len(shown) == 2)
    assert Path(dock.look._drawn.path) == first  # it covers the view
    canvas.setExtent(QgsRectangle(WEST + 400, SOUTH, WEST + 460, SOUTH + 50))
    hand.wait(lambda: len(shown) == 3)
    hand.wait_until_idle()
    assert shown[-1].contains(canvas.mapSettings().visibleExtent().center())
    assert dock.client.pid == pid
    dock.tabs.setCurrentWidget(dock.teach_tab)
    assert not dock.teach_tab.isEnabled()
    assert "Teaching needs a raster file, and 'tiles' is none" in dock.notice.text
    dock.header.look.setChecked(False)
    assert not first.exists()


def test_a_web_layer_that_is_too_far_away(hand, web_layer, dock, canvas):
    dock.header.raster.setLayer(web_layer)
    canvas.setExtent(QgsRectangle(WEST, SOUTH, WEST + 2e7, SOUTH + 2e7))
    dock.header.look.setChecked(True)
    assert "the limit is 16 Mpx. Zoom in, or draw a rectangle." in dock.notice.text
    assert dock.client.pid is None


def test_a_server_that_fails_is_named(hand, web_layer, dock, canvas, monkeypatch):
    def fail(*_: object) -> str:
        raise RuntimeError("The layer 'tiles' could not be drawn.")

    monkeypatch.setattr("dubai_landcover_plugin.gui.panel.drawn_view.draw_to_file", fail)
    dock.header.raster.setLayer(web_layer)
    dock.header.look.setChecked(True)
    hand.wait(lambda: "could not be drawn" in dock.notice.text)
    assert dock.work.text() == " "


def test_a_layer_in_memory_is_classified(hand, dock, canvas, shown):
    source = write_raster("/vsimem/town.tif", town())
    layer = shown_alone(QgsRasterLayer(source, "memory"), canvas)
    dock.header.raster.setLayer(layer)
    hand.look()
    hand.wait_until_idle()
    assert shown[-1].buffered(1).contains(layer.extent().intersect(canvas.mapSettings().visibleExtent()))
    assert dock.look_tab.view.text()
    QgsProject.instance().removeMapLayer(layer.id())
    gdal.Unlink(source)
