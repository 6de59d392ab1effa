"""Builds the engine's environment in the QGIS profile, from the locked requirements that the plugin ships.

Only the user starts this, from the menu; no algorithm and no headless run installs anything.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.runner.environment import engine_environment
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.exit_codes import explain_exit
from dubai_landcover_plugin.runner.interpreter import COMPLETE_MARK, engine_folder, environment_python
from dubai_landcover_plugin.runner.worker_process import END, WorkerProcess

NEEDED_MB = 3000
NEEDED_WITH_CUDA_MB = 9000
_LOWEST, _BELOW = (3, 10), (3, 14)
_PROBE = "import ensurepip, sys, venv; print('.'.join(map(str, sys.version_info[:2])))"


@dataclass(frozen=True)
class Installer:
    """How packages get into the environment: uv where it is installed, else venv and pip.

    Args:
        uv: Path of uv, or nothing.
        python: Interpreter to build on; nothing lets uv choose or fetch one.
    """

    uv: str
    python: str

    def make_environment(self, folder: Path) -> list[str]:
        """Return the command that makes an empty environment."""
        if self.uv:
            return [self.uv, "venv", "--python", self.python or ">=3.11,<3.14", str(folder)]
        return [self.python, "-I", "-m", "venv", str(folder)]

    def install(self, folder: Path, files: Sequence[Path], cpu_torch: bool = False) -> list[str]:
        """Return the command that installs locked files; ``cpu_torch`` looks where torch's CPU builds are."""
        python = str(environment_python(folder))
        locked = [part for file in files for part in ("-r", str(file))]
        if self.uv:
            backend = ["--torch-backend", "cpu"] if cpu_torch else []
            return [self.uv, "pip", "install", "--python", python, "--require-hashes", *backend, *locked]
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--require-hashes"]
        return [python, "-I", "-m", "pip", "install", *options, *locked]


def find_installer(monitor: Monitor) -> Installer:
    """Return how this computer can build the environment.

    Raises:
        EngineSetupError: if there is neither uv nor a Python that can make virtual environments.
    """
    uv = _find_uv()
    for python in _candidates():
        version = _probe(python)
        if version and _LOWEST <= version < _BELOW:
            monitor.log("info", f"Building on Python {version[0]}.{version[1]}: {python}{' with uv' if uv else ''}")
            return Installer(uv, python)
    if uv:
        monitor.log("info", "No suitable Python was found; uv fetches one.")
        return Installer(uv, "")
    raise EngineSetupError(
        f"No Python {_LOWEST[0]}.{_LOWEST[1]} to {_BELOW[0]}.{_BELOW[1] - 1} that can make virtual environments "
        "was found.",
        "Install Python 3.12 from python.org (on Debian and Ubuntu: apt install python3-venv) or uv, then try again.",
    )


def install_engine(profile_folder: str | Path, requirements: Path, monitor: Monitor) -> Path:
    """Build the engine's environment anew and return its interpreter.

    Args:
        profile_folder: Folder of the QGIS profile.
        requirements: Folder of the locked requirement files.
        monitor: Hears every line of the log; may cancel.

    Raises:
        EngineSetupError: if a step fails; nothing is left behind.
        RunCancelled: if the monitor asked to stop; nothing is left behind.
    """
    folder = engine_folder(profile_folder)
    installer = find_installer(monitor)
    _check_space(folder, NEEDED_MB)
    _remove(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        monitor.report(0, 4, "Making the environment")
        _run(installer.make_environment(folder), monitor)
        monitor.report(1, 4, "Installing the engine's libraries")
        _run(installer.install(folder, [requirements / "engine.txt"]), monitor)
        monitor.report(2, 4, "Installing torch")
        _install_torch(installer, folder, requirements, monitor)
        monitor.report(3, 4, "Checking")
        python = environment_python(folder)
        _run([str(python), "-I", "-c", "import numpy, pyogrio, rasterio, safetensors, shapely, torch"], monitor)
        (folder / COMPLETE_MARK).write_text(json.dumps({"python": str(python), "installer": installer.uv or "pip"}))
        monitor.report(4, 4, "Done")
    except BaseException:
        _remove(folder)
        raise
    return python


def _install_torch(installer: Installer, folder: Path, requirements: Path, monitor: Monitor) -> None:
    """Install torch: without CUDA where there is no NVIDIA card and such a build is within reach, else PyPI's."""
    engine = requirements / "engine.txt"  # holds the hashes of what torch needs
    if sys.platform != "darwin" and shutil.which("nvidia-smi") is None:
        for tool, cpu_torch in _torch_attempts(installer, folder):
            try:
                _run(tool.install(folder, [engine, requirements / "torch-cpu.txt"], cpu_torch), monitor)
                return
            except EngineSetupError:
                continue
        monitor.log("warning", "torch's CPU build is not within reach; taking the larger one from PyPI.")
    if sys.platform == "linux":
        _check_space(folder, NEEDED_WITH_CUDA_MB)
    _run(installer.install(folder, [engine, requirements / "torch.txt"]), monitor)


def _torch_attempts(installer: Installer, folder: Path) -> list[tuple[Installer, bool]]:
    """Return how to look for torch's CPU build: where pip or uv are set to look, then where uv knows it is."""
    own_uv = environment_python(folder).with_name("uv.exe" if sys.platform == "win32" else "uv")
    uv = installer.uv or (str(own_uv) if own_uv.is_file() else "")
    return [(installer, False), *([(Installer(uv, installer.python), True)] if uv else [])]


def _run(command: Sequence[str], monitor: Monitor) -> None:
    """Run one step and pass its output on, line by line.

    Raises:
        EngineSetupError: if it fails.
        RunCancelled: if the monitor asked to stop.
    """
    monitor.log("info", " ".join(command))
    tail: list[str] = []
    with WorkerProcess(command, _environment(), merge_errors=True) as process:
        process.close_input()
        while True:
            raise_if_cancelled(monitor)
            try:
                line = process.read(0.2)
            except queue.Empty:
                continue
            if line is END:
                break
            text = line.decode("utf-8", errors="replace").rstrip()
            tail = [*tail[-9:], text]
            monitor.log("info", text)
        code = process.wait(10.0)
    if code != 0:
        reason, _ = explain_exit(code, "")
        raise EngineSetupError(
            f"Setting up the engine failed: {reason}. The last lines were:\n" + "\n".join(tail),
            "Check the internet connection and the free space, then try again.",
        )


def _environment() -> Mapping[str, str]:
    """Return the installer's variables. uv does not read pip's, which may name a mirror or a folder of wheels."""
    variables = engine_environment(for_installer=True)
    for pip, uv in (("PIP_FIND_LINKS", "UV_FIND_LINKS"), ("PIP_INDEX_URL", "UV_DEFAULT_INDEX")):
        if pip in variables:
            variables.setdefault(uv, variables[pip])
    return {**variables, "UV_HTTP_TIMEOUT": "180"}


def _find_uv() -> str:
    name = "uv.exe" if sys.platform == "win32" else "uv"
    places = [shutil.which("uv"), Path.home() / ".local" / "bin" / name, Path.home() / ".cargo" / "bin" / name]
    return next((str(place) for place in places if place and Path(place).is_file()), "")


def _candidates() -> list[str]:
    """Return interpreters to try. Inside QGIS ``sys.executable`` may be QGIS itself, so it is not among them."""
    program = "python.exe" if sys.platform == "win32" else "bin/python3"
    named = ["python3.12", "python3.11", "python3.13", "python3.10", "python3", "python"]
    places = [shutil.which(name) for name in named]
    places += [str(Path(prefix) / program) for prefix in (sys.base_prefix, "/usr")]
    return list(dict.fromkeys(place for place in places if place and os.path.isfile(place)))


def _probe(python: str) -> tuple[int, ...] | None:
    """Return the version of an interpreter that can make virtual environments, else None."""
    try:
        with WorkerProcess([python, "-I", "-c", _PROBE], engine_environment()) as process:
            process.close_input()
            line = process.read(15.0)
            return tuple(int(part) for part in line.split(b".")) if line else None
    except (LandCoverError, queue.Empty, ValueError):
        return None


def _check_space(folder: Path, needed: int) -> None:
    """Refuse to start what cannot end well.

    Raises:
        EngineSetupError: if the disk is too full.
    """
    place = next(parent for parent in folder.parents if parent.is_dir())
    free = shutil.disk_usage(place).free // 10**6
    if free < needed:
        raise EngineSetupError(
            f"Setting up the engine needs {needed} MB, {place} has {free} MB free.",
            "Free some space, then try again.",
        )


def _remove(folder: Path) -> None:
    """Delete an environment; the mark goes first, so that a half-deleted one is never used.

    Raises:
        EngineSetupError: if files stay, for instance because a run uses them.
    """
    (folder / COMPLETE_MARK).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise EngineSetupError(f"The folder {folder} cannot be removed.", "Close programs that use it, then try again.")
