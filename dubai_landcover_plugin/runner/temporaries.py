"""Removes the unfinished files of a worker that was killed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.protocol.partial_files import sweep_partials
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, paths


def output_folders(task: str, request: Mapping[str, Any]) -> list[Path]:
    """Return the folders into which a request writes, as plain JSON; those of a batch with the folders inside them."""
    known = TASKS.get(task)
    if known is None:
        return []
    found = {Path(path).parent for path in paths(request, known.outputs)}
    for folder in paths(request, (known.folder,) if known.folder else ()):
        found.add(Path(folder))
        if known.tree:
            found.update(inner for inner in Path(folder).rglob("*") if inner.is_dir())
    return sorted(found)


def remove_temporaries(folders: Iterable[Path]) -> list[Path]:
    """Delete the unfinished files of workers that ended and return them; see :func:`.sweep_partials`."""
    return [path for folder in folders for path in sweep_partials(folder)]
