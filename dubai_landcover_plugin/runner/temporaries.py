"""Removes what a killed worker left behind."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.protocol.requests.segmentation import OUTPUTS

_OUTPUT_KEYS = (*OUTPUTS, "csv", "nodes")


def output_folders(task: str, request: Mapping[str, Any]) -> list[Path]:
    """Return the folders into which a request writes; those of a batch with everything below them."""
    if task in ("segment_folder", "export_class_polygons"):
        top = Path(str(request.get("output_folder", "")))
        inner = (
            [folder for folder in top.rglob("*") if folder.is_dir()]
            if task == "segment_folder" and top.is_dir()
            else []
        )
        return [top, *inner]
    paths = [request.get(key) for key in _OUTPUT_KEYS]
    return sorted({Path(path).parent for path in paths if isinstance(path, str) and path})


def remove_temporaries(folders: Iterable[Path], pid: int) -> list[Path]:
    """Delete the unfinished files of the worker ``pid`` of this computer and return them.

    The engine names them ``.NAME.HOST-PID.partial*``; files of other computers and processes stay.
    """
    part = f".{socket.gethostname()}-{pid}.partial"
    removed = []
    for folder in folders:
        for path in folder.glob(".*") if folder.is_dir() else ():
            if part not in path.name:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
            removed.append(path)
    return removed
