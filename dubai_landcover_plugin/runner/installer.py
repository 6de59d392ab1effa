"""Installs the engine's environment in the QGIS profile, from the locked requirements shipped with the plugin.

Started only by the user, from the menu: algorithms and headless runs install nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.runner.environment import engine_environment
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.exit_codes import explain_exit
from dubai_landcover_plugin.runner.interpreter import (
    COMPLETE_MARK,
    engine_folder,
    engine_folders,
    environment_python,
    installed_engine,
)
from dubai_landcover_plugin.runner.package_sources import installer_environment, uv_redirection, without_index
from dubai_landcover_plugin.runner.worker_process import END, WorkerProcess

NEEDED_MB = 3000
NEEDED_WITH_CUDA_MB = 9000
_LOCKS = ("engine.txt", "torch-cpu.txt", "torch.txt")
_LOWEST, _BELOW = (3, 10), (3, 14)
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
            return [self.uv, "venv", "--python", self.python or ">=3.11,<3.14", str(folder)]
        return [self.python, "-I", "-m", "venv", str(folder)]

    def install(self, folder: Path, files: Sequence[Path], cpu_torch: bool = False) -> list[str]:
        """Return the command that installs locked requirement files.

        Args:
            folder: The environment.
            files: Requirement files with hashes.
            cpu_torch: Use the package index of torch's CPU builds; needs uv.
        """
        python = str(environment_python(folder))
        locked = [part for file in files for part in ("-r", str(file))]
        if self.uv:
            options = ["--torch-backend", "cpu"] if cpu_torch else []
            if without_index(installer_environment()):
                options.append("--no-index")
            return [self.uv, "pip", "install", "--python", python, "--require-hashes", *options, *locked]
        options = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--require-hashes"]
        return [python, "-I", "-m", "pip", "install", *options, *locked]


def find_installer(monitor: Monitor) -> Installer:
    """Return the installer to use on this computer.

    Raises:
        EngineSetupError: if neither uv nor a suitable Python with venv is found.
    """
    uv = _find_uv()
    for python in _candidates():
        version = _probe(python)
        if version and _LOWEST <= version < _BELOW:
            monitor.log("info", f"Using Python {version[0]}.{version[1]}: {python}{' with uv' if uv else ''}")
            return Installer(uv, python)
    if uv:
        monitor.log("info", "No suitable Python was found; uv downloads one.")
        return Installer(uv, "")
    raise EngineSetupError(
        f"No Python {_LOWEST[0]}.{_LOWEST[1]} to {_BELOW[0]}.{_BELOW[1] - 1} with venv and ensurepip was found.",
        "Install Python 3.12 from python.org (on Debian and Ubuntu: apt install python3-venv) or uv, then try again.",
    )


def install_engine(profile_folder: str | Path, requirements: Path, monitor: Monitor) -> Path:
    """Build a new environment for the engine and return its interpreter.

    It is built and tested beside the one in use, which is replaced by the mark of the new one, written last, and then
    removed. Until then, and if anything fails, the earlier one works as before.

    Args:
        profile_folder: Folder of the QGIS profile.
        requirements: Folder of the locked requirement files.
        monitor: Receives progress and the output of each step; may cancel.

    Raises:
        EngineSetupError: if a step fails; the unfinished environment is removed.
        RunCancelled: if the monitor cancels; the unfinished environment is removed.
    """
    in_use = installed_engine(profile_folder)
    for unfinished in engine_folders(profile_folder):
        if unfinished != in_use:
            _remove(unfinished)
    folder = _free_folder(profile_folder)
    installer = find_installer(monitor)
    _check_space(folder, NEEDED_MB)
    redirection = uv_redirection(installer_environment()) if installer.uv else ""
    if redirection:
        raise EngineSetupError(
            f"uv would install the packages elsewhere: {redirection}.", "Remove that setting, then try again."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        monitor.report(0, 4, "Creating the environment")
        _run(installer.make_environment(folder), monitor)
        monitor.report(1, 4, "Installing the engine's libraries")
        _run(installer.install(folder, [requirements / "engine.txt"]), monitor)
        monitor.report(2, 4, "Installing torch")
        _install_torch(installer, folder, requirements, monitor)
        monitor.report(3, 4, "Checking")
        python = environment_python(folder)
        _run([str(python), "-I", "-c", "import numpy, pyogrio, rasterio, safetensors, shapely, torch"], monitor)
        raise_if_cancelled(monitor)
        _write_mark(
            folder, {"python": str(python), "installer": installer.uv or "pip", "lock": lock_hash(requirements)}
        )
    except BaseException:
        _remove(folder)
        raise
    if in_use is not None:
        _remove_replaced(in_use, monitor)
    monitor.report(4, 4, "Done")
    return python


def lock_hash(requirements: Path) -> str:
    """Return the SHA-256 of the locked requirements, whatever their line ends."""
    digest = hashlib.sha256()
    for name in _LOCKS:
        digest.update(b"\n".join((requirements / name).read_bytes().split()))
    return digest.hexdigest()


def is_outdated(profile_folder: str | Path, requirements: Path) -> bool:
    """Return whether the environment in the profile has other libraries than the plugin's locked requirements.

    False where there is none.
    """
    folder = installed_engine(profile_folder)
    if folder is None:
        return False
    try:
        mark = json.loads((folder / COMPLETE_MARK).read_text(encoding="utf-8"))
        return bool(mark.get("lock") != lock_hash(requirements))
    except (OSError, ValueError, AttributeError):
        return True


def _free_folder(profile_folder: str | Path) -> Path:
    """Return the folder of a new environment."""
    first = engine_folder(profile_folder)
    names = (first.with_name(f"{first.name}-{number}") for number in count(2))
    return next(path for path in chain([first], names) if not path.exists())


def _write_mark(folder: Path, content: dict[str, str]) -> None:
    """Make an environment the one in use, at once."""
    new = folder / f"{COMPLETE_MARK}.new"
    new.write_text(json.dumps(content), encoding="utf-8")
    os.replace(new, folder / COMPLETE_MARK)


def _remove_replaced(folder: Path, monitor: Monitor) -> None:
    """Remove the earlier environment; what a running program holds is removed by the next set-up."""
    try:
        _remove(folder)
    except (OSError, EngineSetupError) as error:
        monitor.log("warning", f"The earlier engine in {folder} could not be removed completely: {error}")


def _install_torch(installer: Installer, folder: Path, requirements: Path, monitor: Monitor) -> None:
    """Install torch: the CPU build if there is no NVIDIA GPU and the build is available, else the one of PyPI."""
    engine = requirements / "engine.txt"  # has the hashes of torch's dependencies
    if sys.platform != "darwin" and shutil.which("nvidia-smi") is None:
        for tool, cpu_torch in _torch_attempts(installer, folder):
            try:
                _run(tool.install(folder, [engine, requirements / "torch-cpu.txt"], cpu_torch), monitor)
                return
            except EngineSetupError:
                continue
        monitor.log("warning", "The CPU build of torch is not available; installing the larger build from PyPI.")
    if sys.platform == "linux":
        _check_space(folder, NEEDED_WITH_CUDA_MB)
    _run(installer.install(folder, [engine, requirements / "torch.txt"]), monitor)


def _torch_attempts(installer: Installer, folder: Path) -> list[tuple[Installer, bool]]:
    """Return attempts to find torch's CPU build: on the configured indexes, then on torch's own index through uv."""
    own_uv = environment_python(folder).with_name("uv.exe" if sys.platform == "win32" else "uv")
    uv = installer.uv or (str(own_uv) if own_uv.is_file() else "")
    return [(installer, False), *([(Installer(uv, installer.python), True)] if uv else [])]


def _run(command: Sequence[str], monitor: Monitor) -> None:
    """Run a command and log its output line by line.

    Raises:
        EngineSetupError: if the command fails.
        RunCancelled: if the monitor cancels.
    """
    monitor.log("info", " ".join(command))
    tail: list[str] = []
    with WorkerProcess(command, installer_environment(), merge_errors=True) as process:
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
            f"Setting up the engine failed: {reason}. Last lines of the output:\n" + "\n".join(tail),
            "Check the internet connection and the free space, then try again.",
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


def _check_space(folder: Path, needed: int) -> None:
    """Check the free disk space; ``needed`` is in MB.

    Raises:
        EngineSetupError: if there is less than needed.
    """
    place = next(parent for parent in folder.parents if parent.is_dir())
    free = shutil.disk_usage(place).free // 10**6
    if free < needed:
        raise EngineSetupError(
            f"Setting up the engine needs {needed} MB, {place} has {free} MB free.",
            "Free disk space, then try again.",
        )


def _remove(folder: Path) -> None:
    """Delete an environment; its mark first, so that a partially deleted one is never used.

    Raises:
        EngineSetupError: if files cannot be deleted, for instance because a run uses them.
    """
    (folder / COMPLETE_MARK).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise EngineSetupError(f"The folder {folder} cannot be removed.", "Close programs that use it, then try again.")
