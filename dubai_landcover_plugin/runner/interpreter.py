"""Finds the Python interpreter of the engine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.errors import EngineMissingError

VARIABLE = "DUBAI_LANDCOVER_PYTHON"
COMPLETE_MARK = "engine-complete.json"
_ENGINE = re.compile(r"engine(-\d+)?")
_REMEDY = (
    "In QGIS choose Plugins > Dubai Land Cover > Set up the engine…; without a desktop, install the engine with pip "
    "and set {variable} to its Python."
)


@dataclass(frozen=True)
class Interpreter:
    """Path of a Python interpreter, and the setting that it comes from."""

    path: str
    origin: str


def engine_folder(base: str | Path) -> Path:
    """Return the folder of the first environment that the plugin installs in a folder of the user's data.

    A later one gets a number, such as ``engine-2``: it is built beside the earlier one, which stays in use meanwhile.
    """
    return Path(base) / "dubai_landcover" / "engine"


def engine_folders(base: str | Path) -> list[Path]:
    """Return the folders of all environments in such a folder, finished or not."""
    first = engine_folder(base)
    return sorted(path for path in first.parent.glob(f"{first.name}*") if _ENGINE.fullmatch(path.name))


def installed_engine(base: str | Path) -> Path | None:
    """Return the folder of the environment to use: the one that was finished last; None if there is none."""
    found = []
    for folder in engine_folders(base):
        try:
            finished = (folder / COMPLETE_MARK).stat().st_mtime_ns
        except OSError:
            continue
        if environment_python(folder).is_file():
            found.append((finished, folder))
    return max(found)[1] if found else None


def environment_python(environment_folder: Path) -> Path:
    """Return the path of a virtual environment's interpreter, whether it exists or not."""
    if sys.platform == "win32":
        return environment_folder / "Scripts" / "python.exe"
    return environment_folder / "bin" / "python"


def find_interpreter(
    setting: str,
    base: str | Path | None,
    environment: Mapping[str, str] | None = None,
    profile_folder: str | Path | None = None,
    shared: str = "",
) -> Interpreter:
    """Return the engine's interpreter.

    The setting counts first, then ``DUBAI_LANDCOVER_PYTHON``, then the engine for all users, then that of the set-up.

    Args:
        setting: The plugin setting; may be empty.
        base: Folder of the user's local application data, or None.
        environment: Environment variables; defaults to those of this process.
        profile_folder: Folder of the QGIS profile, where earlier versions of the plugin put the engine, or None.
        shared: Python of an engine that an administrator provides; may be empty.

    Raises:
        EngineMissingError: if none is configured, or the configured one is not an executable file.
    """
    variables = os.environ if environment is None else environment
    named = (
        (setting, tr("the plugin's settings")),
        (variables.get(VARIABLE, ""), VARIABLE),
        (shared, tr("the administrator's settings")),
    )
    for value, origin in named:
        if value.strip():
            return Interpreter(_checked(value.strip(), origin), origin)
    for place, origin in ((base, tr("the set-up")), (profile_folder, tr("the QGIS profile"))):
        folder = None if place is None else installed_engine(place)
        if folder is not None:
            return Interpreter(str(environment_python(folder)), origin)
    raise EngineMissingError(
        tr("The engine that computes land cover is not set up yet."), tr(_REMEDY, variable=VARIABLE)
    )


def _checked(value: str, origin: str) -> str:
    path = Path(os.path.expanduser(value))
    if not path.is_file():
        raise EngineMissingError(
            tr("The engine's Python '{value}' (from {origin}) does not exist.", value=value, origin=origin),
            tr(_REMEDY, variable=VARIABLE),
        )
    if not os.access(path, os.X_OK):
        raise EngineMissingError(
            tr("The engine's Python '{value}' (from {origin}) is not executable.", value=value, origin=origin),
            tr(_REMEDY, variable=VARIABLE),
        )
    return str(path)
