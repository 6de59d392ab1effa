"""Removes what the set-up has put on the computer."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import joined, tr
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.installer import lock_set_up, own_cache, own_tools, remove_environment
from dubai_landcover_plugin.runner.interpreter import engine_folder, engine_folders


def engine_parts(base: str | Path, earlier_folder: str | Path | None = None) -> list[Path]:
    """Return the folders that set-ups have made: engines, finished or not, the Python that uv fetched, uv, its cache.

    Args:
        base: Folder of the user's local application data.
        earlier_folder: Folder in which earlier versions of the plugin put the engine.
    """
    first = engine_folder(base)
    beside = [first.parent / "python", own_tools(first), own_cache(first)]
    earlier = [] if earlier_folder is None else engine_folders(earlier_folder)
    return [*engine_folders(base), *earlier, *(folder for folder in beside if folder.is_dir())]


def size_mb(folders: list[Path]) -> int:
    """Return the size of folders, MB; files with several names count once."""
    seen: dict[tuple[int, int], int] = {}
    for folder in folders:
        for place, _, names in os.walk(folder):
            for name in names:
                with suppress(OSError):
                    found = os.lstat(os.path.join(place, name))
                    seen[(found.st_dev, found.st_ino or len(seen) + 1)] = found.st_size
    return round(sum(seen.values()) / 1e6)


def remove_engine(base: str | Path, earlier_folder: str | Path | None, monitor: Monitor) -> None:
    """Remove all that set-ups have made; settings, models and results stay.

    Args:
        base: Folder of the user's local application data.
        earlier_folder: Folder in which earlier versions of the plugin put the engine.
        monitor: Receives progress.

    Raises:
        EngineSetupError: if a set-up is running, or a program holds files; what is left is no longer used.
    """
    parent = engine_folder(base).parent
    if not parent.is_dir():
        return
    with lock_set_up(parent):
        parts = engine_parts(base, earlier_folder)
        kept = []
        for number, folder in enumerate(parts):
            monitor.report(number, len(parts), tr("Removing {folder}", folder=folder))
            with suppress(EngineSetupError):
                remove_environment(folder)
            if folder.exists():
                kept.append(str(folder))
    if kept:
        raise EngineSetupError(
            tr("Not all of the engine could be removed: {names}.", names=joined(kept)),
            tr("Close programs that use it, then try again."),
        )
    (parent / "set-up.lock").unlink(missing_ok=True)
    with suppress(OSError):  # something of the user's is in it
        parent.rmdir()
