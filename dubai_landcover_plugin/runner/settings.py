"""Settings of the plugin in the QGIS profile."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsApplication, QgsSettings

from dubai_landcover_plugin.protocol.classes import DATASET, NATURAL
from dubai_landcover_plugin.protocol.model_folders import installed_models
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.runner.interpreter import Interpreter, find_interpreter

INTERPRETER = "dubai_landcover/interpreter"
MODEL_FOLDER = "dubai_landcover/model_folder"
COLOURS = "dubai_landcover/colours"


def text_setting(key: str) -> str:
    """Return a setting as text; empty if it is not set."""
    return str(QgsSettings().value(key, "") or "")


def colours() -> str:
    """Return the colours of results: ``natural``, or ``dataset`` for those of the Dubai dataset."""
    return DATASET if text_setting(COLOURS) == DATASET else NATURAL


def natural_colours() -> bool:
    """Return whether results have natural colours."""
    return colours() == NATURAL


def profile_folder() -> str:
    """Return the folder of the current QGIS profile."""
    return str(QgsApplication.qgisSettingsDirPath())


def engine_interpreter() -> Interpreter:
    """Return the interpreter that runs the engine for this profile.

    Raises:
        EngineMissingError: if none is configured.
    """
    return find_interpreter(text_setting(INTERPRETER), profile_folder())


def available_models() -> dict[str, Path]:
    """Return the available models by name: shipped, the user's, and those in the folder of the settings."""
    found = installed_models()
    folder = text_setting(MODEL_FOLDER)
    if folder:
        for path in sorted(Path(folder).glob(f"*{BUNDLE_SUFFIX}")):
            found.setdefault(path.stem, path)
    return found
