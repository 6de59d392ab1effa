"""Locks between runs of one user: two runs must not write the same output at the same time.

The lock files are in the user's cache folder, so that nothing is left beside the outputs. The operating system releases
a lock when its process ends, however it ends. Where the cache folder cannot be written or the file system has no locks,
and between different computers or users, runs are not locked.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from dubai_landcover_plugin.core.runtimes.cache import cache_folder

_POLL = 0.2  # s between attempts
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


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
    name = hashlib.sha256(os.path.normcase(os.path.realpath(target)).encode("utf-8", "surrogateescape")).hexdigest()
    path = cache_folder() / "locks" / name[:40]
    stream = _acquire(path, wait)
    try:
        yield
    finally:
        if stream is not None:
            with contextlib.suppress(OSError):
                path.unlink()  # Windows refuses while the file is open: it stays, empty
            stream.close()


def _acquire(path: Path, wait: Callable[[], None] | None) -> IO[bytes] | None:
    """Return the locked file; None where locking is not possible."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            stream = path.open("ab")
        except OSError:
            return None
        try:
            _lock(stream)
            # The run that held the lock before may have deleted the file after it was opened here.
            if os.path.samestat(os.fstat(stream.fileno()), os.stat(path)):
                return stream
            stream.close()
        except FileNotFoundError:
            stream.close()
        except OSError as error:
            stream.close()
            if error.errno not in _BUSY:
                return None
            if wait is None:
                raise LockedError from error
            wait()
            time.sleep(_POLL)


def _lock(stream: IO[bytes]) -> None:
    """Lock an open file without waiting.

    Raises:
        OSError: if another process holds the lock, or the file system has no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
