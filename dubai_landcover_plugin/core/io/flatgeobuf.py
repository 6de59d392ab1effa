"""FlatGeobuf files: written from a GeoParquet file in batches, and their spatial index compared with the features.

Source: https://flatgeobuf.org, packedrtree.cpp of the reference implementation.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.io.arrow_batches import open_batches

_BATCH = 10_000  # features in memory at a time
_PREFIX = 8  # bytes before the size of the header
_CHILDREN = 16  # of a node, by default
_NODE = np.dtype([("bounds", "<f8", 4), ("offset", "<u8")])
"""Node of the tree: west, south, east, north; a leaf has the offset of its feature in bytes, others that of their first
child in nodes."""


def features_of_parquet(path: Path) -> Any:
    """Return the features of a GeoParquet file as a reader of Arrow batches; NaN become missing values."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    file = parquet.ParquetFile(path)
    schema = file.schema_arrow.remove_metadata()

    def batches() -> Iterator[Any]:
        for batch in file.iter_batches(_BATCH):
            columns = [
                arrow.array(column.to_numpy(zero_copy_only=False), column.type, from_pandas=True)
                if arrow.types.is_floating(column.type)
                else column
                for column in batch.columns
            ]
            yield arrow.record_batch(columns, schema=schema)

    return arrow.RecordBatchReader.from_batches(schema, batches())


def has_valid_index(path: Path, count: int) -> bool:
    """Return whether the spatial index of a file leads to its ``count`` features; memory is that of a batch."""
    if not count:
        return True
    with path.open("rb") as stream:
        stream.seek(_PREFIX)
        start = _PREFIX + 4 + int.from_bytes(stream.read(4), "little")
    levels = [count]  # nodes of each level, leaves first
    while len(levels) == 1 or levels[-1] > 1:
        levels.append(-(-levels[-1] // _CHILDREN))
    begins = [sum(levels[above + 1 :]) for above in range(len(levels))]  # the root is the first node of the file
    tree = _Tree(path, start)
    for level in range(1, len(levels)):
        if not tree.contains_children(begins[level], levels[level], begins[level - 1], levels[level - 1]):
            return False
    return tree.leads_to_features(begins[0], count, start + sum(levels) * _NODE.itemsize)


class _Tree:
    """The packed Hilbert R-tree of a file, of which a part is read at a time."""

    def __init__(self, path: Path, start: int) -> None:
        self._path, self._start = path, start

    def _nodes(self, begin: int, count: int) -> npt.NDArray[Any]:
        offset = self._start + begin * _NODE.itemsize
        return np.fromfile(self._path, _NODE, count, offset=offset)

    def contains_children(self, begin: int, count: int, below: int, children: int) -> bool:
        """Return whether nodes have the extent of their children in the level below."""
        for index in range(0, count, _BATCH):
            nodes = self._nodes(begin + index, min(_BATCH, count - index))
            first = np.arange(index, index + len(nodes)) * _CHILDREN
            inner = self._nodes(below + first[0], min(len(nodes) * _CHILDREN, children - first[0]))["bounds"]
            if not np.array_equal(nodes["offset"], below + first):
                return False
            starts = first - first[0]
            low = np.minimum.reduceat(inner[:, :2], starts)
            high = np.maximum.reduceat(inner[:, 2:], starts)
            if not np.array_equal(nodes["bounds"], np.hstack([low, high])):
                return False
        return True

    def leads_to_features(self, begin: int, count: int, features: int) -> bool:
        """Return whether the leaves have the offsets and extents of the features, in the order of the file.

        Args:
            begin: The first leaf.
            count: Number of leaves.
            features: Where the features begin in the file, bytes; each has its size in front.
        """
        index, expected = 0, 0
        with (
            self._path.open("rb") as stream,
            open_batches(str(self._path), _BATCH) as (_, batches),
        ):
            for batch in batches:
                leaves = self._nodes(begin + index, batch.count)
                shapes = shapely.from_wkb(batch.wkb)
                if not np.array_equal(leaves["bounds"], shapely.bounds(shapes)):
                    return False
                for offset in leaves["offset"].tolist():
                    if offset != expected:
                        return False
                    stream.seek(features + offset)
                    expected += 4 + int.from_bytes(stream.read(4), "little")
                index += batch.count
        return index == count and features + expected == self._path.stat().st_size
