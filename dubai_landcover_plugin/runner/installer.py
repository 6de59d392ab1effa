"""Installs the engine's environment from the locked requirements that the plugin ships.

It lies in the user's local application data, with the programs that make it and the packages that they keep.
Started only by the user, from the menu: algorithms and headless runs install nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import queue
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Callable

from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.partial_files import lock_file
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.download_progress import Downloads
from dubai_landcover_plugin.runner.environment_tool import Installer, find_installer
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.exit_codes import explain_exit
from dubai_landcover_plugin.runner.folder_python import folder_python, wheels_version
from dubai_landcover_plugin.runner.interpreter import (
    COMPLETE_MARK,
    engine_folder,
    engine_folders,
    environment_python,
    installed_engine,
)
from dubai_landcover_plugin.runner.package_sources import Sources, installer_environment, uv_redirection, without_index
from dubai_landcover_plugin.runner.set_up_causes import cause_of
from dubai_landcover_plugin.runner.uv_program import Fetch, uv_program
from dubai_landcover_plugin.runner.worker_process import END, WorkerProcess

STANDARD, FORMATS, CPU_TORCH, CUDA_TORCH = "standard", "formats", "cpu", "cuda"
"""What an engine can be: each has what those before it have."""
KINDS = (STANDARD, FORMATS, CPU_TORCH, CUDA_TORCH)
NEEDED_MB = {STANDARD: 1200, FORMATS: 1700, CPU_TORCH: 3000, CUDA_TORCH: 9000}
"""Free space for a set-up, with the packages that it fetches."""
_PARTS = 100  # progress steps of each step
_LOCKS = ("engine.txt", "formats.txt", "training.txt", "torch-cpu.txt", "torch.txt")


@dataclass(frozen=True)
class SetUp:
    """What a set-up installs, and from where.

    Args:
        kind: One of :data:`KINDS`: the engine that the shipped models and all tools need, with more formats, or also
            with training and PyTorch in its build for CPUs or for NVIDIA graphics cards.
        wheels: Folder with all wheels; None for the package index.
        fetch: Fetches uv where it is not installed; None takes what the computer has.
        earlier_folder: Folder in which earlier versions of the plugin put the engine; it is removed from there.
        sources: Where packages come from, unless environment variables say otherwise.
    """

    kind: str = STANDARD
    wheels: Path | None = None
    fetch: Fetch | None = None
    earlier_folder: str | Path | None = None
    sources: Sources | None = None

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the environment variables of the installing programs; what they keep is beside the engine."""
        own = {
            "UV_CACHE_DIR": str(own_cache(folder)),
            "UV_PYTHON_INSTALL_DIR": str(folder.parent / "python"),
        }
        found = {**own, **installer_environment(sources=self.sources)}
        if self.wheels is not None:
            found.update(
                UV_FIND_LINKS=str(self.wheels),
                UV_NO_INDEX="1",
                UV_OFFLINE="1",
                PIP_NO_INDEX="1",
                PIP_FIND_LINKS=self.wheels.resolve().as_uri(),
            )
        return found


def install_engine(base: str | Path, requirements: Path, monitor: Monitor, set_up: SetUp | None = None) -> Path:
    """Build a new environment for the engine, or add to the present one, and return its interpreter.

    A new one is built and tested beside the one in use, which is replaced by the mark of the new one, written last, and
    then removed. Until then, and if anything fails, the earlier one works as before.

    Args:
        base: Folder of the user's local application data.
        requirements: Folder of the locked requirement files.
        monitor: Receives progress and the output of each step; may cancel.
        set_up: What to install; None for the standard engine.

    Raises:
        EngineSetupError: if a step fails, or another QGIS is setting up the engine; an unfinished environment is
            removed.
        RunCancelled: if the monitor cancels; an unfinished environment is removed.
    """
    set_up = set_up or SetUp()
    first = engine_folder(base)
    first.parent.mkdir(parents=True, exist_ok=True)
    with lock_set_up(first.parent):
        in_use = installed_engine(base)
        if in_use is not None and adds_to_engine(base, requirements, set_up.kind):
            return _add(in_use, installed_kind(base), requirements, monitor, set_up)
        return _build(base, in_use, requirements, monitor, set_up)


def adds_to_engine(base: str | Path, requirements: Path, kind: str) -> bool:
    """Return whether the environment in use only lacks packages of a kind, so that no new one is built."""
    present = installed_kind(base)
    can_grow = present in (STANDARD, FORMATS) and KINDS.index(kind) > KINDS.index(present)
    return can_grow and not is_outdated(base, requirements)


def _build(base: str | Path, in_use: Path | None, requirements: Path, monitor: Monitor, set_up: SetUp) -> Path:
    """Build a new environment and make it the one in use."""
    for unfinished in engine_folders(base):
        if unfinished != in_use:
            remove_environment(unfinished)
    folder = _free_folder(base)
    _check_space(folder, NEEDED_MB[CPU_TORCH if set_up.kind == CUDA_TORCH else set_up.kind])
    tool = _find_tool(set_up, requirements, folder, monitor)
    environment = set_up.environment(folder)
    redirection = uv_redirection(environment) if tool.uv else ""
    if redirection:
        raise EngineSetupError(
            tr("uv would install the packages elsewhere: {redirection}.", redirection=redirection),
            tr("Remove that setting, then try again."),
        )
    steps = _Steps(monitor, environment, 3 + len(_additions(STANDARD, set_up.kind)))
    try:
        steps.run(tr("Creating the environment"), tool.make_environment(folder))
        offline = without_index(environment)
        steps.run(tr("Installing the engine's libraries"), tool.install(folder, [requirements / "engine.txt"], offline))
        _trim(folder)
        python = _complete(folder, STANDARD, tool, requirements, steps, set_up)
    except BaseException:
        remove_environment(folder)
        raise
    _remove_earlier(in_use, set_up.earlier_folder, monitor)
    steps.finish()
    return python


def _add(folder: Path, present: str, requirements: Path, monitor: Monitor, set_up: SetUp) -> Path:
    """Add packages to the environment in use; it works as before if that fails."""
    _check_space(folder, NEEDED_MB[CPU_TORCH if set_up.kind == CUDA_TORCH else set_up.kind] - NEEDED_MB[present])
    tool = _find_tool(set_up, requirements, folder, monitor)
    steps = _Steps(monitor, set_up.environment(folder), 1 + len(_additions(present, set_up.kind)))
    python = _complete(folder, present, tool, requirements, steps, set_up)
    steps.finish()
    return python


def _additions(present: str, kind: str) -> list[str]:
    """Return what is added to an engine to make it one of another kind."""
    later = KINDS[KINDS.index(present) + 1 : KINDS.index(kind) + 1]
    return [one for one in (FORMATS, CPU_TORCH) if one in later]


def _complete(folder: Path, present: str, tool: Installer, requirements: Path, steps: _Steps, set_up: SetUp) -> Path:
    """Add what an environment lacks, test it, make it the one in use, and return its interpreter."""
    for addition in _additions(present, set_up.kind):
        if addition == FORMATS:
            files = [requirements / "engine.txt", requirements / "formats.txt"]
            steps.run(tr("Installing more formats"), tool.install(folder, files, without_index(steps.environment)))
        else:
            steps.begin(tr("Installing PyTorch and training"))
            _install_torch(tool, folder, requirements, steps, set_up)
    python = environment_python(folder)
    steps.run(tr("Checking"), [str(python), "-I", "-c", _imports(set_up.kind)])
    raise_if_cancelled(steps.monitor)
    _write_mark(folder, _mark(python, tool, requirements, set_up.kind))
    for fetched in (own_cache(folder), own_tools(folder)):
        shutil.rmtree(fetched, ignore_errors=True)
    return python


def own_cache(folder: Path) -> Path:
    """Return the folder in which uv keeps packages until the set-up is complete; a failed one fetches them once."""
    return folder.parent / "cache"


def own_tools(folder: Path) -> Path:
    """Return the folder in which the set-up puts uv until it is complete."""
    return folder.parent / "tools"


def _trim(folder: Path) -> None:
    """Remove the tests of the engine's packages and their headers for compilers: some 30 MB that no run needs."""
    for path in sorted(folder.rglob("site-packages/*/**")):
        if path.name in ("tests", "include"):
            shutil.rmtree(path, ignore_errors=True)


def _imports(kind: str) -> str:
    """Return the program that tests an environment, with OpenVINO's telemetry disabled."""
    packages = "nanoarrow, numpy, pyogrio, rasterio, safetensors, shapely"
    if sys.platform != "darwin" or platform.machine() == "arm64":  # as the requirements
        packages += ", openvino"
    formats = ", pyarrow, onnxruntime" if kind != STANDARD else ""
    quiet = "import sys; sys.modules['openvino_telemetry'] = None; "
    return f"{quiet}import {packages}{formats}" + (", torch" if kind in (CPU_TORCH, CUDA_TORCH) else "")


def _find_tool(set_up: SetUp, requirements: Path, folder: Path, monitor: Monitor) -> Installer:
    """Return the programs that install, with the Python of the folder of wheels if it has one."""
    uv = _uv_of(set_up, requirements, folder, monitor)
    if set_up.wheels is None:
        return find_installer(monitor, uv)
    python = folder_python(set_up.wheels, folder.parent / "python", monitor)
    return find_installer(monitor, uv, python, wheels_version(set_up.wheels))


def _uv_of(set_up: SetUp, requirements: Path, folder: Path, monitor: Monitor) -> Callable[[], str]:
    """Return a function that returns the path of the plugin's own uv; empty without a way to fetch it."""

    def found() -> str:
        if set_up.fetch is None:
            return ""
        return uv_program(own_tools(folder), requirements, set_up.fetch, monitor, set_up.wheels, set_up.sources)

    return found


def _mark(python: Path, tool: Installer, requirements: Path, kind: str) -> dict[str, str]:
    return {"python": str(python), "installer": tool.uv or "pip", "lock": lock_hash(requirements), "kind": kind}


@contextmanager
def lock_set_up(folder: Path) -> Iterator[None]:
    """Hold the lock of the set-up, which the system releases when its process ends.

    Raises:
        EngineSetupError: if another QGIS holds it.
    """
    descriptor = os.open(folder / "set-up.lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if lock_file(descriptor) is False:
            raise EngineSetupError(
                tr("The engine is being set up already, perhaps by another QGIS."), tr("Wait until it is ready.")
            )
        yield
    finally:
        os.close(descriptor)


def installed_kind(base: str | Path) -> str:
    """Return the kind of the environment in use, one of :data:`KINDS`; :data:`STANDARD` if there is none."""
    mark = _read_mark(base)
    if not mark:
        return STANDARD
    # Earlier versions of the plugin always installed PyTorch, later ones always more formats.
    kind = mark.get("kind") or {"none": FORMATS}.get(mark.get("torch", CPU_TORCH), mark.get("torch", CPU_TORCH))
    return kind if kind in KINDS else STANDARD


def lock_hash(requirements: Path) -> str:
    """Return the SHA-256 of the locked requirements, whatever their line ends."""
    digest = hashlib.sha256()
    for name in _LOCKS:
        digest.update(b"\n".join((requirements / name).read_bytes().split()))
    return digest.hexdigest()


def is_outdated(base: str | Path, requirements: Path) -> bool:
    """Return whether the environment in use has other libraries than the plugin's locked requirements.

    False where there is none.
    """
    mark = _read_mark(base)
    return bool(mark) and mark.get("lock") != lock_hash(requirements)


def _read_mark(base: str | Path) -> dict[str, str]:
    """Return the mark of the environment in use; empty if there is none, and without entries if it is damaged."""
    folder = installed_engine(base)
    if folder is None:
        return {}
    try:
        mark = json.loads((folder / COMPLETE_MARK).read_text(encoding="utf-8"))
        return {"python": "", **mark}
    except (OSError, ValueError, TypeError):
        return {"python": ""}


def _free_folder(base: str | Path) -> Path:
    """Return the folder of a new environment."""
    first = engine_folder(base)
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
        remove_environment(folder)
    except (OSError, EngineSetupError) as error:
        monitor.log(
            "warning",
            tr("The earlier engine in {folder} could not be removed completely: {error}", folder=folder, error=error),
        )


def _remove_earlier(in_use: Path | None, earlier_folder: str | Path | None, monitor: Monitor) -> None:
    """Remove the engines that the new one replaces."""
    replaced = [] if in_use is None else [in_use]
    replaced += [] if earlier_folder is None else engine_folders(earlier_folder)
    for folder in replaced:
        _remove_replaced(folder, monitor)


def _install_torch(tool: Installer, folder: Path, requirements: Path, steps: _Steps, set_up: SetUp) -> None:
    """Install PyTorch and the packages of training: the CPU build if it is wanted and available, else that of PyPI."""
    # Each file has only the hashes that those before it lack.
    shared = [requirements / name for name in ("engine.txt", "formats.txt", "training.txt")]
    offline = without_index(steps.environment)
    if set_up.kind == CPU_TORCH and sys.platform != "darwin":
        for attempt, cpu_index in _torch_attempts(tool, folder):
            try:
                steps.command(attempt.install(folder, [*shared, requirements / "torch-cpu.txt"], offline, cpu_index))
                return
            except EngineSetupError:
                continue
        steps.monitor.log(
            "warning", tr("The CPU build of PyTorch is not available; installing the larger one from PyPI.")
        )
    if sys.platform == "linux":
        _check_space(folder, NEEDED_MB[CUDA_TORCH])
    steps.command(tool.install(folder, [*shared, requirements / "torch.txt"], offline))


def _torch_attempts(installer: Installer, folder: Path) -> list[tuple[Installer, bool]]:
    """Return attempts to find torch's CPU build: on the configured indexes, then on torch's own index through uv."""
    own_uv = environment_python(folder).with_name("uv.exe" if sys.platform == "win32" else "uv")
    uv = installer.uv or (str(own_uv) if own_uv.is_file() else "")
    return [(installer, False), *([(Installer(uv, installer.python), True)] if uv else [])]


class _Steps:
    """Runs the programs of a set-up and reports their progress.

    Args:
        monitor: Receives progress, and the output line by line; may cancel.
        environment: Environment variables of the programs.
        count: Number of steps.
    """

    def __init__(self, monitor: Monitor, environment: Mapping[str, str], count: int) -> None:
        self.monitor, self.environment = monitor, environment
        self._count, self._step, self._text = count, -1, ""
        self._downloads = Downloads()

    def begin(self, text: str) -> None:
        """Begin a step."""
        self._step, self._text, self._downloads = self._step + 1, text, Downloads()
        self._report()

    def run(self, text: str, command: Sequence[str]) -> None:
        """Run a step of one command, see :meth:`command`."""
        self.begin(text)
        self.command(command)

    def finish(self) -> None:
        """Report the end."""
        self.monitor.report(_PARTS * self._count, _PARTS * self._count, tr("Done"))

    def command(self, command: Sequence[str]) -> None:
        """Run a command.

        Raises:
            EngineSetupError: if it fails, with the cause in a sentence; the log has its output.
            RunCancelled: if the monitor cancels.
        """
        self.monitor.log("info", " ".join(command))
        tail: list[str] = []
        with WorkerProcess(command, self.environment, merge_errors=True) as process:
            process.close_input()
            while True:
                raise_if_cancelled(self.monitor)
                try:
                    line = process.read(0.2)
                except queue.Empty:
                    continue
                if line is END:
                    break
                text = line.decode("utf-8", errors="replace").rstrip()
                tail = [*tail[-9:], text]
                self.monitor.log("info", text)
                if self._downloads.note(text):
                    self._report()
            code = process.wait(10.0)
        if code != 0:
            reason, remedy = cause_of("\n".join(tail))
            last = next((text.strip() for text in reversed(tail) if text.strip()), "")
            reason = reason or f"{explain_exit(code, '')[0]} ({last})"
            raise EngineSetupError(tr("Setting up the engine failed: {reason}.", reason=reason), remedy)

    def _report(self) -> None:
        done = int(_PARTS * (self._step + self._downloads.share))
        text = f"{self._text}: {self._downloads.text}" if self._downloads.text else self._text
        self.monitor.report(done, _PARTS * self._count, text)


def _check_space(folder: Path, needed: int) -> None:
    """Check the free disk space; ``needed`` is in MB.

    Raises:
        EngineSetupError: if there is less than needed.
    """
    place = next(parent for parent in folder.parents if parent.is_dir())
    free = shutil.disk_usage(place).free // 10**6
    if free < needed:
        raise EngineSetupError(
            tr(
                "Setting up the engine needs {needed} MB, {place} has {free} MB free.",
                needed=needed,
                place=place,
                free=free,
            ),
            tr("Free disk space, then try again."),
        )


def remove_environment(folder: Path) -> None:
    """Delete an environment; its mark first, so that a partially deleted one is never used.

    Raises:
        EngineSetupError: if files cannot be deleted, for instance because a run uses them.
    """
    (folder / COMPLETE_MARK).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise EngineSetupError(
            tr("The folder {folder} cannot be removed.", folder=folder),
            tr("Close programs that use it, then try again."),
        )
