"""Fixed scaling of the bands of a model. Standard library only: QGIS's own Python reads this file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.json_values import array, mapping, number, text
from dubai_landcover_plugin.protocol.translation import joined, tr

_KIND = "standardize"


@dataclass(frozen=True)
class BandScaling:
    """Values of each band that become 0 and 255, the scale of a network's input, for rasters of every type.

    They come from the training rasters and are the same for every raster that a model reads; values beyond them count
    as the nearest limit, and fractions are kept. Mean and standard deviation of a model are measured on this scale. A
    model without a scaling reads rasters that are stretched to 8 bits one by one.

    Args:
        limits: The two values of each band, in the unit of the training rasters.
        units: Unit of each band as the training rasters state it; empty where they do not, or without any.

    Raises:
        BundleError: if a limit is not finite, or a lower one is not below its upper one.
    """

    limits: tuple[tuple[float, float], ...]
    units: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for low, high in self.limits:
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise BundleError(
                    tr(
                        "The scaling of a band needs finite limits, the lower below the upper, got {low:g} and "
                        "{high:g}.",
                        low=low,
                        high=high,
                    ),
                    tr("Export the model again."),
                )
        if len(self.units) not in (0, len(self.limits)):
            raise BundleError(
                tr("The scaling has {limits} bands, but {units} units.", limits=len(self.limits), units=len(self.units))
            )

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.limits)

    def raw(self, values: tuple[float, ...], spread: bool = False) -> tuple[float, ...]:
        """Return values on the scale 0..1 in the units of the bands; differences without an offset with ``spread``."""
        return tuple(value * (high - low) + (0.0 if spread else low) for value, (low, high) in zip(values, self.limits))

    def describe(self, names: tuple[str, ...]) -> str:
        """Return the range of each band for messages, such as ``nir 0 to 5210``."""
        units = self.units or ("",) * self.bands
        return joined(
            tr("{name} {low:.4g} to {high:.4g}", name=name, low=low, high=high) + (unit and f" {unit}")
            for name, (low, high), unit in zip(names, self.limits, units)
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {"kind": _KIND, "limits": [list(pair) for pair in self.limits], "units": list(self.units)}

    @classmethod
    def from_json(cls, value: object) -> BandScaling:
        """Rebuild the scaling from :meth:`to_json`; raises one of ``DAMAGED`` if it is malformed.

        Raises:
            BundleError: if it is of another kind, or has invalid limits.
        """
        fields = mapping(value)
        if fields["kind"] != _KIND:
            raise BundleError(
                tr(
                    "The model scales its bands in a way that this version does not know: {kind!s:.100}.",
                    kind=fields["kind"],
                ),
                tr("Update the plugin."),
            )
        pairs = [array(pair) for pair in array(fields["limits"])]
        return cls(
            tuple((number(low), number(high)) for low, high in pairs), tuple(map(text, array(fields.get("units", []))))
        )
