"""Save pictures of the plugin's windows; QGIS runs this file at its start, see ``screenshots.sh``.

Pages of reports are saved as HTML beside them; ``screenshots.sh`` takes their pictures.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import processing
from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog
from qgis.core import (
    QgsApplication,
    QgsFeature,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer
from qgis.PyQt.QtWidgets import (
    QApplication,
    QDockWidget,
    QGroupBox,
    QScrollArea,
    QStackedWidget,
    QTabWidget,
    QTreeView,
    QWidget,
)
from qgis.utils import iface, plugins

FOLDER = Path(os.environ["SCREENSHOTS_FOLDER"]).resolve()
DATA = FOLDER.parent / "data"
"""Rasters that all looks share; made by the first one."""
PLUGIN = plugins["dubai_landcover_plugin"]
ARABIC = QgsApplication.locale().startswith("ar")
NAME = "بلدة 5 town_2024" if ARABIC else "town"
BATCHES = ("exportclasspolygons", "segmentlandcover")
SIZE = (760, 560)
PAUSE_MS = 250
SECONDS = 120  # for a run


def wait(milliseconds: int = PAUSE_MS) -> None:
    """Let QGIS draw."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_for(condition: Callable[[], Any]) -> None:
    """Let QGIS work until a condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < deadline:
        wait()
    wait()


def save(widget: QWidget, name: str, size: tuple[int, int] | None = None) -> None:
    """Show a widget and save its picture."""
    widget.show()
    if size is not None:  # QGIS restores the size of the last dialog
        widget.resize(*size)
    wait()
    widget.grab().save(str(FOLDER / f"{name}.png"))


def save_modal(called: Callable[[], Any], name: str, prepare: Callable[[QWidget], None] | None = None) -> None:
    """Call a function that opens a modal window, save its picture and close it."""

    def grab() -> None:
        window = QApplication.activeModalWidget()
        if window is None:
            print(f"{name}: no window opened", file=sys.stderr)
            return
        if prepare is not None:
            prepare(window)
        save(window, name)
        window.close()

    QTimer.singleShot(2 * PAUSE_MS, grab)
    called()
    wait(3 * PAUSE_MS)


def fold(dialog: QWidget, folded: bool) -> None:
    """Close or open the groups of a dialog; QGIS remembers their state and restores it when the dialog is shown."""
    dialog.show()
    wait()
    for group in dialog.findChildren(QGroupBox):
        group.setProperty("collapsed", folded)


def unfold(dialog: QWidget) -> None:
    """Open the groups of a dialog, and make it as high as what it shows."""
    fold(dialog, False)
    wait()
    hidden = [
        area.widget().sizeHint().height() - area.viewport().height()
        for area in dialog.findChildren(QScrollArea)
        if area.widget() is not None
    ]
    dialog.resize(dialog.width(), dialog.height() + max(hidden, default=0))


def run(algorithm: str, **parameters: Any) -> dict[str, Any]:
    """Run a tool without its dialog."""
    return processing.run(f"dubailandcover:{algorithm}", parameters, feedback=QgsProcessingFeedback(False))


def algorithms() -> None:
    """Save the dialogs of all tools, as they open and unfolded."""
    provider = QgsApplication.processingRegistry().providerById("dubailandcover")
    for algorithm in provider.algorithms():
        dialog = processing.createAlgorithmDialog(algorithm.id(), {})
        fold(dialog, True)
        save(dialog, algorithm.name(), SIZE)
        unfold(dialog)
        save(dialog, f"{algorithm.name()}_all")
        dialog.close()
    for name in BATCHES:
        dialog = BatchAlgorithmDialog(provider.algorithm(name).create(), iface.mainWindow())
        save(dialog, f"{name}_batch", (1200, 400))
        dialog.close()


def engine_window() -> None:
    """Save the window of the set-up in its states, and the questions and messages about the engine."""
    from dubai_landcover_plugin.gui import engine_dialog, set_up_message
    from dubai_landcover_plugin.gui.engine_task import EngineTask
    from dubai_landcover_plugin.protocol.translation import tr

    window = iface.mainWindow()
    dialog = engine_dialog.EngineDialog(window)
    save(dialog, "engine")
    dialog._start_check()
    wait_for(lambda: not dialog.is_busy)
    save(dialog, "engine_checked")
    save_modal(dialog._is_confirmed, "engine_question")
    dialog.close()
    interpreter = os.environ.pop("DUBAI_LANDCOVER_PYTHON")
    missing = engine_dialog.EngineDialog(window)
    save(missing, "engine_missing")
    set_up_message.offer_set_up(iface.messageBar(), lambda: None)
    save(iface.messageBar(), "message_no_engine")
    set_up_message.withdraw_offers()
    tool = processing.createAlgorithmDialog("dubailandcover:segmentlandcover", {})
    tool.show()
    save_modal(tool.runAlgorithm, "tool_no_engine")
    tool.close()
    os.environ["DUBAI_LANDCOVER_PYTHON"] = interpreter
    missing._task = EngineTask("", lambda monitor: None)
    missing._show_state()
    missing._step.setText(tr("Installing the engine's libraries"))
    missing._progress.setValue(38)
    save(missing, "engine_running")
    missing._task.error = tr("Setting up the engine failed: {reason}.", reason="files.pythonhosted.org: timeout")
    missing._toggle_log()
    missing._append("info", tr("Installing the engine's libraries"))
    missing._end(False)
    save(missing, "engine_failed")
    missing.close()
    engine_dialog.is_outdated, kept = (lambda *_: True), engine_dialog.is_outdated
    outdated = engine_dialog.EngineDialog(window)
    save(outdated, "engine_outdated")
    outdated.close()
    engine_dialog.is_outdated = kept


def models_window() -> None:
    """Save the window of the models in its states."""
    from dubai_landcover_plugin.gui.models.address_dialog import AddressDialog
    from dubai_landcover_plugin.gui.models.dialog import ModelsDialog
    from dubai_landcover_plugin.protocol.resources import resource
    from dubai_landcover_plugin.runner.settings import profile_model_folder

    folder = profile_model_folder()
    folder.mkdir(parents=True)
    shutil.copy(resource("models/dubai.safetensors"), folder / f"{NAME}.safetensors")
    (folder / "broken.safetensors").write_bytes(b"broken")
    dialog = ModelsDialog(iface, iface.mainWindow())
    save(dialog, "models")
    tabs = dialog.findChild(QTabWidget)
    tabs.setCurrentIndex(1)
    save(dialog, "models_card")
    tabs.setCurrentIndex(0)
    for name in ("broken", NAME):
        dialog.refresh(name)
        save(dialog, "models_broken" if name == "broken" else "models_own")
    save_modal(dialog.rename.click, "models_rename")
    save_modal(dialog.remove.click, "models_remove")
    dialog.list.selectAll()
    dialog.state.setText("https://example.com/NAME.safetensors")
    dialog.progress.show()
    dialog._show_progress(3_200_000, 9_800_000)
    save(dialog, "models_download")
    dialog.close()
    asked = AddressDialog(iface.mainWindow())
    asked.address.setText("https://example.com/models/NAME.safetensors")
    save(asked, "models_address")
    asked.close()
    shutil.rmtree(folder)


def settings() -> None:
    """Save the settings inside QGIS's options."""
    from dubai_landcover_plugin.gui.settings_page import SettingsPage

    def choose(dialog: QWidget) -> None:
        page = next((one for one in dialog.findChildren(QWidget) if isinstance(one, SettingsPage)), None)
        while page is not None and not isinstance(page.parentWidget(), QStackedWidget):
            page = page.parentWidget()
        if page is not None:
            page.parentWidget().setCurrentWidget(page)

    save_modal(lambda: iface.showOptionsDialog(iface.mainWindow(), ""), "settings", choose)


def panel(image: QgsRasterLayer, classified: QgsRasterLayer) -> None:
    """Save the tabs of the panel while they are used, its messages and the dialog of a new class."""
    from dubai_landcover_plugin.gui.panel.class_dialog import ClassDialog
    from dubai_landcover_plugin.protocol.errors import LandCoverError

    asked = ClassDialog("#40a0e0", iface.mainWindow())
    save(asked, "panel_class")
    asked.close()
    dock, canvas, crs, middle = PLUGIN._dock, iface.mapCanvas(), image.crs(), image.extent().center()
    dock.show()
    wait(2000)
    for number, name in enumerate(("look", "teach", "correct")):
        dock.tabs.setCurrentIndex(number)
        save(dock, f"panel_{name}_empty")
    dock.tabs.setCurrentIndex(0)
    dock.header.raster.setLayer(image)
    canvas.setExtent(image.extent())
    dock.header.look.setChecked(True)
    wait_for(lambda: dock.look.view_layer.confidence_path)
    canvas.xyCoordinates.emit(QgsPointXY(middle))
    wait(2000)
    save(dock, "panel_look")
    dock.tabs.setCurrentIndex(1)
    for number, entry in enumerate(dock.teaching.classes[:4]):
        place = QgsPointXY(middle.x() + 40 * number - 80, middle.y() + 15 * number)
        shape = QgsGeometry.fromPointXY(place).buffer(5, 8)
        for kind in ("point", "polygon"):
            dock.teaching.draw(shape, crs, entry, kind, 10)
            shape.translate(8, 30)
    wait(2500)
    wait_for(lambda: not dock.client.is_busy)
    save(dock, "panel_teach")
    for level in ("info", "warning", "error"):
        dock.notice.show_message(level, dock.teaching.layer.source())
        save(dock.notice, f"panel_notice_{level}")
    dock.tabs.setCurrentIndex(2)
    dock.correct_drawing.choose_raster(classified)
    wait(1000)
    correcting = dock.correct_drawing.correcting
    for number, entry in enumerate(correcting.classes[:3]):
        place = QgsPointXY(middle.x() + 40 * number, middle.y())
        with suppress(LandCoverError):  # all of it has the class already
            correcting.draw(QgsGeometry.fromPointXY(place).buffer(8, 8), crs, entry)
    wait(1000)
    save(dock, "panel_correct")
    save(iface.mainWindow(), "window")
    dock.tabs.setCurrentIndex(0)
    dock.header.look.setChecked(False)
    dock.hide()


def surroundings() -> None:
    """Save what QGIS shows of the plugin: its tools in the toolbox, its menu, a warning in the message bar."""
    from dubai_landcover_plugin.processing.message_bar import warn_in_message_bar
    from dubai_landcover_plugin.protocol.translation import tr

    toolbox = iface.mainWindow().findChild(QDockWidget, "ProcessingToolbox")
    toolbox.show()
    tree = toolbox.findChild(QTreeView)
    for row in range(tree.model().rowCount()):
        index = tree.model().index(row, 0)
        if "Dubai" in str(index.data()):
            tree.setExpanded(index, True)
            for group in range(tree.model().rowCount(index)):
                tree.setExpanded(tree.model().index(group, 0, index), True)
    save(toolbox, "toolbox")
    toolbox.hide()
    for menu in filter(None, (action.menu() for action in iface.pluginMenu().actions())):
        if menu.title().replace("&", "") == "Dubai Land Cover":
            save(menu, "menu")
            menu.close()
    iface.messageBar().clearWidgets()
    warn_in_message_bar(tr("Segment Land Cover"), tr("The sample is outside of the raster '{name}'.", name=NAME))
    wait()
    save(iface.messageBar(), "message_warning")
    iface.messageBar().clearWidgets()


def forms(classified: str, image: QgsRasterLayer, folder: Path) -> None:
    """Save the forms of the layers that are drawn on or labelled."""
    points = run("accuracysample", INPUT=classified, SIZE=40, OUTPUT=str(folder / "points.gpkg"))["OUTPUT"]
    labels = run("createlabellayer", INPUT=image.id(), OUTPUT=str(folder / "labels.gpkg"), COUNT=2)["OUTPUT"]
    for name, path in (("form_points", points), ("form_labels", labels)):
        layer = QgsVectorLayer(path, name)
        QgsProject.instance().addMapLayer(layer)
        layer.startEditing()
        form = iface.getFeatureForm(layer, next(layer.getFeatures(), QgsFeature(layer.fields())))
        save(form, name)
        form.close()
        layer.rollBack()
        QgsProject.instance().removeMapLayer(layer)


def log_of_a_run(image: QgsRasterLayer) -> None:
    """Save the log of a run, and the results in the project."""
    dialog = processing.createAlgorithmDialog("dubailandcover:segmentlandcover", {"INPUT": image.id()})
    dialog.show()
    dialog.resize(*SIZE)
    dialog.runAlgorithm()
    wait_for(lambda: len(QgsProject.instance().mapLayers()) > 2)
    wait(1000)
    save(dialog, "log")
    dialog.close()
    save(iface.mainWindow(), "window_results")


def reports(folder: Path, classified: Path) -> None:
    """Write the pages of the reports."""
    given, truth = {"INPUT": str(classified)}, str(DATA / "truth.tif")
    run("landcoverreport", **given, REPORT=str(FOLDER / "report.html"), CONFIDENCE=str(DATA / "sure.tif"))
    run("accuracyassessment", **given, REFERENCE_RASTER=truth, REPORT=str(FOLDER / "report_accuracy.html"))
    run(
        "changebetweendates",
        EARLIER=str(classified),
        LATER=truth,
        OUTPUT=str(folder / "change.tif"),
        REPORT=str(FOLDER / "report_change.html"),
    )
    labelled = {"RASTERS": [str(folder / f"{NAME}.tif")], "LABELS": str(DATA / "labels.gpkg")}
    run("checklabels", **labelled, REPORT=str(FOLDER / "report_labels.html"))
    run("evaluatemodel", **labelled, REPORT=str(FOLDER / "report_model.html"))


def make_data() -> None:
    """Make an image of a town with labels and truth, and classify it, unless a look before has done so."""
    if (DATA / "sure.tif").exists():
        return
    DATA.mkdir(parents=True, exist_ok=True)
    image = str(DATA / "image.tif")
    run("sampledata", SIZE=768, COUNT=4, OUTPUT=image, LABELS=str(DATA / "labels.gpkg"), TRUTH=str(DATA / "truth.tif"))
    run("segmentlandcover", INPUT=image, OUTPUT=str(DATA / "classes.tif"), CONFIDENCE=str(DATA / "sure.tif"))


def main() -> None:
    """Save all pictures and end QGIS."""
    QgsApplication.setUITheme(os.environ["SCREENSHOTS_THEME"])
    if ARABIC:  # Qt does so where its own Arabic catalogue is installed
        QgsApplication.instance().setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    make_data()
    folder = Path(tempfile.mkdtemp())
    classified = folder / f"{NAME}_landcover.tif"
    shutil.copy(os.environ.get("SCREENSHOTS_IMAGE") or DATA / "image.tif", folder / f"{NAME}.tif")
    shutil.copy(DATA / "classes.tif", classified)
    image = QgsRasterLayer(str(folder / f"{NAME}.tif"), NAME)
    QgsProject.instance().addMapLayer(image)
    layer = QgsRasterLayer(str(classified), classified.stem)
    steps: dict[str, Callable[[], None]] = {
        "algorithms": algorithms,
        "engine": engine_window,
        "models": models_window,
        "settings": settings,
        "surroundings": surroundings,
        "forms": lambda: forms(str(classified), image, folder),
        "log": lambda: log_of_a_run(image),
        "classified": lambda: QgsProject.instance().addMapLayer(layer) and None,
        "panel": lambda: panel(image, layer),
        "reports": lambda: reports(folder, classified),
    }
    for name in os.environ.get("SCREENSHOTS_STEPS", "").split() or steps:
        try:
            steps[name]()
        except Exception:  # the other pictures are still worth looking at
            print(f"{name}:", file=sys.stderr)
            traceback.print_exc()
    shutil.rmtree(folder, ignore_errors=True)


def start() -> None:
    """Run :func:`main`, and end QGIS whatever happens: it would ask whether to save the project."""
    try:
        main()
    except Exception:
        traceback.print_exc()
    sys.stderr.flush()
    os._exit(0)


QTimer.singleShot(1000, start)
