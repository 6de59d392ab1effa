"""Bands of the images that a network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dubai_landcover_plugin.protocol.model_metadata import MAX_BAND_NUMBER

from .config_parser import require

_REMEDY = 'Give one for each input of the network: numbers, names or both, such as [4, 1, 2], ["nir", "red", "green"] '
_REMEDY += 'or ["nir=4", "red=1", "green=2"].'


@dataclass(frozen=True, slots=True)
class InputBands:
    """Bands in the order of the network's inputs.

    Args:
        names: Names, such as ``nir``; ``band N`` for band N of files that do not name it.
        numbers: Numbers in the files, from 1; empty if the files name the bands.
        fixed: Whether the numbers count even where the names are in a file at other numbers.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    fixed: bool = False

    def __str__(self) -> str:
        return ", ".join(self.names)


MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
"""Mean and standard deviation of each input with which pixels are standardized, on the scale 0..1."""
RGB = InputBands(("red", "green", "blue"))


def parse_bands(values: Sequence[int | str]) -> InputBands:
    """Return the bands of ``data.bands``: numbers, names, or ``NAME=NUMBER``; red, green and blue if it is empty.

    Raises:
        ConfigError: if a value has another form, or only some have a number.
    """
    if not values:
        return RGB
    names, numbers = [], []
    for value in values:
        name, _, digits = str(value).rpartition("=") if "=" in str(value) else ("", "", str(value))
        if not digits.strip().isdecimal():
            require("=" not in str(value) and bool(digits.strip()), f"data.bands has '{value}'.", _REMEDY)
            names.append(digits.strip().casefold())
            continue
        number = int(digits)
        require(
            1 <= number <= MAX_BAND_NUMBER,
            f"data.bands has the band {number}; bands count from 1 to {MAX_BAND_NUMBER:,}.",
            _REMEDY,
        )
        numbers.append(number)
        names.append(name.strip().casefold() or f"band {number}")
    require(
        len(numbers) in (0, len(names)),
        f"data.bands has numbers for {len(numbers)} of {len(names)} bands: {list(values)}.",
        _REMEDY,
    )
    return InputBands(tuple(names), tuple(numbers), fixed=bool(numbers))
