"""Locks between runs of one user: two runs must not write the same output at the same time.

The lock files are in the user's cache folder, so that nothing is left beside the outputs; where that cannot be written,
in the folder for temporary files. The operating system releases a lock when its process ends, however it ends. Where
neither folder can be written or the file system has no locks, and between different computers or users, runs are not
locked.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dubai_landcover_plugin.core.runtimes.cache import cache_folder
from dubai_landcover_plugin.protocol.partial_files import is_open_at, lock_file

_POLL = 0.2  # s between attempts


class LockedError(Exception):
    """Another run holds the lock."""


@contextmanager
def locked(target: str | Path, wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of an output while the block runs.

    Args:
        target: The output.
        wait: Called while waiting for another run; may raise to stop waiting. None does not wait.

    Raises:
        LockedError: if another run holds the lock and ``wait`` is None.
    """
    found = _open_lock(target, wait)
    if found is None:
        yield
        return
    path, descriptor = found
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # Windows refuses while the file is open: it stays, empty
        os.close(descriptor)


def _open_lock(target: str | Path, wait: Callable[[], None] | None) -> tuple[Path, int] | None:
    """Return path and descriptor of the lock of an output; None if no folder for it can be written."""
    place = os.path.normcase(os.path.realpath(target)).encode("utf-8", "surrogateescape")
    for folder_of in (_cache, _temporary):
        with suppress(OSError):  # no home folder, or it is not writable
            path = folder_of() / hashlib.sha256(place).hexdigest()[:40]
            return path, _acquire(path, wait)
    return None


def _cache() -> Path:
    folder = cache_folder() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _temporary() -> Path:
    """Return the folder for locks among the temporary files, which other users cannot write to.

    Raises:
        PermissionError: if it belongs to another user.
    """
    user = os.getuid() if os.name != "nt" else 0  # on Windows each user has a folder for temporary files
    folder = Path(tempfile.gettempdir()) / f"dubai-landcover-locks-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name != "nt" and folder.lstat().st_uid != user:
        raise PermissionError(f"{folder} belongs to another user")
    return folder


def _acquire(path: Path, wait: Callable[[], None] | None) -> int:
    """Return the descriptor of the open file, locked where the file system has locks."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        is_free = lock_file(descriptor)
        # The run that held the lock before may have deleted the file after it was opened here.
        if is_free is None or (is_free and is_open_at(descriptor, path)):
            return descriptor
        os.close(descriptor)
        if not is_free:
            if wait is None:
                raise LockedError
            wait()
            time.sleep(_POLL)
