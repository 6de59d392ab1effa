"""Bands of the images that a network reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.derived_bands import RECIPES, inputs_of
from dubai_landcover_plugin.protocol.model_metadata import MAX_BAND_NUMBER, BundleMetadata
from dubai_landcover_plugin.protocol.translation import tr

from .config_parser import require

_REMEDY = "Give a band for each input of the network by its number, its name or both, such as 4, nir or nir=4."
_HINT = 'In a configuration: data.bands = [4, 1, 2], ["nir", "red", "green"] or ["nir=4", "red=1", "green=2"].'


MOST_BANDS = 12
"""Largest number of bands of a training."""
_COLOURS = ("red", "green", "blue")
_NOT_LIGHT = ("height", "elevation", "thermal", "ndvi", "ndwi", "slope")
_MIDDLE = 0.5


@dataclass(frozen=True, slots=True)
class InputBands:
    """Bands in the order of the network's inputs.

    Args:
        names: Names, such as ``nir``; ``band N`` for band N of files that do not name it.
        numbers: Numbers in the files, from 1; empty if the files name the bands.
        fixed: Whether the numbers count even where the names are in a file at other numbers.
        scaling: Values that become 0 and 255 in every file; None stretches each file to 8 bits.
        mean: Mean of each band with which pixels are standardized, on the scale 0..1; empty for 0.5.
        std: Standard deviation likewise.
        second: Second raster, whose bands follow, see :func:`.second_of`; empty for none.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...] = ()
    fixed: bool = False
    scaling: BandScaling | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    second: str = ""

    def __post_init__(self) -> None:
        for name in ("mean", "std"):
            object.__setattr__(self, name, tuple(getattr(self, name)) or (_MIDDLE,) * len(self.names))

    @classmethod
    def of_model(cls, metadata: BundleMetadata) -> InputBands:
        """Return the bands that a model reads."""
        return cls(
            metadata.bands,
            metadata.band_numbers,
            scaling=metadata.scaling,
            mean=metadata.mean,
            std=metadata.std,
        )

    @property
    def are_rgb(self) -> bool:
        """Whether the bands are red, green and blue, found as in Segment Land Cover."""
        return self.names == _COLOURS and not self.numbers

    @property
    def light(self) -> tuple[int, ...]:
        """Indices of the bands that measure reflected light, which changes with sun, haze and sensor."""
        return tuple(index for index, name in enumerate(self.names) if name not in _NOT_LIGHT)

    @property
    def visible(self) -> tuple[int, ...]:
        """Indices of red, green and blue; those of all bands of light where one of them is missing."""
        if set(_COLOURS) <= set(self.names):
            return tuple(self.names.index(name) for name in _COLOURS)
        return self.light

    @property
    def shown(self) -> tuple[int, int, int]:
        """Indices of the bands in the red, green and blue of pictures; the first ones without red, green and blue."""
        indices = self.visible if set(_COLOURS) <= set(self.names) else tuple(range(len(self.names)))
        first, second, third = (*indices, *(indices[-1:] * 2))[:3]
        return first, second, third

    def scaled_as(self, other: InputBands) -> InputBands:
        """Return these bands with the scaling, mean and standard deviation of others of the same number."""
        return replace(self, scaling=other.scaling, mean=other.mean, std=other.std)

    def with_names_of(self, other: InputBands) -> InputBands:
        """Return these bands with the names and numbers of others of the same number."""
        return replace(self, names=other.names, numbers=other.numbers, fixed=other.fixed)

    def __str__(self) -> str:
        return ", ".join(self.names)


RGB = InputBands(_COLOURS)


def parse_bands(values: Sequence[int | str]) -> InputBands:
    """Return the bands of ``data.bands``: numbers, names, or ``NAME=NUMBER``; red, green and blue if it is empty.

    Derived bands have no number.

    Raises:
        ConfigError: if a value has another form, or only some have a number.
    """
    if not values:
        return RGB
    names, numbers = [], []
    derived = 0
    for value in values:
        name, _, digits = str(value).rpartition("=") if "=" in str(value) else ("", "", str(value))
        if not digits.strip().isdecimal():
            require(
                "=" not in str(value) and bool(digits.strip()),
                tr("'{value}' is not a band.", value=value),
                tr(_REMEDY),
                _HINT,
            )
            names.append(digits.strip().casefold())
            derived += names[-1] in RECIPES
            continue
        number = int(digits)
        require(
            1 <= number <= MAX_BAND_NUMBER,
            tr("There is no band {number}; bands count from 1 to {limit:,}.", number=number, limit=MAX_BAND_NUMBER),
            tr(_REMEDY),
            _HINT,
        )
        numbers.append(number)
        names.append(name.strip().casefold() or f"band {number}")
        require(
            names[-1] not in RECIPES,
            tr("{name} has a number, but is computed from other bands.", name=names[-1]),
            tr("Leave the number out."),
        )
    needed = [name for name in inputs_of(tuple(names)) if name not in names] if numbers else []
    require(
        not needed,
        tr("Bands have numbers, but not {names}, of which a band is computed.", names=", ".join(needed)),
        tr("Add these bands with their numbers, or name the bands in the files."),
    )
    require(
        len(numbers) in (0, len(names) - derived),
        tr(
            "There are numbers for {count} of {total} bands: {names}.",
            count=len(numbers),
            total=len(names),
            names=", ".join(map(str, values)),
        ),
        tr(_REMEDY),
        _HINT,
    )
    return InputBands(tuple(names), tuple(numbers), fixed=bool(numbers))
