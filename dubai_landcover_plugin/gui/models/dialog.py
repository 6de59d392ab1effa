"""The dialog Models: what is installed, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QCloseEvent
from qgis.PyQt.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QTabWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.models.address_dialog import AddressDialog
from dubai_landcover_plugin.gui.models.comparison import ViewComparison
from dubai_landcover_plugin.gui.models.download import Download
from dubai_landcover_plugin.gui.models.facts import facts_html
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.model_library import (
    InstalledModel,
    add_model,
    list_models,
    remove_model,
    rename_model,
    set_default,
)

_MB = 1e6


class ModelsDialog(QDialog):
    """Lists the installed models with card and figures; adds, removes, renames and compares them.

    Args:
        iface: QGIS's interface, for the view that models are compared on; None without.
        parent: Parent widget.
    """

    def __init__(self, iface: Any = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(tr("Dubai Land Cover: models"))
        self.resize(940, 620)
        self._iface = iface
        self._download: Download | None = None
        self._comparison: ViewComparison | None = None
        self._shown: list[InstalledModel] = []
        self.list = QListWidget()
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.itemSelectionChanged.connect(self._show)
        self.facts, self.card = QTextBrowser(), QTextBrowser()
        for browser in (self.facts, self.card):
            browser.setOpenExternalLinks(True)
        tabs = QTabWidget()
        tabs.addTab(self.facts, tr("Facts and figures"))
        tabs.addTab(self.card, tr("Model card"))
        self.state = QLabel()
        self.state.setWordWrap(True)
        self.progress = QProgressBar()
        self.progress.hide()
        self.add = self._button(tr("Add file…"), self._add_file)
        self.load = self._button(tr("Add from the web…"), self._add_address)
        self.rename = self._button(tr("Rename…"), self._rename)
        self.remove = self._button(tr("Remove…"), self._remove)
        self.default = self._button(tr("Set as default"), self._set_default)
        self.compare = self._button(tr("Compare on this view"), self._compare)
        self.compare.setToolTip(tr("Select two models (Ctrl+click) and a raster layer: both classify the view"))
        close = self._button(tr("Close"), self.close)
        middle = QHBoxLayout()
        middle.addWidget(self.list, 1)
        middle.addWidget(tabs, 3)
        buttons = QHBoxLayout()
        for button in (self.add, self.load, self.rename, self.remove, self.default, self.compare):
            buttons.addWidget(button)
        buttons.addStretch()
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addLayout(middle, 1)
        layout.addWidget(self.state)
        layout.addWidget(self.progress)
        layout.addLayout(buttons)
        self.refresh()

    def refresh(self, name: str = "") -> None:
        """List the models again and select one; without a name the default."""
        self._shown = list_models()
        self.list.clear()
        for model in self._shown:
            item = QListWidgetItem(f"{model.name} ({tr('default')})" if model.is_default else model.name)
            item.setData(Qt.ItemDataRole.UserRole, model.name)
            if model.metadata is None:
                item.setText(f"{model.name} ({tr('cannot be read')})")
            self.list.addItem(item)
            if model.name == name or (not name and model.is_default):
                self.list.setCurrentItem(item)
        self._show()

    def selected(self) -> list[InstalledModel]:
        """Return the selected models in the order of the list."""
        names = {item.data(Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()}
        return [model for model in self._shown if model.name in names]

    def _button(self, text: str, called: Callable[[], Any]) -> QPushButton:
        button = QPushButton(text)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: self._guarded(called))
        return button

    def _guarded(self, called: Callable[[], Any]) -> None:
        """Do something, and say in a message what went wrong."""
        try:
            called()
        except Exception as error:  # shown in the dialog; QGIS would only print it
            QMessageBox.warning(self, self.windowTitle(), str(explained(error)))

    def _show(self) -> None:
        """Show the selected model and enable what can be done with it."""
        chosen = self.selected()
        one = chosen[0] if len(chosen) == 1 else None
        self.facts.setHtml("<hr>".join(map(facts_html, chosen)))
        self.card.setMarkdown(one.card if one is not None and one.card else f"*{tr('No model card.')}*")
        own, busy = one is not None and one.is_own, self._comparison is not None
        self.rename.setEnabled(own)
        self.remove.setEnabled(own)
        self.default.setEnabled(one is not None and one.metadata is not None and not one.is_default)
        self.compare.setEnabled(len(chosen) == 2 and self._iface is not None and not busy)
        self.load.setEnabled(self._download is None)

    def _add_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("Add a model"), "", f"{tr('Models')} (*{BUNDLE_SUFFIX})")
        if path:
            self._added(add_model(Path(path)))

    def _add_address(self) -> None:
        asked = AddressDialog(self)
        if asked.exec() != QDialog.DialogCode.Accepted:
            return
        name, checksum = asked.name.text().strip(), asked.checksum.text()

        def done(path: Path | None, problem: str) -> None:
            self._download = None
            self.progress.hide()
            self.state.clear()
            self._guarded(lambda: self._loaded(path, problem, name, checksum))
            self._show()

        self.state.setText(tr("Downloading {address}", address=asked.address.text().strip()))
        self.progress.show()
        self._download = Download(asked.address.text(), self._show_progress, done, self)
        self._show()

    def _show_progress(self, received: int, total: int) -> None:
        self.progress.setRange(0, total if total > 0 else 0)
        self.progress.setValue(received)
        self.progress.setFormat(f"{received / _MB:.1f} MB")

    def _loaded(self, path: Path | None, problem: str, name: str, checksum: str) -> None:
        if path is None:
            raise LandCoverError(tr("The model was not downloaded: {problem}.", problem=problem or "?"))
        self._added(add_model(path, name, checksum))

    def _added(self, path: Path) -> None:
        self.refresh(path.stem)
        self.state.setText(tr("Added: {path}", path=path))

    def _rename(self) -> None:
        (model,) = self.selected()
        name, agreed = QInputDialog.getText(self, tr("Rename a model"), tr("Name"), text=model.name)
        if agreed and name.strip() != model.name:
            self.refresh(rename_model(model, name).stem)

    def _remove(self) -> None:
        (model,) = self.selected()
        question = tr("Delete the model {name} and its card? {path}", name=model.name, path=model.path)
        answer = QMessageBox.question(self, self.windowTitle(), question)
        if answer == QMessageBox.StandardButton.Yes:
            remove_model(model)
            self.refresh()

    def _set_default(self) -> None:
        (model,) = self.selected()
        set_default(model.name)
        self.refresh(model.name)

    def _compare(self) -> None:
        first, second = self.selected()

        def done(text: str) -> None:
            self._comparison = None
            self.state.setText(text)
            self._show()

        self.state.setText(tr("Classifying the view with {one} and {other}…", one=first.name, other=second.name))
        self._comparison = ViewComparison(self._iface, (first, second), done)
        self._guarded(self._comparison.start)
        if not self._comparison.running:
            self._comparison = None
            self.state.clear()
        self._show()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop a download and a comparison."""
        if self._download is not None:
            self._download.cancel()
            self._download = None
        if self._comparison is not None:
            self._comparison.cancel()
            self._comparison = None
        QgsApplication.processEvents()
        super().closeEvent(event)
