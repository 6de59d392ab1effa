"""Lower part of the panel: saving the taught model and running a model on the whole raster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsApplication
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QWidget

from dubai_landcover_plugin.gui.panel.subject import Subject
from dubai_landcover_plugin.protocol.model_folders import user_model_folder
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.settings import MODEL_FOLDER, available_models, text_setting

ALGORITHM = "dubailandcover:segmentlandcover"
SAMPLES_ALGORITHM = "dubailandcover:modelfromsamples"
_OPEN: list[Any] = []
"""Open dialogs: without their Python half, their buttons would do nothing."""


class KeepBar(QWidget):
    """Two buttons: save the model, run on the whole raster."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.save = QPushButton(tr("Save as model…"))
        self.save.setToolTip(tr("Writes the taught model as a file that all tools run"))
        self.run = QPushButton(tr("Run on whole raster…"))
        self.run.setToolTip(tr("Opens Segment Land Cover with this raster and model"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.save)
        layout.addWidget(self.run)


def proposed_model_file(subject: Subject) -> Path:
    """Return a path for a taught model in the folder of the user's models that does not exist yet."""
    folder = Path(text_setting(MODEL_FOLDER) or user_model_folder())
    stem = f"{Path(subject.source).stem}_{subject.model.name}"
    names = (f"{stem}{'' if number == 1 else f'_{number}'}{BUNDLE_SUFFIX}" for number in range(1, 1000))
    return next(folder / name for name in names if not (folder / name).exists())


def ask_model_file(parent: QWidget, proposed: Path) -> Path | None:
    """Ask for the file of a taught model; None if the user cancels."""
    proposed.parent.mkdir(parents=True, exist_ok=True)
    path, _ = QFileDialog.getSaveFileName(
        parent, tr("Save as model"), str(proposed), f"{tr('Models')} (*{BUNDLE_SUFFIX})"
    )
    if not path:
        return None
    return Path(path if path.endswith(BUNDLE_SUFFIX) else path + BUNDLE_SUFFIX)


def run_parameters(subject: Subject, model: str) -> dict[str, Any]:
    """Return the parameters of Segment Land Cover for a raster and a model file."""
    name = next((name for name, path in available_models().items() if str(path) == model), "")
    chosen = {"MODEL": name} if name else {"MODEL_FILE": model}
    second = {"SECOND": subject.options.second} if subject.options.second else {}
    return {"INPUT": subject.layer_id, **chosen, **second}


def open_run_dialog(parameters: dict[str, Any]) -> Any:
    """Open Segment Land Cover with parameters filled in, and return its dialog."""
    return open_dialog(ALGORITHM, parameters)


def open_dialog(algorithm: str, parameters: dict[str, Any]) -> Any:
    """Open an algorithm of the toolbox with parameters filled in, and return its dialog."""
    import processing  # a plugin of QGIS that is loaded after this module

    dialog = processing.createAlgorithmDialog(algorithm, parameters)
    dialog.show()
    _OPEN[:] = [one for one in _OPEN if not sip.isdeleted(one) and one.isVisible()]
    _OPEN.append(dialog)
    return dialog


def refresh_algorithms() -> None:
    """List new models in the algorithms of the toolbox."""
    provider = QgsApplication.processingRegistry().providerById("dubailandcover")
    if provider is not None:
        provider.refreshAlgorithms()
