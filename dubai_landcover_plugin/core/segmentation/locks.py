"""Locks between runs of one user: two runs must not write the same output at the same time.

The lock files are in the user's cache folder, so that nothing is left beside the outputs. The operating system releases
a lock when its process ends, however it ends. Where the cache folder cannot be written or the file system has no locks,
and between different computers or users, runs are not locked.
"""

from __future__ import annotations

import hashlib
import os
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
    try:
        path = _lock_path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(path, wait)
    except OSError:  # no home folder, or it is not writable
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink()  # Windows refuses while the file is open: it stays, empty
        os.close(descriptor)


def _lock_path(target: str | Path) -> Path:
    place = os.path.normcase(os.path.realpath(target)).encode("utf-8", "surrogateescape")
    return cache_folder() / "locks" / hashlib.sha256(place).hexdigest()[:40]


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
