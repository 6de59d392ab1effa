"""The programs that make the engine's environment: uv, or venv and pip of a Python on this computer."""

from __future__ import annotations

import os
import queue
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.environment import engine_environment
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.interpreter import environment_python
from dubai_landcover_plugin.runner.worker_process import WorkerProcess

_LOWEST, _BELOW = (3, 10), (3, 14)
_OWN_PYTHON = "3.12"
_PROBE = "import ensurepip, sys, venv; print('.'.join(map(str, sys.version_info[:2])))"


@dataclass(frozen=True)
class Installer:
    """Commands that create the environment and install packages: uv if it is installed, else venv and pip.

    Args:
        uv: Path of uv; empty for venv and pip.
        python: Base interpreter; if empty, uv finds or downloads one.
    """

    uv: str
    python: str

    def make_environment(self, folder: Path) -> list[str]:
        """Return the command that creates an empty environment."""
        if self.uv:
            return [self.uv, "venv", "--python", self.python or _OWN_PYTHON, str(folder)]
        return [self.python, "-I", "-m", "venv", str(folder)]

    def install(self, folder: Path, files: Sequence[Path], offline: bool = False, cpu_torch: bool = False) -> list[str]:
        """Return the command that installs locked requirement files.

        Args:
            folder: The environment.
            files: Requirement files with hashes.
            offline: Take packages from folders of wheels only.
            cpu_torch: Use the package index of torch's CPU builds; needs uv.
        """
        python = str(environment_python(folder))
        locked = [part for file in files for part in ("-r", str(file))]
        if self.uv:
            options = ["--torch-backend", "cpu"] if cpu_torch else []
            if offline:
                options.append("--no-index")
            return [self.uv, "pip", "install", "--python", python, "--require-hashes", *options, *locked]
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--require-hashes"]
        return [python, "-I", "-m", "pip", "install", *options, *locked]


def find_installer(
    monitor: Monitor, own_uv: Callable[[], str] = str, python: str = "", wanted: tuple[int, ...] | None = None
) -> Installer:
    """Return the installer to use on this computer.

    Args:
        monitor: Receives messages.
        own_uv: Returns the path of the plugin's own uv, which it may fetch; empty without one.
        python: The interpreter to take; empty to look for one.
        wanted: The version of Python that the wheels are for; None for any that suits.

    Raises:
        EngineSetupError: if neither uv nor a suitable Python with venv is found.
    """
    problem = None
    try:
        uv = own_uv() or _find_uv()
    except EngineSetupError as error:  # an index without uv; what the computer has may do
        uv, problem = _find_uv(), error
        monitor.log("warning", str(error))
    for candidate in [python] if python else _candidates():
        version = _probe(candidate)
        if version and (_LOWEST <= version < _BELOW if wanted is None else version == wanted):
            found = f"{version[0]}.{version[1]}: {candidate}"
            text = tr("Using Python {found} with uv", found=found) if uv else tr("Using Python {found}", found=found)
            monitor.log("info", text)
            return Installer(uv, candidate)
    if wanted is not None:
        number = ".".join(map(str, wanted))
        raise EngineSetupError(
            tr("The folder is for Python {number}, which {python} does not have.", number=number, python=python)
            if python
            else tr("The folder is for Python {number}, which this computer does not have.", number=number),
            tr(
                "Install Python {number}, or add an archive of it to the folder (make landcover-wheels "
                "PYTHON_ARCHIVE=…).",
                number=number,
            ),
        )
    if uv:
        monitor.log("info", tr("No suitable Python was found; uv fetches Python {version}.", version=_OWN_PYTHON))
        return Installer(uv, "")
    raise problem or EngineSetupError(
        tr(
            "No Python {lowest}.{other_lowest} to {below}.{other_below} with venv and ensurepip was found.",
            lowest=_LOWEST[0],
            other_lowest=_LOWEST[1],
            below=_BELOW[0],
            other_below=_BELOW[1] - 1,
        ),
        tr(
            "Install Python 3.12 from python.org (on Debian and Ubuntu: apt install python3-venv) or uv, "
            "then try again."
        ),
    )


def _find_uv() -> str:
    name = "uv.exe" if sys.platform == "win32" else "uv"
    places = [shutil.which("uv"), *(os.path.expanduser(f"~/{folder}/bin/{name}") for folder in (".local", ".cargo"))]
    return next((str(place) for place in places if place and Path(place).is_file()), "")


def _candidates() -> list[str]:
    """Return interpreters to try; without ``sys.executable``, which may be QGIS itself."""
    program = "python.exe" if sys.platform == "win32" else "bin/python3"
    named = ["python3.12", "python3.11", "python3.13", "python3.10", "python3", "python"]
    places = [shutil.which(name) for name in named]
    places += [str(Path(prefix) / program) for prefix in (sys.base_prefix, "/usr")]
    return list(dict.fromkeys(place for place in places if place and os.path.isfile(place)))


def _probe(python: str) -> tuple[int, ...] | None:
    """Return the version of an interpreter with venv and ensurepip, else None."""
    try:
        with WorkerProcess([python, "-I", "-c", _PROBE], engine_environment()) as process:
            process.close_input()
            line = process.read(15.0)
            return tuple(int(part) for part in line.split(b".")) if line else None
    except (LandCoverError, queue.Empty, ValueError):
        return None
