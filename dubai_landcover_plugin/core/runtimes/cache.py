"""Cache folder of the user for converted networks and the results of trials."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.files import sweep, write_bytes

_MAX_FILES = 12  # of a kind; a network takes about 30 MB
_CHECKSUM = 4  # bytes


def cache_folder() -> Path:
    """Return the cache folder, which may not exist; ``DUBAI_LANDCOVER_CACHE`` overrides the system's location.

    Raises:
        FileNotFoundError: if the user has no home folder.
    """
    chosen = os.environ.get("DUBAI_LANDCOVER_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or _home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or _home() / ".cache"
    return Path(base) / "dubai-landcover"


def _home() -> Path:
    """Return the home folder.

    Raises:
        FileNotFoundError: if there is none, as for a user without an entry in /etc/passwd.
    """
    home = Path(os.path.expanduser("~"))
    if not home.is_absolute():
        raise FileNotFoundError("The user has no home folder.")
    return home


def is_cached(kind: str, key: Iterable[object]) -> bool:
    """Return whether bytes are stored under a key; they may be damaged."""
    with contextlib.suppress(OSError):
        return _path(kind, key).is_file()
    return False


def read_cached(kind: str, key: Iterable[object]) -> bytes | None:
    """Return the bytes stored under a key; None if there are none or they are damaged."""
    mapped = map_cached(kind, key)
    return None if mapped is None else mapped.tobytes()


def map_cached(kind: str, key: Iterable[object]) -> npt.NDArray[np.uint8] | None:
    """Return the bytes stored under a key, (N,), mapped from the file; None if there are none or they are damaged.

    What killed runs left in the folder is removed.
    """
    with contextlib.suppress(OSError, ValueError):  # ValueError: an empty file
        path = _path(kind, key)
        sweep(path.parent)
        stored = np.memmap(path, np.uint8, "r")
        os.utime(path)  # recently used files are kept
        if stored[:_CHECKSUM].tobytes() == _checksum(stored[_CHECKSUM:].data):
            return stored[_CHECKSUM:]
    return None


def write_cached(kind: str, key: Iterable[object], content: bytes) -> None:
    """Store bytes under a key and delete the least recently used files; on an error of the disk nothing is stored."""
    with contextlib.suppress(OSError):
        path = _path(kind, key)
        write_bytes(path, _checksum(content) + content, make_folders=True)
        files = sorted(filter(Path.is_file, path.parent.iterdir()), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in files[_MAX_FILES:]:
            old.unlink(missing_ok=True)


def _checksum(content: bytes | memoryview) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM, "little")


def _path(kind: str, key: Iterable[object]) -> Path:
    digest = hashlib.sha256(repr(tuple(key)).encode()).hexdigest()
    return cache_folder() / kind / digest[:40]
