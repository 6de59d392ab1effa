"""Class ids, names and colours of a land-cover map."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import joined, tr

NODATA_ID = 0
MAX_NAME = 255
"""Largest length of a class name, characters."""
_COLOUR = re.compile(r"#[0-9A-F]{6}")


_TWICE = {
    "id": "Class ids must differ from each other, got {values!s:.500}.",
    "name": "Class names must differ from each other, got {values!s:.500}.",
}


@dataclass(frozen=True)
class LandCoverClass:
    """One class of the map.

    Args:
        id: Raster value, 1..254.
        name: Name.
        colour: Colour as ``#RRGGBB``, upper case.

    Raises:
        ClassSchemeError: if one of them is invalid.
    """

    id: int
    name: str
    colour: str

    def __post_init__(self) -> None:
        if isinstance(self.id, bool) or not isinstance(self.id, int) or not 1 <= self.id <= 254:
            raise ClassSchemeError(
                tr("Class ids must be 1 to 254, got {id!r:.60} for {name!r:.60}.", id=self.id, name=self.name)
            )
        if not isinstance(self.name, str) or not self.name.strip():
            raise ClassSchemeError(tr("Class {id} needs a name, got {name!r:.60}.", id=self.id, name=self.name))
        if len(self.name) > MAX_NAME or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in self.name):
            raise ClassSchemeError(
                tr(
                    "The name of class {id} must have at most {limit} characters and no control characters, got "
                    "{name!r:.60}.",
                    id=self.id,
                    limit=MAX_NAME,
                    name=self.name,
                )
            )
        if not isinstance(self.colour, str) or not _COLOUR.fullmatch(self.colour):
            raise ClassSchemeError(
                tr("Class colours must have the form #RRGGBB, upper case, got {colour!r:.60}.", colour=self.colour)
            )

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Colour as red, green, blue, each 0..255."""
        value = int(self.colour[1:], 16)
        return value >> 16, (value >> 8) & 255, value & 255


@dataclass(frozen=True)
class ClassScheme:
    """The classes of a model, in the order of its output channels.

    Args:
        classes: One class for each output channel.
        unlabeled: Class of pixels below the minimum confidence; not an output channel.

    Raises:
        ClassSchemeError: if there are no classes, or ids or names are not unique.
    """

    classes: tuple[LandCoverClass, ...]
    unlabeled: LandCoverClass

    def __post_init__(self) -> None:
        entries = self.entries
        for key in ("id", "name"):
            values = [getattr(entry, key) for entry in entries]
            if len(set(values)) != len(values):
                raise ClassSchemeError(tr(_TWICE[key], values=values))
        if not self.classes:
            raise ClassSchemeError(tr("A class scheme needs at least one class."))

    @property
    def entries(self) -> tuple[LandCoverClass, ...]:
        """All classes that may occur in a result, Unlabeled last."""
        return (*self.classes, self.unlabeled)

    @property
    def ids(self) -> tuple[int, ...]:
        """Raster id of each output channel."""
        return tuple(entry.id for entry in self.classes)

    def by_name(self, name: str) -> LandCoverClass:
        """Return the class with a name, ignoring case.

        Raises:
            ClassSchemeError: if there is none.
        """
        for entry in self.entries:
            if entry.name.casefold() == name.strip().casefold():
                return entry
        names = joined(entry.name for entry in self.entries)
        raise ClassSchemeError(tr("There is no class '{name}'.", name=name), tr("Choose one of: {names}.", names=names))

    def find(self, name_or_id: str) -> LandCoverClass:
        """Return the class with a raster id or name.

        Raises:
            ClassSchemeError: if there is none.
        """
        for entry in self.entries:
            if str(entry.id) == name_or_id.strip():
                return entry
        return self.by_name(name_or_id)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        listed = [{"id": c.id, "name": c.name, "colour": c.colour} for c in self.entries]
        return {"classes": listed[:-1], "unlabeled": listed[-1]}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ClassScheme:
        """Rebuild a scheme from :meth:`to_json`.

        Raises:
            ClassSchemeError: if keys are missing or unknown.
        """
        try:
            return cls(
                tuple(LandCoverClass(**entry) for entry in value["classes"]),
                LandCoverClass(**value["unlabeled"]),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ClassSchemeError(tr("The class table is damaged: {error}.", error=error)) from error


DUBAI = ClassScheme(
    classes=(
        LandCoverClass(1, "Water", "#E2A929"),
        LandCoverClass(2, "Land", "#8429F6"),
        LandCoverClass(3, "Road", "#6EC1E4"),
        LandCoverClass(4, "Building", "#3C1098"),
        LandCoverClass(5, "Vegetation", "#FEDD3A"),
    ),
    unlabeled=LandCoverClass(6, "Unlabeled", "#9B9B9B"),
)
"""Classes of the Dubai dataset (Humans in the Loop, Mohammed Bin Rashid Space Centre), in its colours."""
NATURAL_COLOURS = {1: "#3F7FB5", 2: "#E3CFA4", 3: "#6B6F76", 4: "#B5533C", 5: "#5B9A46", 6: "#C9C9C9"}
"""Natural colours of the Dubai dataset's classes, by class id."""
NATURAL, DATASET = "natural", "dataset"
COLOURS = (NATURAL, DATASET)
"""Colours that the Dubai dataset's classes can have."""


def coloured(scheme: ClassScheme, colours: str = NATURAL) -> ClassScheme:
    """Return the scheme with the classes of the Dubai dataset in other colours; other classes stay as they are.

    A class is known by its name and colour, whatever its id, so that models with further classes, and classes that
    have a colour of the user's, are treated rightly.

    Args:
        scheme: The classes.
        colours: ``natural`` (water blue, land sand, …) or ``dataset``.
    """
    pairs = [(entry.name, entry.colour, NATURAL_COLOURS[entry.id]) for entry in DUBAI.entries]
    if colours == DATASET:
        pairs = [(name, natural, own) for name, own, natural in pairs]
    new = {(name.casefold(), before): after for name, before, after in pairs}
    *classes, unlabeled = (
        LandCoverClass(entry.id, entry.name, new.get((entry.name.casefold(), entry.colour), entry.colour))
        for entry in scheme.entries
    )
    return ClassScheme(tuple(classes), unlabeled)
