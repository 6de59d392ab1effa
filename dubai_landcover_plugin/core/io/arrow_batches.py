"""Features of a vector file in batches of columns, through GDAL's Arrow interface, as NumPy arrays.

Source: https://arrow.apache.org/docs/format/Columnar.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import nanoarrow
import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io import ogr

_OFFSETS = {"u": np.int32, "z": np.int32, "U": np.int64, "Z": np.int64}
"""Type of the offsets of texts and bytes, by Arrow's letter for the type of the column."""
_TEXTS = ("u", "U")
_NUMBERS = {
    "c": np.int8, "C": np.uint8, "s": np.int16, "S": np.uint16, "i": np.int32, "I": np.uint32, "l": np.int64,
    "L": np.uint64, "f": np.float32, "g": np.float64,
}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Columns of some features.

    Args:
        count: Number of features.
        columns: The columns by name.
        geometry: Name of the column of geometries.
    """

    count: int
    columns: Mapping[str, Column]
    geometry: str

    @property
    def wkb(self) -> npt.NDArray[np.object_]:
        """The geometries, (N,) as WKB; None where there is none.

        Raises:
            ValueError: if the batch is damaged.
        """
        return self.columns[self.geometry].items()


class Column:
    """One attribute, or the geometries, of the features of a batch.

    Args:
        array: Array of nanoarrow.
    """

    def __init__(self, array: Any) -> None:
        self._format = str(array.schema.format)
        self._count, self._first = int(array.length), int(array.offset)
        self._buffers = list(array.view().buffers)  # validity, [offsets,] values
        self._array = array  # owns the memory

    def items(self) -> npt.NDArray[np.object_]:
        """Return texts or bytes, (N,); None where a value is missing.

        Raises:
            ValueError: if the offsets are damaged, a text is not UTF-8, or the column has another type.
        """
        if self._format not in _OFFSETS:
            raise ValueError("a column has another type than text")
        found = np.empty(self._count, object)
        if not self._count:
            return found
        offsets = self._values(self._buffers[1], _OFFSETS[self._format], self._count + 1)
        if offsets[0] < 0 or (np.diff(offsets) < 0).any():
            raise ValueError("the offsets of a column are damaged")
        content = bytes(self._buffers[2])
        if offsets[-1] > len(content):
            raise ValueError("the offsets of a column are damaged")
        starts = offsets.tolist()
        make: Callable[[bytes], Any] = bytes.decode if self._format in _TEXTS else bytes
        for index, is_valid in enumerate(self._valid().tolist()):
            if is_valid:
                found[index] = make(content[starts[index] : starts[index + 1]])
        return found

    def numbers(self, kind: np.dtype[Any]) -> npt.NDArray[Any]:
        """Return numbers of a type, (N,); missing ones are NaN or 0.

        Raises:
            ValueError: if the column has another type.
        """
        if self._format not in _NUMBERS:
            raise ValueError("a column has another type than numbers")
        stored = self._values(self._buffers[1], _NUMBERS[self._format], self._count)
        valid = self._valid()
        if valid.all():
            return stored.astype(kind)
        filled = stored.astype(np.float64 if kind.kind == "f" else stored.dtype)  # a copy
        filled[~valid] = np.nan if kind.kind == "f" else 0
        return filled.astype(kind)

    def _values(self, buffer: Any, kind: Any, count: int) -> npt.NDArray[Any]:
        size = np.dtype(kind).itemsize
        return np.frombuffer(bytes(buffer), kind, count, offset=self._first * size)

    def _valid(self) -> npt.NDArray[np.bool_]:
        """Return which values are there, (N,)."""
        bits = bytes(self._buffers[0])
        if not bits:
            return np.ones(self._count, bool)
        unpacked = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little")
        return unpacked[self._first : self._first + self._count].astype(bool)


@contextmanager
def open_batches(path: str, size: int, layer: str | None = None) -> Iterator[tuple[list[str], Iterator[Batch]]]:
    """Open a layer, and give the names of its attributes and its batches.

    Args:
        path: The file, as :func:`.ogr.gdal_name`.
        size: Features of a batch, at most.
        layer: The layer; None for the only one.
    """
    with ogr.open_arrow(path, layer=layer, batch_size=size) as (meta, stream):
        geometry = meta["geometry_name"] or "wkb_geometry"
        yield meta["fields"].tolist(), (_batch(array, geometry) for array in nanoarrow.c_array_stream(stream))


def _batch(array: Any, geometry: str) -> Batch:
    columns = {str(child.schema.name): Column(child) for child in array.children}
    return Batch(int(array.length), columns, geometry)
