"""Codes of a from–to raster: numbers of the classes, codes of the transitions, their names and colours."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import joined, tr

UNCERTAIN = 1
"""Code of pixels with data in both dates of which one is Unlabeled or below the minimum confidence."""
UNKNOWN, MISSING = -1, -2
"""Class indices of Unlabeled pixels, and of nodata."""

_BASES = (10, 100, 256)
_HUES = {"water": 0.58, "land": 0.11, "road": 0.80, "building": 0.01, "vegetation": 0.35}
_GOLDEN = 0.618  # golden ratio: spreads the hues of further classes evenly, for any number of them
_UNCERTAIN_RGB = (150, 150, 150)

Indices = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Code:
    """One value of the from–to raster.

    Args:
        id: The value.
        name: Name, such as ``Land → Building``.
        rgb: Colour, 0..255 each.
        before: Name of the earlier class; empty for Uncertain.
        after: Name of the later class; empty for Uncertain.
    """

    id: int
    name: str
    rgb: tuple[int, int, int]
    before: str = ""
    after: str = ""

    @property
    def is_change(self) -> bool:
        """Whether the class differs between the dates."""
        return self.before != self.after

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        red, green, blue = self.rgb
        return {
            "code": self.id,
            "name": self.name,
            "from": self.before,
            "to": self.after,
            "change": self.is_change,
            "colour": f"#{red:02X}{green:02X}{blue:02X}",
        }


class ChangeCoding:
    """Matches the classes of both dates by name, and codes their transitions.

    A code is ``base × number of the earlier class + number of the later class``. Numbers are the ids in the earlier
    raster; a class that only the later one has keeps its id if that is free. The base is 10 where all numbers are
    below 10, so that 24 means "from 2 to 4"; else 100 or 256. 0 is nodata, 1 is Uncertain.

    Args:
        earlier: Class scheme of the earlier raster.
        later: Class scheme of the later raster.

    Raises:
        ClassSchemeError: if no class has the same name in both, or there are more than 254 classes.
    """

    def __init__(self, earlier: ClassScheme, later: ClassScheme) -> None:
        self.names, self.numbers, self.unmatched = _match(earlier, later)
        self.base = next(base for base in _BASES if max(self.numbers) < base)
        self.dtype = np.dtype(np.uint8 if self.base == _BASES[0] else np.uint16)
        keys = [_key(name) for name in self.names]
        self._tables = tuple(_index_table(scheme, keys) for scheme in (earlier, later))

    @property
    def count(self) -> int:
        """Number of classes, K."""
        return len(self.names)

    def indices(self, ids: npt.NDArray[np.uint8], later: bool) -> Indices:
        """Return indices into :attr:`names` for class ids; ``UNKNOWN`` for Unlabeled, ``MISSING`` for nodata."""
        return self._tables[later][ids]

    @cached_property
    def codes(self) -> npt.NDArray[np.uint16]:
        """(K, K) uint16 code of each transition: rows are the earlier class, columns the later one."""
        numbers = np.array(self.numbers, np.uint16)
        return numbers[:, None] * np.uint16(self.base) + numbers

    def legend(self) -> list[Code]:
        """Return all codes, in ascending order."""
        listed = [Code(UNCERTAIN, "Uncertain", _UNCERTAIN_RGB)]
        for row, before in enumerate(self.names):
            for column, after in enumerate(self.names):
                name = f"{before} → {after}" if row != column else f"{before} unchanged"
                listed.append(Code(int(self.codes[row, column]), name, self._colour(row, column), before, after))
        return sorted(listed, key=lambda code: code.id)

    def colour_of(self, index: int) -> tuple[int, int, int]:
        """Return the colour of the changes into a class."""
        return _rgb(self._hue(index), 0.5)

    def _hue(self, index: int) -> float:
        return _HUES.get(_key(self.names[index]), (0.47 + index * _GOLDEN) % 1)

    def _colour(self, row: int, column: int) -> tuple[int, int, int]:
        """Return the colour of a transition: the hue is that of the later class, the lightness that of the earlier one.

        Unchanged classes get a pale tint.
        """
        if row == column:
            return _rgb(self._hue(column), 0.93, 0.3)
        others = [index for index in range(self.count) if index != column]
        step = others.index(row) / max(len(others) - 1, 1)
        return _rgb(self._hue(column), 0.34 + 0.38 * step)


def _rgb(hue: float, lightness: float, saturation: float = 0.65) -> tuple[int, int, int]:
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
    return round(255 * red), round(255 * green), round(255 * blue)


def _key(name: str) -> str:
    return name.strip().casefold()


def _match(earlier: ClassScheme, later: ClassScheme) -> tuple[list[str], list[int], list[str]]:
    """Return names and numbers of all classes, and the names that only one date has."""
    first = {_key(entry.name): entry for entry in earlier.classes}
    second = {_key(entry.name): entry for entry in later.classes}
    if not first.keys() & second.keys():
        listed = [joined(entry.name for entry in scheme.classes) for scheme in (earlier, later)]
        raise ClassSchemeError(
            tr(
                "The rasters have no class name in common: {earlier} in the earlier, {later} in the later raster.",
                earlier=listed[0],
                later=listed[1],
            ),
            tr("Classify both dates with the same model, or with models whose classes have the same names."),
        )
    taken = {entry.id for entry in first.values()}
    new = [entry for key, entry in second.items() if key not in first]
    numbers = [entry.id for entry in first.values()]
    for entry in new:
        free = [entry.id, *range(1, 255)]
        number = next((one for one in free if one not in taken), None)
        if number is None:
            raise ClassSchemeError(tr("Both rasters together have more than 254 classes."), tr("Merge classes first."))
        taken.add(number)
        numbers.append(number)
    names = [entry.name for entry in (*first.values(), *new)]
    unmatched = [entry.name for key, entry in first.items() if key not in second] + [entry.name for entry in new]
    return names, numbers, unmatched


def _index_table(scheme: ClassScheme, keys: list[str]) -> Indices:
    table = np.full(256, MISSING, np.int16)
    table[scheme.unlabeled.id] = UNKNOWN
    for entry in scheme.classes:
        table[entry.id] = keys.index(_key(entry.name))
    table[NODATA_ID] = MISSING
    return table
