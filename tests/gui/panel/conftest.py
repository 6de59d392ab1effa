"""A panel on a canvas with a small raster and a tiny model that can be taught."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processing.conftest import ROOT

IN_QGIS = importlib.util.find_spec("qgis") is not None
if IN_QGIS:
    from osgeo import gdal
    from qgis.core import QgsApplication, QgsPointXY, QgsProject, QgsRasterLayer
    from qgis.PyQt.QtCore import QEvent, QPoint, Qt
    from qgis.PyQt.QtGui import QMouseEvent
    from qgis.PyQt.QtTest import QTest

    from tests.processing.qgis_fixtures import town, write_class_map, write_raster

SECONDS = 90  # for an engine to answer on a busy machine
random_actions: Counter[str] = Counter()
"""Actions of random sequences, see ``test_random.py``."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what random sequences did."""
    if random_actions:
        figures = ", ".join(f"{count:,} {action}" for action, count in random_actions.most_common())
        terminalreporter.write_line(f"Random sequences: {figures}")


def is_running(pid: int) -> bool:
    """Return whether a process runs; one that ended and waits for its parent does not."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


class Hand:
    """Acts on a panel as a user does, with events of the mouse and the keyboard."""

    def __init__(self, dock: Any, canvas: Any) -> None:
        self.dock, self.canvas, self.pids = dock, canvas, set()
        dock.client.opened.connect(lambda _: self.pids.add(dock.client.pid))

    def wait(self, condition: Callable[[], Any], seconds: float = SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self._state(seconds)
            QgsApplication.processEvents()
            time.sleep(0.005)

    def _state(self, seconds: float) -> str:
        dock, client = self.dock, self.dock.client
        return (
            f"not within {seconds:.0f} s; the panel says {dock.notice.text!r}, look {dock.look.is_on}, "
            f"engine {client.pid}, subject {dock._subject is not None}, sent {client._sent}, wishes {client._wishes}"
        )

    def wait_until_idle(self) -> None:
        self.wait(lambda: not self.dock.client.is_busy)

    def look(self) -> None:
        """Switch the view on and wait for the classes."""
        self.dock.header.look.setChecked(True)
        self.wait(lambda: self.dock.look.view_layer.confidence_path)

    def pixel(self, x: float, y: float) -> Any:
        """The place on the screen of a place in map units, counted from the raster's upper left corner."""
        extent = self.dock._subject.extent
        return self.screen(extent.xMinimum() + x, extent.yMaximum() - y, self.dock.drawing.tool)

    def screen(self, x: float, y: float, tool: Any) -> Any:
        """The place on the screen of a place of the canvas."""
        return QPoint(tool.toCanvasCoordinates(QgsPointXY(x, y)))

    def click(self, x: float, y: float, button: Any = None) -> None:
        QTest.mouseClick(
            self.canvas.viewport(),
            button or Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
            self.pixel(x, y),
        )

    def drag(self, *places: tuple[float, float]) -> None:
        viewport, left = self.canvas.viewport(), Qt.MouseButton.LeftButton
        pixels = [self.pixel(*place) for place in places]
        QTest.mousePress(viewport, left, Qt.KeyboardModifier.NoModifier, pixels[0])
        for pixel in pixels[1:]:
            move = QMouseEvent(QEvent.Type.MouseMove, pixel, left, left, Qt.KeyboardModifier.NoModifier)
            QgsApplication.sendEvent(viewport, move)
        QTest.mouseRelease(viewport, left, Qt.KeyboardModifier.NoModifier, pixels[-1])

    def key(self, key: Any, *modifiers: Any) -> None:
        held = Qt.KeyboardModifier.NoModifier
        for one in modifiers:
            held |= one
        QTest.keyClick(self.canvas, key, held)

    def undo(self) -> None:
        self.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)

    def redo(self) -> None:
        self.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier)

    def stored(self) -> dict[str, str]:
        """Class of each sample in the GeoPackage, read anew."""
        layer = self.dock.teaching.layer
        if layer is None:
            return {}
        dataset = gdal.OpenEx(layer.source().split("|")[0], gdal.OF_VECTOR)
        return {feature["sample"]: feature["class"] for feature in dataset.GetLayerByName("samples")}

    def choose(self, class_name: str) -> None:
        """Press the number key of a class."""
        names = [entry.name for entry in self.dock.teaching.classes]
        self.key(Qt.Key.Key_1 + names.index(class_name))

    def tool(self, kind: str) -> None:
        next(button for button in self.dock.teach_tab.tools.buttons() if button.property("kind") == kind).click()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory, engine: str, clean_environment: dict[str, str]) -> str:
    """A model that can be taught, written in the engine's environment."""
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    code = "import sys, pathlib; from tests.factories import write_teachable_model as w; w(pathlib.Path(sys.argv[1]))"
    subprocess.run([engine, "-c", code, str(path)], check=True, cwd=ROOT, env=clean_environment, timeout=280)
    return str(path)


@pytest.fixture
def canvas(qgis_iface: Any) -> Any:
    found = qgis_iface.mapCanvas()
    found.resize(480, 400)
    found.show()
    return found


def shown_alone(layer: QgsRasterLayer, canvas: Any) -> QgsRasterLayer:
    """Add a layer to the project, show nothing else on the canvas, and return it."""
    QgsProject.instance().setCrs(layer.crs())
    QgsProject.instance().addMapLayer(layer)
    canvas.setDestinationCrs(layer.crs())
    canvas.setLayers([layer])
    canvas.setExtent(layer.extent())
    return layer


@pytest.fixture
def town_layer(tmp_path: Path, canvas: Any) -> Any:
    """A raster of 96 × 80 px in the project and on the canvas."""
    layer = QgsRasterLayer(write_raster(tmp_path / "town.tif", town()), "town")
    return shown_alone(layer, canvas)


@pytest.fixture
def dock(qgis_iface: Any, canvas: Any, engine: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """The panel, as the plugin makes it."""
    from dubai_landcover_plugin.gui.panel.dock import LandCoverDock

    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", engine)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
    made = LandCoverDock(qgis_iface)
    made.show()
    yield made
    pid = made.client.pid
    made.close_session()
    made.close()
    assert pid is None or not is_running(pid)


@pytest.fixture
def hand(dock: Any, canvas: Any, town_layer: Any, tiny_model: str) -> Iterator[Hand]:
    """A user in front of the panel with raster and model chosen."""
    dock.header.raster.setLayer(town_layer)
    dock.header.add_file(tiny_model)
    found = Hand(dock, canvas)
    yield found
    dock.client.stop()
    assert not [pid for pid in found.pids if is_running(pid)]


@pytest.fixture
def map_layer(canvas: Any, tmp_path: Path) -> Any:
    """A classified raster in the project and on the canvas."""
    from tests.gui.panel.correct_cases import class_ids

    layer = QgsRasterLayer(write_class_map(tmp_path / "map.tif", class_ids()), "map")
    return shown_alone(layer, canvas)


@pytest.fixture
def corrector(dock: Any, canvas: Any, map_layer: Any) -> Any:
    """A user in front of the tab Correct with the classified raster."""
    from tests.gui.panel.correct_cases import Corrector

    dock.tabs.setCurrentWidget(dock.correct_tab)
    return Corrector(dock, canvas)
