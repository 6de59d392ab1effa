"""Temporary folders: the engine writes files into them until they are complete, engine and plugin clean them up.

A temporary folder is made beside the file that is written, under a unique name. The process that writes into it holds
a lock on a file inside. The system releases the lock when the process ends, also after a kill; the next run then
removes the folder, see :func:`sweep_partials`. Some file systems of clusters have no locks, or locks that one computer
alone sees: there, a folder of another computer is removed once nothing in it has changed for a day.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

from dubai_landcover_plugin.protocol.placement import NOTE, recover

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

LOCK = ".lock"
"""Name of the locked file in a temporary folder."""

ABANDONED_SECONDS = 24 * 3600.0
"""Time without a change after which a folder whose lock proves nothing counts as left behind."""

_NAME = re.compile(r"\.(.+)\.([0-9a-f]{6})-([0-9a-f]{6})-[0-9a-f]{12}\.partial", re.DOTALL)
_HELD_ELSEWHERE = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK, getattr(errno, "EDEADLOCK", 36)}
_ATTEMPTS = 10

_held: dict[Path, int] = {}  # temporary folders of this process, with the descriptors of their locked files


def is_partial(name: str) -> bool:
    """Return whether a name is that of a temporary folder."""
    return _NAME.fullmatch(name) is not None


def make_partial(path: Path) -> Path:
    """Make and lock a temporary folder beside a file.

    Args:
        path: The file that will be written.

    Returns:
        The folder; :func:`remove_partial` removes it.

    Raises:
        OSError: if the file system refuses.
    """
    for _ in range(_ATTEMPTS):
        folder = path.with_name(_new_name(path.name))
        folder.mkdir()
        try:
            descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except FileNotFoundError:  # another process has swept the folder, which had no lock yet
            continue
        except OSError:
            folder.rmdir()
            raise
        if lock_file(descriptor) is not False and is_open_at(descriptor, folder / LOCK):
            _held[folder] = descriptor
            return folder
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "other processes removed the temporary folder")


def remove_partial(folder: Path) -> None:
    """Remove a temporary folder of this process with its content; does nothing if it is gone.

    Moves that were interrupted are completed or undone first, see :func:`.recover`. If that fails, the folder stays,
    for the next run.
    """
    with suppress(OSError):
        recover(folder)
        for entry in list(folder.iterdir()):
            if entry.name != LOCK:  # last
                remove_quietly(entry)
    descriptor = _held.pop(folder, None)
    if descriptor is not None:
        os.close(descriptor)
    if not (folder / NOTE).exists():
        remove_quietly(folder)


def remove_own_partials() -> None:
    """Remove all temporary folders of this process, before it exits at once."""
    for folder in list(_held):
        remove_partial(folder)


def sweep_partials(folder: Path) -> list[Path]:
    """Remove the temporary folders of processes that ended, and return them.

    Outputs that such a process was moving into place are completed or put back, see :func:`.recover`.

    Args:
        folder: The folder in which they are; missing ones are ignored.
    """
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_partial(entry.name) and entry.is_dir(follow_symlinks=False):
                found.append(folder / entry.name)
    return [path for path in sorted(found) if path not in _held and _remove_if_left(path)]


def remove_quietly(path: Path) -> None:
    """Remove a file or a folder if the file system allows it."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _remove_if_left(folder: Path) -> bool:
    """Remove a temporary folder unless its process is or may be running; return whether it was removed."""
    named = _NAME.fullmatch(folder.name)
    is_local = named is not None and any(ours == theirs for ours, theirs in zip(_COMPUTER, named.groups()[1:]))
    flags = os.O_RDWR | (os.O_CREAT if is_local else 0) | getattr(os, "O_NOFOLLOW", 0)
    descriptor = None
    try:
        try:
            descriptor = os.open(folder / LOCK, flags, 0o666)
        except FileNotFoundError:
            is_free = None
        else:
            is_free = lock_file(descriptor)
        is_certain = is_free and is_local
        if is_free is False or (not is_certain and time.time() - _changed(folder) < ABANDONED_SECONDS):
            return False
        recover(folder)
        if os.name != "nt":  # a process that has made the folder and not locked it yet finds it gone
            folder = folder.rename(folder.with_name(_new_name("left")))
    except OSError:  # another process removes it, or this one may not
        return False
    finally:
        if descriptor is not None:
            os.close(descriptor)
    remove_quietly(folder)
    return not folder.exists()


def _new_name(target: str) -> str:
    return f".{target}.{'-'.join(_COMPUTER)}-{secrets.token_hex(6)}.partial"


def _identity_of_computer() -> tuple[str, str]:
    """Return hashes that processes on one computer share: of its start, and of its installation or name.

    Containers share the first and differ in the second; a restart changes the first alone.
    """
    parts = []
    for file in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            text = Path(file).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            text = ""
        parts.append(hashlib.sha256((text or socket.gethostname()).encode()).hexdigest()[:6])
    return parts[0], parts[1]


_COMPUTER = _identity_of_computer()


def lock_file(descriptor: int) -> bool | None:
    """Lock a file; return False if another process holds the lock, None if the file system has no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return False if error.errno in _HELD_ELSEWHERE else None
    return True


def is_open_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def _changed(folder: Path) -> float:
    """Return the time of the last change of a folder's content, s."""
    times = [folder.stat().st_mtime]
    for path in folder.rglob("*"):
        with suppress(OSError):
            times.append(path.lstat().st_mtime)
    return max(times)
