"""The plugin's settings, kept in the QGIS profile."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication, QgsSettings

from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, installed_models
from dubai_landcover_plugin.runner.interpreter import Interpreter, find_interpreter

INTERPRETER = "dubai_landcover/interpreter"
MODEL_FOLDER = "dubai_landcover/model_folder"
NATURAL_COLOURS = "dubai_landcover/natural_colours"


def text_setting(key: str) -> str:
    """Return a setting as text; empty where it was never set."""
    return str(QgsSettings().value(key, "") or "")


def natural_colours() -> bool:
    """Return whether results are drawn in natural colours rather than the dataset's."""
    return bool(QgsSettings().value(NATURAL_COLOURS, False, type=bool))


def profile_folder() -> str:
    """Return the folder of the QGIS profile in use."""
    return str(QgsApplication.qgisSettingsDirPath())


def engine_interpreter() -> Interpreter:
    """Return the interpreter that runs the engine for this profile.

    Raises:
        EngineMissingError: if there is none.
    """
    return find_interpreter(text_setting(INTERPRETER), profile_folder())


def available_models() -> dict[str, Path]:
    """Return the models to choose from, by name: those shipped, the user's own, those of the folder in the settings."""
    found = installed_models()
    folder = text_setting(MODEL_FOLDER)
    if folder:
        for path in sorted(Path(folder).glob(f"*{BUNDLE_SUFFIX}")):
            found.setdefault(path.stem, path)
    return found
