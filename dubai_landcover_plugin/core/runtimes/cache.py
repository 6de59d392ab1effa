"""A folder of the user's for what can be computed again: compiled networks and what was measured of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path

_MOST_FILES = 12  # of a kind; a compiled network takes about 35 MB


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
    """Return what was stored under a key, or None."""
    path = _path(kind, key)
    with contextlib.suppress(OSError):
        content = path.read_bytes()
        os.utime(path)  # used: it stays
        return content
    return None


def write_cached(kind: str, key: Iterable[object], content: bytes) -> None:
    """Store bytes under a key and drop the oldest of too many; where that fails, nothing is stored."""
    path = _path(kind, key)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(content)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        files = sorted(path.parent.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True)
        for old in files[_MOST_FILES:]:
            old.unlink(missing_ok=True)


def _path(kind: str, key: Iterable[object]) -> Path:
    digest = hashlib.sha256(repr(tuple(key)).encode()).hexdigest()
    return cache_folder() / kind / digest[:40]
