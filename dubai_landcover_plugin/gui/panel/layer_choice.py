"""Choice of a layer that stays empty when its layer is removed."""

from __future__ import annotations

from qgis.core import QgsMapLayer, QgsProject
from qgis.gui import QgsMapLayerComboBox
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal


class LayerChoice(QObject):
    """Follows a box of layers that allows none.

    The box goes on to the next layer when its layer is removed from the project; nobody has chosen that one.

    Args:
        box: The box.
    """

    chosen = pyqtSignal(object)
    """Layer that the user has chosen; None for none."""

    def __init__(self, box: QgsMapLayerComboBox) -> None:
        super().__init__(box)
        self._box = box
        self._known = _id_of(box.currentLayer())
        self._late = ""  # id of a layer that should be shown when the box lists it
        box.layerChanged.connect(self._wait)
        QgsProject.instance().layersRemoved.connect(self._wait)  # the box may go on without its signal

    @property
    def layer(self) -> QgsMapLayer | None:
        """The layer that is shown."""
        return self._box.currentLayer()

    def show(self, layer: QgsMapLayer | None) -> None:
        """Show a layer, without a signal."""
        self._set(layer)
        self._late = ""
        self._known = _id_of(layer)
        if self._box.currentLayer() is not layer:  # it was added to the project, and the box does not list it yet
            self._late = self._known
            self._wait()

    def _set(self, layer: QgsMapLayer | None) -> None:
        self._box.blockSignals(True)
        self._box.setLayer(layer)
        self._box.blockSignals(False)

    def _wait(self, *_: object) -> None:
        QTimer.singleShot(0, self._settle)  # when removals are done

    def _settle(self) -> None:
        late, self._late = QgsProject.instance().mapLayer(self._late), ""
        if late is not None:
            self._set(late)
        layer = self._box.currentLayer()
        if self._known and layer is not None and QgsProject.instance().mapLayer(self._known) is None:
            self.show(None)
        elif _id_of(layer) != self._known and late is None:
            self._known = _id_of(layer)
            self.chosen.emit(layer)


def _id_of(layer: QgsMapLayer | None) -> str:
    return "" if layer is None else str(layer.id())
