"""Upper part of the panel: raster, model, the switch of the view and its opacity."""

from __future__ import annotations

from qgis.core import QgsMapLayerProxyModel, QgsRasterLayer
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from dubai_landcover_plugin.gui.panel.draw_tab import narrow
from dubai_landcover_plugin.processing.band_choice import COLOURS
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_folders import readable_models
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.requests.segmentation import DEFAULT_MODEL
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import available_models

_DEFAULT_OPACITY = 60


class RasterHeader(QWidget):
    """Choice of a raster, a second row, and a switch with a slider of the opacity. Subclasses arrange them.

    Args:
        raster_tip: Tooltip of the choice of the raster.
        opacity_tip: Tooltip of the slider.
        parent: The parent.
    """

    opacity_changed = pyqtSignal(float)

    def __init__(self, raster_tip: str, opacity_tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.raster = QgsMapLayerComboBox()
        self.raster.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.raster.setToolTip(raster_tip)
        narrow(self.raster)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setToolTip(opacity_tip)
        self.opacity.setMinimumWidth(60)
        self.opacity.valueChanged.connect(lambda value: self.opacity_changed.emit(value / 100))

    def arrange(self, raster: str, second: str, box: QWidget, browse: QWidget, switch: QWidget) -> None:
        """Lay out the header.

        Args:
            raster: Label of the raster.
            second: Label of the second row.
            box: Choice in the second row.
            browse: Button beside it.
            switch: Switch beside the opacity.
        """
        row = QHBoxLayout()
        row.addWidget(box, 1)
        row.addWidget(browse)
        self.form = form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow(raster, self.raster)
        form.addRow(second, row)
        switches = QHBoxLayout()
        switches.addWidget(switch)
        switches.addStretch(1)
        switches.addWidget(QLabel(tr("Opacity")))
        switches.addWidget(self.opacity, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(form)
        layout.addLayout(switches)


class Header(RasterHeader):
    """Choice of raster and model, and the switch that keeps the view classified."""

    changed = pyqtSignal()
    """Another raster or model was chosen."""
    switched = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(tr("The image that is classified"), tr("Opacity of the classes"), parent)
        self.opacity.setValue(_DEFAULT_OPACITY)
        self.model = QComboBox()
        self.model.setToolTip(tr("The model that classifies"))
        narrow(self.model)
        self._browse = QToolButton()
        self._browse.setText("…")
        self._browse.setToolTip(tr("Choose a model file"))
        self._browse.clicked.connect(self._choose_file)
        self.look = QCheckBox(tr("Classify the view"))
        self.look.setToolTip(tr("Keeps what the map shows classified, again after each move"))
        self._files: dict[str, str] = {}
        self.second = QgsMapLayerComboBox()
        self.second.setFilters(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.second.setAllowEmptyLayer(True)
        self.second.setLayer(None)
        self.second.setToolTip(tr("Raster with further bands of the model, such as a height model"))
        narrow(self.second)
        self._second_label = QLabel(tr("Second raster"))
        self.arrange(tr("Raster"), tr("Model"), self.model, self._browse, self.look)
        self.form.addRow(self._second_label, self.second)
        self.load_models()
        self._show_second()
        self.raster.layerChanged.connect(self._emit_changed)
        self.second.layerChanged.connect(self._emit_changed)
        self.model.currentIndexChanged.connect(self._show_second)
        self.model.currentIndexChanged.connect(self._emit_changed)
        self.look.toggled.connect(self.switched)

    @property
    def layer(self) -> QgsRasterLayer | None:
        """The chosen raster layer."""
        found = self.raster.currentLayer()
        return found if isinstance(found, QgsRasterLayer) else None

    @property
    def second_layer(self) -> QgsRasterLayer | None:
        """The chosen second raster; None without one, and for models of red, green and blue."""
        found = self.second.currentLayer() if self._reads_more else None
        return found if isinstance(found, QgsRasterLayer) else None

    def _show_second(self, *_: object) -> None:
        """Show the choice of a second raster for models with further bands."""
        self._reads_more = _reads_more(self.model_path)
        for widget in (self.second, self._second_label):
            widget.setVisible(self._reads_more)

    @property
    def model_path(self) -> str:
        """Path of the chosen model; empty without one."""
        return str(self.model.currentData() or "")

    def load_models(self, chosen: str = "") -> None:
        """List the installed models and files chosen before.

        Args:
            chosen: Path of the model to select; by default the one selected now.
        """
        chosen = chosen or self.model_path
        found = available_models()
        readable, _ = readable_models(found)
        self.model.blockSignals(True)
        self.model.clear()
        for name, metadata in readable.items():
            self.model.addItem(name, str(found[name]))
            self.model.setItemData(self.model.count() - 1, metadata.title, Qt.ItemDataRole.ToolTipRole)
        for path, name in self._files.items():
            if self.model.findData(path) < 0:
                self.model.addItem(name, path)
        position = self.model.findData(chosen) if chosen else self.model.findText(DEFAULT_MODEL)
        self.model.setCurrentIndex(max(position, 0) if self.model.count() else -1)
        self.model.blockSignals(False)
        self._show_second()

    def add_file(self, path: str, choose: bool = True) -> None:
        """List a model file, and choose it."""
        self._files[path] = path.replace("\\", "/").rsplit("/", 1)[-1]
        self.load_models(path if choose else "")
        if choose:
            self.changed.emit()

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, tr("Choose a model file"), "", f"{tr('Models')} (*{BUNDLE_SUFFIX} *.onnx)"
        )
        if path:
            self.add_file(path)

    def _emit_changed(self, *_: object) -> None:
        self.changed.emit()


def _reads_more(path: str) -> bool:
    """Return whether a model reads other bands than red, green and blue; false for a file that cannot be read."""
    try:
        return bool(path) and sorted(read_metadata(path).bands) != sorted(COLOURS)
    except LandCoverError:
        return False
