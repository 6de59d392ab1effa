"""Samples of the ground that a model was trained on, with which the ground of a raster is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.json_values import array, mapping, number, numbers
from dubai_landcover_plugin.protocol.translation import tr

CELL = 32
"""Side of a cell, px at the ground sampling distance of the model."""
MAX_CELLS = 4000
"""Largest number of cells in a model file."""
DISTANCES = 21
"""Number of quantiles of the distances, at 0, 5, …, 100 %."""

_MAX_DISTANCE = 1e6
_AGAIN = "Add them again with: python -m training statistics"


@dataclass(frozen=True)
class GroundSamples:
    """Colour and texture of cells of the training images, and how far ground of other places is from them.

    Args:
        cells: For each cell the mean of each band, then the standard deviation of each band, 0..255: M × 2C numbers.
        distances: Quantiles of the distance from cells of a place to those of all other places, at 0, 5, …, 100 %, in
            the unit of :class:`.NoveltyMeter`.
        usual: Largest novelty, percent, of nearly all training images among those of other places.

    Raises:
        BundleError: if there are too few or too many cells, or numbers are missing or do not rise.
    """

    cells: tuple[tuple[float, ...], ...]
    distances: tuple[float, ...]
    usual: float

    def __post_init__(self) -> None:
        length = len(self.cells[0]) if self.cells else 0
        even = length > 0 and length % 2 == 0 and all(len(cell) == length for cell in self.cells)
        if not even or not length < len(self.cells) <= MAX_CELLS:
            raise BundleError(
                tr(
                    "The ground samples of a model are {least} to {limit} cells with mean and standard deviation of "
                    "each band, got {count}.",
                    least=length + 1,
                    limit=MAX_CELLS,
                    count=len(self.cells),
                ),
                tr(_AGAIN),
            )
        rising = all(low <= high for low, high in zip(self.distances, self.distances[1:]))
        if len(self.distances) != DISTANCES or not rising or not 0 <= self.usual <= 100:
            raise BundleError(
                tr(
                    "The ground samples of a model need {distances} rising distances and a usual novelty of 0 to 100 "
                    "%, got {other_distances!r:.200} and {usual:g} %.",
                    distances=DISTANCES,
                    other_distances=self.distances,
                    usual=self.usual,
                ),
                tr(_AGAIN),
            )

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.cells[0]) // 2

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {"cells": [list(cell) for cell in self.cells], "distances": list(self.distances), "usual": self.usual}

    @classmethod
    def from_json(cls, value: Any) -> GroundSamples:
        """Rebuild the samples from :meth:`to_json`.

        Raises:
            ValueError, KeyError: if they are malformed.
            BundleError: if they are inconsistent.
        """
        fields = mapping(value)
        cells = tuple(numbers(cell, 0, 255) for cell in array(fields["cells"]))
        distances = numbers(fields["distances"], 0, _MAX_DISTANCE)
        return cls(cells, distances, number(fields["usual"], 0, 100))
