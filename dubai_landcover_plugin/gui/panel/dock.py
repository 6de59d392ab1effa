"""The dock panel Land Cover."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from qgis.core import Qgis, QgsPointXY, QgsProject, QgsRasterLayer, QgsRectangle
from qgis.gui import QgsDockWidget, QgsScrollArea
from qgis.PyQt.QtCore import QCoreApplication, Qt, QTimer
from qgis.PyQt.QtWidgets import (
    QFrame,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.panel.client import SessionClient
from dubai_landcover_plugin.gui.panel.correct_drawing import CorrectDrawing
from dubai_landcover_plugin.gui.panel.correct_tab import CorrectBar, CorrectHeader, CorrectTab
from dubai_landcover_plugin.gui.panel.drawing import Drawing
from dubai_landcover_plugin.gui.panel.header import Header
from dubai_landcover_plugin.gui.panel.keep import SAMPLES_ALGORITHM, KeepBar, open_dialog, run_parameters
from dubai_landcover_plugin.gui.panel.keeping import Keeping
from dubai_landcover_plugin.gui.panel.look import Look
from dubai_landcover_plugin.gui.panel.look_tab import LookTab
from dubai_landcover_plugin.gui.panel.notice import Notice, log
from dubai_landcover_plugin.gui.panel.rectangle_tool import RectangleTool
from dubai_landcover_plugin.gui.panel.subject import Subject, make_subject, teaching_needs_a_file
from dubai_landcover_plugin.gui.panel.teach_tab import TeachTab
from dubai_landcover_plugin.gui.panel.teaching import Teaching
from dubai_landcover_plugin.gui.panel.view_layer import ViewLayer
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.requests.session import Agreement, Opened, ViewResult
from dubai_landcover_plugin.protocol.translation import tr

_JUDGE_MS = 1500  # after the last sample, the agreement is computed
_REST_MS = 200  # after which a resting cursor is read with the probabilities of all classes
_READ_MS = 40  # between two readings of the class under the cursor
_WORK = {
    "open": "Opening raster and model…",
    "view": "Classifying the view…",
    "teach": "Learning the samples…",
    "suggest": "Searching the raster for the place to label next…",
    "agreement": "Testing by cross-validation…",
    "save": "Saving the model…",
}


class LandCoverDock(QgsDockWidget):
    """Look at classes, teach them with samples, keep the model; correct a finished classified raster.

    Args:
        iface: QGIS's interface.
        parent: The main window.
    """

    def __init__(self, iface: Any, parent: QWidget | None = None) -> None:
        super().__init__(tr("Land Cover"), parent)
        self.setObjectName("LandCoverDock")
        self._canvas = iface.mapCanvas()
        self._subject: Subject | None = None
        self.client = SessionClient(self)
        self.look = Look(self._canvas, self.client, ViewLayer(self))
        self.teaching = Teaching(self.client)
        self.header, self.look_tab, self.teach_tab, self.keep = Header(), LookTab(), TeachTab(), KeepBar()
        self.keeping = Keeping(self, self.keep, self.header, self.client, self.teaching)
        self.rectangle = RectangleTool(self._canvas, self.look_tab.rectangle)
        self.notice, self.work, self.progress = Notice(), QLabel(), QProgressBar()
        self.correct_header, self.correct_tab, self.correct_bar = CorrectHeader(), CorrectTab(), CorrectBar()
        self.tabs, self._headers, self._bars = QTabWidget(), QStackedWidget(), QStackedWidget()
        self.correct_drawing = CorrectDrawing(
            self._canvas, self.correct_header, self.correct_tab, self.correct_bar, iface.activeLayer
        )
        self.drawing = Drawing(self._canvas, self.teach_tab, self.teaching)
        self._judging, self._reading = _single_shot(self, _JUDGE_MS), _single_shot(self, _READ_MS)
        self._resting = _single_shot(self, _REST_MS)
        self._place: QgsPointXY | None = None
        self._lay_out()
        self._connect()
        self.look.view_layer.set_opacity(self.header.opacity.value() / 100)
        self.choose()

    def _lay_out(self) -> None:
        self.tabs.addTab(self.look_tab, tr("Look"))
        self.tabs.addTab(self.teach_tab, tr("Teach"))
        self.tabs.addTab(self.correct_tab, tr("Correct"))
        for stack, widgets in (
            (self._headers, (self.header, self.correct_header)),
            (self._bars, (self.keep, self.correct_bar)),
        ):
            stack.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
            for widget in widgets:
                stack.addWidget(widget)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(5)
        self.work.setText(" ")
        area = QgsScrollArea()  # the tabs need more height than small screens have
        area.setWidget(self.tabs)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumWidth(self.tabs.minimumSizeHint().width() + area.verticalScrollBar().sizeHint().width())
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(8, 8, 8, 6)
        layout.addWidget(self._headers)
        layout.addWidget(area, 1)
        for widget in (self.notice, self._bars, self.work, self.progress):
            layout.addWidget(widget)
        self.setWidget(content)

    def _connect(self) -> None:
        client, header = self.client, self.header
        header.changed.connect(self.choose)
        header.switched.connect(self.switch)
        header.opacity_changed.connect(self.look.view_layer.set_opacity)
        self.keeping.acted.connect(self.notice.clear)
        self.keeping.acted.connect(self._canvas.setFocus)  # which takes the keys of the tools
        self.keeping.said.connect(self.notice.show_message)
        self.rectangle.drawn.connect(self.look_at)
        self.look_tab.whole.clicked.connect(lambda: self.look_at(None))
        client.opened.connect(self._show_opened)
        client.failed.connect(self._show_failure)
        client.said.connect(lambda level, text: self.notice.show_message(level, text, passing=level == "info"))
        client.logged.connect(_log)
        client.working.connect(self._show_work)
        client.judged.connect(self._show_agreement)
        self.look.shown.connect(self._show_view)
        self.look.drawing.connect(self._show_drawing)
        self.look.missed.connect(lambda text: self.notice.show_message("info", text, passing=True))
        self.teaching.taught.connect(self._follow_samples)
        self.teaching.changed.connect(self._show_classes)
        self.teaching.said.connect(self.notice.show_message)
        self.drawing.said.connect(self.notice.show_message)
        self.drawing.acted.connect(self.notice.clear)
        self.correct_drawing.said.connect(self.notice.show_message)
        self.correct_drawing.acted.connect(self.notice.clear)
        self.correct_drawing.searching.connect(self._show_search)
        self.correct_bar.teach.triggered.connect(self._teach_corrections)
        self.correct_bar.model.triggered.connect(self._model_from_corrections)
        self.tabs.currentChanged.connect(self._show_tab)
        self._judging.timeout.connect(self._judge)
        self._reading.timeout.connect(self._read_place)
        self._resting.timeout.connect(self._probe_place)
        client.probed.connect(lambda found: self.look_tab.show_probabilities(found.probabilities))
        self._canvas.xyCoordinates.connect(self._move)
        project = QgsProject.instance()
        project.layersWillBeRemoved.connect(self._lose_layers)
        project.layersAdded.connect(self._hide_own_layer)
        QCoreApplication.instance().aboutToQuit.connect(self.client.stop)

    def close_session(self) -> None:
        """End the engine and take everything off canvas and project; the plugin is unloaded."""
        with suppress(TypeError):
            QCoreApplication.instance().aboutToQuit.disconnect(self.client.stop)
        project = QgsProject.instance()
        project.layersWillBeRemoved.disconnect(self._lose_layers)
        project.layersAdded.disconnect(self._hide_own_layer)
        self._canvas.xyCoordinates.disconnect(self._move)
        for timer in (self._judging, self._reading, self._resting):
            timer.stop()
        self.rectangle.close()
        self.look.close()
        self.drawing.close()
        self.correct_drawing.close()
        self.client.stop()

    def choose(self) -> None:
        """Work on the raster and the model that are chosen."""
        layer, model = self.header.layer, self.header.model_path
        if self._is_own(layer):
            return
        self.notice.clear()
        subject = None
        try:
            if layer is not None and model:
                subject = make_subject(layer, model, self.header.second_layer)
        except LandCoverError as error:
            self.notice.show_message("error", str(error))
        if subject == self._subject and subject is not None:
            return
        self.look.stop()
        self._subject = subject
        self.client.stop()
        if subject is not None and subject.is_file:
            self.client.open(subject.opening())
        self.keeping.set_subject(subject)
        self.drawing.set_subject(subject)
        self.look_tab.show_result(None)
        for widget in (self.header.look, self.look_tab.rectangle):
            widget.setEnabled(subject is not None)
        self.look_tab.rectangle.setChecked(False)
        self.look_tab.whole.setEnabled(False)
        if subject is None:
            self.header.look.setChecked(False)
        elif self.header.look.isChecked():
            self.look.start(subject)

    def switch(self, on: bool) -> None:
        """Classify the view, or stop."""
        self.notice.clear()
        if on and self._subject is not None:
            self.look.start(self._subject)
        else:
            self.look.stop()
            self.look_tab.show_result(None)
            self.teach_tab.change.setText("")

    def look_at(self, rectangle: QgsRectangle | None) -> None:
        """Classify nothing but a rectangle, in the CRS of the canvas; None for all that the canvas shows."""
        self.notice.clear()
        if self._subject is None or not self.look.set_rectangle(rectangle, self._subject):
            return
        self.look_tab.whole.setEnabled(rectangle is not None)
        if rectangle is None:
            self.look_tab.rectangle.setChecked(False)
        else:
            self.header.look.setChecked(True)

    def _show_tab(self, *_: object) -> None:
        """Show what belongs to a tab; the other tab stops drawing."""
        corrects = self.tabs.currentWidget() is self.correct_tab
        for stack in (self._headers, self._bars):
            stack.setCurrentIndex(int(corrects))
        self.notice.clear()
        (self.drawing if corrects else self.correct_drawing).choose_tool("")
        if self.tabs.currentWidget() is not self.look_tab:
            self.look_tab.rectangle.setChecked(False)
        if corrects:
            self.correct_drawing.choose_default()
        elif self.tabs.currentWidget() is self.teach_tab and self._subject is not None and not self._subject.is_file:
            self.notice.show_message("info", teaching_needs_a_file(self._subject))

    def _teach_corrections(self, *_: object) -> None:
        """Add corrections to the samples of the tab Teach."""
        self.notice.clear()
        try:
            areas = self.correct_drawing.areas()
            raster = self.correct_drawing.correcting.checked_raster()
            added = self.teaching.add(areas, raster.crs)
        except LandCoverError as error:
            self.notice.show_message("error", str(error))
            return
        self.tabs.setCurrentWidget(self.teach_tab)
        self.notice.show_message("info", tr("{n} corrections were added to the samples.", n=added))

    def _model_from_corrections(self, *_: object) -> None:
        """Open Model from Samples with the image, the model and the layer of the corrections."""
        layer = self.correct_drawing.correcting.layer
        image = {} if self._subject is None else run_parameters(self._subject, self.header.model_path)
        if layer is not None:
            open_dialog(SAMPLES_ALGORITHM, {**image, "LABELS": layer.id()})

    def _show_opened(self, opened: Opened) -> None:
        for text in opened.notes:
            log(text)
        if opened.warnings:
            self.notice.show_message("warning", "\n".join(opened.warnings))

    def _show_failure(self, name: str, error: LandCoverError) -> None:
        text = str(error)
        if error.code == "raster-read":
            text = f"{text} {tr('Switch Classify the view on again to read the raster anew.')}"
        if name in ("engine", "open", "teach") or error.code == "raster-read":
            self.header.look.blockSignals(True)
            self.header.look.setChecked(False)
            self.header.look.blockSignals(False)
            self.look.stop()
            self.client.stop()
        self.notice.show_message("info" if name == "agreement" else "error", text, passing=name == "view")

    def _show_work(self, name: str, done: int, total: int) -> None:
        if name == "view" and not total and self.client.is_new:
            self.work.setText(tr("Loading the model; the first time takes longer…"))
        else:
            self.work.setText(tr(_WORK[name]) if name in _WORK else " ")
        self.progress.setRange(0, total if name else 1)
        self.progress.setValue(done if name else 0)

    def _show_drawing(self, is_on: bool) -> None:
        """Show that a view is drawn to a file; the engine's work follows."""
        if is_on:
            self.work.setText(tr("Drawing the view…"))
            self.progress.setRange(0, 0)
        elif not self.client.is_busy:
            self._show_work("", 0, 0)

    def _show_search(self, is_on: bool) -> None:
        self.work.setText(tr("Finding the region…") if is_on else " ")
        self.progress.setRange(0, 0 if is_on else 1)

    def _show_view(self, result: ViewResult) -> None:
        if self.notice.is_passing:
            self.notice.clear()
        self.look_tab.show_result(result)
        self._read_place()
        self._probe_place()
        taught = self.teaching.usable() > 0
        self.teach_tab.change.setText(
            tr("{share} of the view changed", share=f"{100 * result.changed:.1f} %") if taught else ""
        )

    def _show_classes(self) -> None:
        entries, colours = self.teaching.entries, self.teaching.colours
        if entries:
            self.look_tab.set_classes(entries, colours)
            self.look.set_classes(entries, colours)
        self.keep.save.setEnabled(self.teaching.usable() > 0)

    def _show_agreement(self, found: Agreement) -> None:
        self.teach_tab.show_agreement(found)

    def _follow_samples(self) -> None:
        """Classify the view anew after a change of the samples."""
        self.teach_tab.show_agreement(None)
        if self._subject is None:
            return
        if self.look.is_on:
            self.look.refresh()
        elif self.teaching.usable() and self.teaching.history.can_undo:
            self.header.look.setChecked(True)  # the first sample of an evening
        self._judging.start()

    def _judge(self) -> None:
        if self.look.is_on and self.teaching.usable() > 1:
            self.client.judge()

    def _move(self, point: QgsPointXY) -> None:
        self._place = point
        self._resting.start()
        if not self._reading.isActive():
            self._reading.start()

    def _read_place(self) -> None:
        if self.isVisible() and self._place is not None:
            self.look_tab.show_reading(self.look.read(self._place))

    def _probe_place(self) -> None:
        if self.look_tab.isVisible() and self._place is not None:
            self.look.probe(self._place)

    def _is_own(self, layer: QgsRasterLayer | None) -> bool:
        return layer is not None and layer is self.look.view_layer.layer

    def _hide_own_layer(self, *_: object) -> None:
        """Do not offer the classified view as a raster to classify."""
        own = self.look.view_layer.layer
        for box in (self.header.raster, self.correct_header.raster):
            box.setExceptedLayerList([] if own is None else [own])

    def _lose_layers(self, names: list[str]) -> None:
        """Stop if the raster is removed, or the project is closed."""
        if self._subject is not None and self._subject.layer_id in names:
            self.header.look.setChecked(False)
            self.look.stop()
            self.client.stop()
            self._subject = None
            self.keeping.set_subject(None)
            self.drawing.set_subject(None)


def _single_shot(parent: QWidget, milliseconds: int) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    return timer


def _log(level: str, text: str) -> None:
    log(text, Qgis.MessageLevel.Warning if level == "warning" else Qgis.MessageLevel.Info)
