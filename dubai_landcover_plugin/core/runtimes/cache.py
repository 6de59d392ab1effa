"""A folder of the user's for what can be computed again: converted networks and what was measured of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path

from dubai_landcover_plugin.core.io.files import write_bytes

_MOST_FILES = 12  # of a kind; a network takes about 30 MB
_CHECKSUM = 4  # bytes


def cache_folder() -> Path:
    """Return the folder; it may not exist yet. ``DUBAI_LANDCOVER_CACHE`` overrides the system's place."""
    chosen = os.environ.get("DUBAI_LANDCOVER_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "dubai-landcover"


def read_cached(kind: str, key: Iterable[object]) -> bytes | None:
    """Return what was stored under a key, or None; None also where it is damaged."""
    path = _path(kind, key)
    with contextlib.suppress(OSError):
        stored = path.read_bytes()
        os.utime(path)  # used: it stays
        checksum, content = stored[:_CHECKSUM], stored[_CHECKSUM:]
        if checksum == _checksum(content):
            return content
    return None


def write_cached(kind: str, key: Iterable[object], content: bytes) -> None:
    """Store bytes under a key and drop the oldest of too many; where that fails, nothing is stored."""
    path = _path(kind, key)
    with contextlib.suppress(OSError):
        write_bytes(path, _checksum(content) + content, make_folders=True)
        files = sorted(path.parent.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in files[_MOST_FILES:]:
            old.unlink(missing_ok=True)


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM, "little")


def _path(kind: str, key: Iterable[object]) -> Path:
    digest = hashlib.sha256(repr(tuple(key)).encode()).hexdigest()
    return cache_folder() / kind / digest[:40]
