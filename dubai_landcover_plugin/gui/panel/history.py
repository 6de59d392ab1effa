"""Undo and redo of changes of samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Optional

from dubai_landcover_plugin.gui.panel.samples import Sample

Changes = Mapping[str, Optional[Sample]]
"""Samples by id; None for one that is not there."""


@dataclass(frozen=True)
class Step:
    """One change: the samples before and after, by id; None where there is none."""

    before: Changes
    after: Changes


class History:
    """Steps that were done, and those that were taken back."""

    def __init__(self) -> None:
        self._done: list[Step] = []
        self._undone: list[Step] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._undone)

    def add(self, step: Step) -> None:
        """Note a step that was done."""
        self._done.append(step)
        self._undone.clear()

    def undone(self) -> Changes | None:
        """Return the changes that take the last step back; None if there is none. Confirm with :meth:`moved_back`."""
        return self._done[-1].before if self._done else None

    def moved_back(self) -> None:
        """Note that the last step was taken back."""
        self._undone.append(self._done.pop())

    def redone(self) -> Changes | None:
        """Return the changes that do a step again; None if there is none. Confirm with :meth:`moved_forward`."""
        return self._undone[-1].after if self._undone else None

    def moved_forward(self) -> None:
        """Note that a step was done again."""
        self._done.append(self._undone.pop())

    def clear(self) -> None:
        """Forget all steps."""
        self._done.clear()
        self._undone.clear()
