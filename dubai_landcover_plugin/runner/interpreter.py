"""Finds the Python interpreter of the engine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dubai_landcover_plugin.runner.errors import EngineMissingError

VARIABLE = "DUBAI_LANDCOVER_PYTHON"
COMPLETE_MARK = "engine-complete.json"
_REMEDY = (
    "In QGIS choose Plugins > Dubai Land Cover > Set up the engine…; without a desktop, run 'make setup' in the source "
    f"folder and set {VARIABLE} to .venv/bin/python there."
)


@dataclass(frozen=True)
class Interpreter:
    """Path of a Python interpreter, and the setting that it comes from."""

    path: str
    origin: str


def engine_folder(profile_folder: str | Path) -> Path:
    """Return the folder of the environment that the plugin installs in a QGIS profile."""
    return Path(profile_folder) / "dubai_landcover" / "engine"


def environment_python(environment_folder: Path) -> Path:
    """Return the path of a virtual environment's interpreter, whether it exists or not."""
    if sys.platform == "win32":
        return environment_folder / "Scripts" / "python.exe"
    return environment_folder / "bin" / "python"


def find_interpreter(
    setting: str, profile_folder: str | Path | None, environment: Mapping[str, str] | None = None
) -> Interpreter:
    """Return the engine's interpreter: the setting, else ``DUBAI_LANDCOVER_PYTHON``, else the one in the profile.

    Args:
        setting: The plugin setting; may be empty.
        profile_folder: Folder of the QGIS profile, or None.
        environment: Environment variables; defaults to those of this process.

    Raises:
        EngineMissingError: if none is configured, or the configured one is not an executable file.
    """
    variables = os.environ if environment is None else environment
    for value, origin in ((setting, "the plugin's settings"), (variables.get(VARIABLE, ""), VARIABLE)):
        if value.strip():
            return Interpreter(_checked(value.strip(), origin), origin)
    if profile_folder is not None:
        folder = engine_folder(profile_folder)
        python = environment_python(folder)
        if python.is_file() and (folder / COMPLETE_MARK).is_file():
            return Interpreter(str(python), "the QGIS profile")
    raise EngineMissingError("The engine that computes land cover is not set up yet.", _REMEDY)


def _checked(value: str, origin: str) -> str:
    path = Path(os.path.expanduser(value))
    if not path.is_file():
        raise EngineMissingError(f"The engine's Python '{value}' (from {origin}) does not exist.", _REMEDY)
    if not os.access(path, os.X_OK):
        raise EngineMissingError(f"The engine's Python '{value}' (from {origin}) is not executable.", _REMEDY)
    return str(path)
