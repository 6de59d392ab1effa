"""A vector layer in memory, filled in batches as a vector file is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.sound_geometries import sound_geometries
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer

Geometries = npt.NDArray[np.object_]
Fields = Mapping[str, npt.NDArray[Any]]


class MemoryLayer:
    """Collects what :class:`.VectorWriter` would write: what is read from that file later is in memory already.

    Args:
        crs: CRS of the coordinates, or None.
    """

    def __init__(self, crs: CRS | None) -> None:
        self._crs = crs
        self._batches: list[tuple[Geometries, Fields]] = []

    def write(self, geometries: Geometries, fields: Fields) -> None:
        """Append features; the first batch, which may be empty, gives names and types of the attributes.

        Args:
            geometries: (N,) shapely geometries.
            fields: (N,) values of each attribute.
        """
        if len(geometries) or not self._batches:
            self._batches.append((sound_geometries(geometries), dict(fields)))

    def layer(self) -> VectorLayer:
        """Return the layer."""
        if not self._batches:
            return VectorLayer(np.empty(0, object), {}, self._crs)
        parts, fields = zip(*self._batches, strict=True)
        joined = {name: np.concatenate([values[name] for values in fields]) for name in fields[0]}
        return VectorLayer(np.concatenate(parts), joined, self._crs)
