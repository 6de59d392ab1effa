"""Checksum of the features of a layer, to compare a file that GDAL wrote with what was written.

GDAL ignores many failed writes, in shapefiles nearly all. Features are added as they are written, and as they are read
back in batches; memory is that of a batch.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.io.arrow_batches import Column, open_batches
from dubai_landcover_plugin.protocol.translation import tr

Fields = Mapping[str, npt.NDArray[Any]]

_BATCH = 20_000  # features that are read back at a time
_MODULUS = 1 << 64
_DIGITS, _STEP = 1e-9, 1e-15  # difference of floats that is rounding, relative and absolute: shapefiles hold decimals


class LayerChecksum:
    """Sums over features that do not depend on their order.

    Args:
        kinds: Type of each attribute: integer, float or object for text.
        as_points: Compare the coordinates only. Shapefiles do not distinguish polygons from multipolygons, and the
            orientation in which they store rings is ambiguous where these intersect themselves.

    Attributes:
        count: Number of features.
    """

    def __init__(self, kinds: Mapping[str, np.dtype[Any]], as_points: bool = False) -> None:
        self._kinds, self._as_points = dict(kinds), as_points
        self._exact = dict.fromkeys(kinds, 0)  # texts and integers: sum of hashes; floats: missing values
        self._sums = dict.fromkeys(kinds, (0.0, 0.0))  # floats: sum of the values and of their absolute values
        self._geometries = 0
        self.count = 0

    def add(self, wkb: npt.NDArray[np.object_], fields: Fields) -> None:
        """Add features: (N,) geometries as WKB and (N,) values of each attribute, of its type."""
        self.count += len(wkb)
        self._geometries += _sum_of_points(wkb) if self._as_points else sum(map(zlib.crc32, wkb.tolist()))
        self._geometries %= _MODULUS
        for name, kind in self._kinds.items():
            values = fields[name]
            if kind.kind == "O":
                self._exact[name] += sum(hash((text or "").strip()) for text in values.tolist())
            elif kind.kind == "f":
                finite = values[np.isfinite(values)]
                total, size = self._sums[name]
                self._sums[name] = total + float(finite.sum()), size + float(np.abs(finite).sum())
                self._exact[name] += len(values) - len(finite)
            else:
                self._exact[name] += int(values.astype(np.int64).view(np.uint64).sum())
                self._exact[name] %= _MODULUS

    def difference(self, other: LayerChecksum) -> str:
        """Return in which respect another layer with the same attributes differs; empty if it does not."""
        if other.count != self.count:
            return tr("{count} of {other_count} features", count=other.count, other_count=self.count)
        if other._geometries != self._geometries:
            return tr("other geometries than were written")
        for name in self._kinds:
            (total, size), found = self._sums[name], other._sums[name][0]
            if other._exact[name] != self._exact[name] or abs(found - total) > _DIGITS * size + _STEP * self.count:
                return tr("other values of '{name}' than were written", name=name)
        return ""


def checksum_of_file(
    path: Path, layer: str, kinds: Mapping[str, np.dtype[Any]], as_points: bool = False
) -> LayerChecksum:
    """Return the checksum of a layer, which is read in batches.

    Args:
        path: The file.
        layer: Its layer.
        kinds: Type of each attribute.
        as_points: Compare the coordinates only.

    Raises:
        ValueError: if an attribute is missing or has another type, or a batch is damaged.
    """
    found = LayerChecksum(kinds, as_points)
    with open_batches(str(path), _BATCH, layer) as (names, batches):
        missing = set(kinds) - set(names)
        if missing:
            raise ValueError(f"the attribute {min(missing)} is missing")
        for batch in batches:
            try:
                wkb = batch.wkb  # GDAL returns wrong offsets for damaged FlatGeobuf files
                values = {name: _values(batch.columns[name], kind) for name, kind in kinds.items()}
            except ValueError as error:
                raise ValueError("features cannot be read back") from error
            wkb[[shape is None for shape in wkb]] = b""
            found.add(wkb, values)
    return found


def _sum_of_points(wkb: npt.NDArray[np.object_]) -> int:
    """Return a sum over the coordinates of geometries, (N,) WKB, in any order."""
    points = shapely.get_coordinates(shapely.from_wkb(wkb, on_invalid="ignore"))
    across, down = points.view(np.uint64).sum(axis=0).tolist() if len(points) else (0, 0)
    return int(3 * across + 5 * down + len(points))


def _values(column: Column, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return a column of a batch as an array of a type; missing values are None, NaN or 0."""
    return column.items() if kind.kind == "O" else column.numbers(kind)
