"""Temporary folders as killed processes leave them. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

from dubai_landcover_plugin.protocol import partial_files
from dubai_landcover_plugin.protocol.partial_files import make_partial


def leave_partial(path: Path, content: bytes = b"half") -> Path:
    """Make a temporary folder with an unfinished file for ``path`` and end its lock, as a kill does."""
    folder = make_partial(path)
    (folder / path.name).write_bytes(content)
    abandon(folder)
    return folder


def abandon(folder: Path) -> None:
    """End the lock of a temporary folder of this process, as a kill does."""
    os.close(partial_files._held.pop(folder))
