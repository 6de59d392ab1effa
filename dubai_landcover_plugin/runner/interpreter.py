"""Which Python runs the engine."""

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
    "In QGIS choose Plugins > Dubai Land Cover > Set up the engine…; without a desktop run 'make setup' in the source "
    f"folder and set {VARIABLE} to the Python it names."
)


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs the engine, and who named it."""

    path: str
    origin: str


def engine_folder(profile_folder: str | Path) -> Path:
    """Return the folder of the environment that the plugin's installer makes in a QGIS profile."""
    return Path(profile_folder) / "dubai_landcover" / "engine"


def environment_python(environment_folder: Path) -> Path:
    """Return the interpreter of a virtual environment; it need not exist."""
    if sys.platform == "win32":
        return environment_folder / "Scripts" / "python.exe"
    return environment_folder / "bin" / "python"


def find_interpreter(
    setting: str, profile_folder: str | Path | None, environment: Mapping[str, str] | None = None
) -> Interpreter:
    """Return the engine's interpreter: the setting, else the variable, else the environment in the profile.

    Args:
        setting: The plugin setting; may be empty.
        profile_folder: Folder of the QGIS profile, if there is one.
        environment: Defaults to this process's.

    Raises:
        EngineMissingError: if none is named or the one named is no program.
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
    path = Path(value).expanduser()
    if not path.is_file():
        raise EngineMissingError(f"The engine's Python '{value}', named by {origin}, does not exist.", _REMEDY)
    if not os.access(path, os.X_OK):
        raise EngineMissingError(f"The engine's Python '{value}', named by {origin}, is not executable.", _REMEDY)
    return str(path)
