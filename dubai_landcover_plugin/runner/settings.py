"""Settings of the plugin in the QGIS profile."""

from __future__ import annotations

from itertools import chain, count
from pathlib import Path

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QStandardPaths

from dubai_landcover_plugin.protocol.classes import DATASET, NATURAL
from dubai_landcover_plugin.protocol.model_folders import installed_models
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.requests.segmentation import DEFAULT_MODEL
from dubai_landcover_plugin.runner.administration import administered, shared_engine
from dubai_landcover_plugin.runner.interpreter import Interpreter, find_interpreter

INTERPRETER = "dubai_landcover/interpreter"
MODEL_FOLDER = "dubai_landcover/model_folder"
COLOURS = "dubai_landcover/colours"
DEFAULT_MODEL_KEY = "dubai_landcover/default_model"
SHARED_MODEL_FOLDER = "dubai_landcover/shared_model_folder"
"""Folder of models that an administrator sets, in the global settings of QGIS; nothing is written there."""


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


def data_folder() -> str:
    """Return the folder of the user's local application data: not the profile, which may roam between computers."""
    return QStandardPaths.writableLocation(QStandardPaths.StandardLocation.GenericDataLocation)


def engine_interpreter() -> Interpreter:
    """Return the interpreter that runs the engine.

    Raises:
        EngineMissingError: if none is configured.
    """
    return find_interpreter(text_setting(INTERPRETER), data_folder(), None, profile_folder(), shared_engine())


def available_models() -> dict[str, Path]:
    """Return the available models by name.

    Those that ship come first, then those in the user's folder, the folder of the settings, the profile, and the folder
    of an administrator: the variable ``DUBAI_LANDCOVER_MODELS`` or :data:`SHARED_MODEL_FOLDER`.
    """
    found = installed_models()
    for folder in (text_setting(MODEL_FOLDER), str(profile_model_folder()), administered(SHARED_MODEL_FOLDER)):
        for path in sorted(Path(folder).glob(f"*{BUNDLE_SUFFIX}")) if folder else ():
            found.setdefault(path.stem, path)
    return found


def profile_model_folder() -> Path:
    """Return the folder of the models that belong to the QGIS profile; it may not exist."""
    return Path(profile_folder()) / "dubai_landcover" / "models"


def default_model() -> str:
    """Return the name of the model that dialogs propose: the user's choice as long as it is available."""
    chosen = text_setting(DEFAULT_MODEL_KEY)
    return chosen if chosen in available_models() else DEFAULT_MODEL


def free_model_path(stem: str) -> Path:
    """Return a path of a new model in the profile; a number is added to a name that is taken."""
    taken = available_models()
    name = next(name for name in chain([stem], (f"{stem}-{number}" for number in count(2))) if name not in taken)
    return profile_model_folder() / f"{name}{BUNDLE_SUFFIX}"
