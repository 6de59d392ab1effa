"""Corrections of a classified raster: edits that are stored at once and can be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Optional, Protocol

from dubai_landcover_plugin.gui.panel.history import History, Step

Changes = Mapping[str, Optional["Correction"]]
"""Corrections by id; None for one that is not there."""


@dataclass(frozen=True)
class Correction:
    """One correction.

    Args:
        target: Name of the class that it sets.
        geometry: Polygon in the CRS of the layer, as WKT.
        source: Name of the class that it replaces; empty for all classes.
        time: When it was drawn, ISO 8601; later ones are applied after earlier ones.
        colour: Colour of the class that it sets where the raster does not have it; empty else.
    """

    target: str
    geometry: str
    source: str = ""
    time: str = ""
    colour: str = ""


class CorrectionStore(Protocol):
    """Keeps corrections, such as a layer of the project."""

    def read(self) -> dict[str, Correction]:
        """Return the corrections by id."""

    def write(self, changes: Changes) -> None:
        """Store corrections at once; None removes one.

        Raises:
            LandCoverError: if they cannot be stored; nothing has changed then.
        """


class CorrectionEdits:
    """Corrections with undo and redo. A change that cannot be stored changes nothing.

    Args:
        store: Keeps the corrections.
    """

    def __init__(self, store: CorrectionStore) -> None:
        self._store = store
        self._history = History()
        self.corrections = store.read()
        """Corrections by id."""

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to do again."""
        return self._history.can_redo

    def add(self, corrections: Mapping[str, Correction]) -> None:
        """Add corrections by new ids, as one change."""
        self._change(dict(corrections))

    def set_classes(
        self, ids: Iterable[str], target: str | None = None, source: str | None = None, colour: str = ""
    ) -> None:
        """Change the classes of corrections, as one change.

        Args:
            ids: The corrections.
            target: Class to set; None leaves it.
            source: Class to replace, empty for all; None leaves it.
            colour: Colour of the class to set where the raster does not have it.
        """
        given = {"target": target, "source": source}
        values = {name: value for name, value in given.items() if value is not None}
        if target is not None:
            values["colour"] = colour
        self._change({name: replace(self.corrections[name], **values) for name in ids})

    def remove(self, ids: Iterable[str]) -> None:
        """Remove corrections, as one change."""
        self._change(dict.fromkeys(ids))

    def undo(self) -> bool:
        """Take back the last change; return False if there is none."""
        changes = self._history.undone()
        if changes is None:
            return False
        self._apply(changes)
        self._history.moved_back()
        return True

    def redo(self) -> bool:
        """Do a change again; return False if there is none."""
        changes = self._history.redone()
        if changes is None:
            return False
        self._apply(changes)
        self._history.moved_forward()
        return True

    def reload(self) -> None:
        """Read the corrections again after others have changed them; changes can no longer be taken back."""
        self.corrections = self._store.read()
        self._history.clear()

    def _change(self, after: dict[str, Correction | None]) -> None:
        before = {name: self.corrections.get(name) for name in after}
        if before == after:
            return
        self._apply(after)
        self._history.add(Step(before, after))

    def _apply(self, changes: Changes) -> None:
        self._store.write(changes)
        for name, correction in changes.items():
            if correction is None:
                self.corrections.pop(name, None)
            else:
                self.corrections[name] = correction
