"""The corrections of a classified raster, which its tags record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EDITS_TAG = "LANDCOVER_EDITS"
"""Tag with the edits of a raster as a JSON list, the earliest first."""


@dataclass(frozen=True)
class EditRecord:
    """One run of a tool that changed classes.

    Args:
        tool: Its name; empty if unknown.
        finished: When it ended, ISO 8601; empty if unknown.
        edits: Number of corrections; 0 if unknown.
        changed: Pixels that it changed.
        changes: The same by pair of classes, ``OLD → NEW``, most first.
    """

    tool: str
    finished: str
    edits: int
    changed: int
    changes: tuple[tuple[str, int], ...]


def earlier_edits(tags: Mapping[str, str]) -> list[Any]:
    """Return the edits that the tags of a raster record, the earliest first; none if they are missing or damaged."""
    try:
        found = json.loads(tags.get(EDITS_TAG, "[]"))
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def read_edits(tags: Mapping[str, str]) -> tuple[EditRecord, ...]:
    """Return the same as values; what another program has written otherwise is left out."""
    return tuple(_record(entry) for entry in earlier_edits(tags) if isinstance(entry, dict))


def _record(entry: Mapping[str, Any]) -> EditRecord:
    changes = entry.get("changes")
    pairs = changes.items() if isinstance(changes, dict) else ()
    return EditRecord(
        tool=_text(entry.get("tool")),
        finished=_text(entry.get("finished")),
        edits=_count(entry.get("edits")),
        changed=_count(entry.get("changed")),
        changes=tuple((str(pair), _count(pixels)) for pair, pixels in pairs),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
