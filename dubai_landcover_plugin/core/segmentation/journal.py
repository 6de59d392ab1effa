"""Saves the finished rows of a run on disk, so that an interrupted run can be resumed.

A folder beside the output has two files: ``rows``, to which finished rows are appended, and ``state.json``, which is
replaced atomically. The state has the length of ``rows`` at the time of saving. Bytes beyond that length, left by a
kill or a power cut, are truncated; damaged rows are detected by checksums and not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.outputs import journal_folder

EVERY = 20.0  # s between saves; shorter runs write no journal
_HEADER = struct.Struct("<IIIIII")  # rows, columns, bytes of classes, of confidence, their checksums

Bytes = npt.NDArray[np.uint8]


def pack_rows(labels: Bytes, confidence: Bytes | None) -> bytes:
    """Return rows of class ids and, if given, confidence, (n, W) uint8 each, compressed and with checksums."""
    given = [np.ascontiguousarray(part) for part in (labels, confidence) if part is not None]
    parts = [*(zlib.compress(part.data, 1) for part in given), b""][:2]
    return _HEADER.pack(*labels.shape, *map(len, parts), *map(zlib.crc32, parts)) + b"".join(parts)


def unpack_rows(stream: IO[bytes]) -> Iterator[tuple[Bytes, Bytes | None]]:
    """Yield class ids and confidence, (n, W) uint8 each, from concatenated outputs of :func:`pack_rows`.

    Raises:
        ValueError: if the rows are truncated or a checksum does not match.
    """
    while header := stream.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise ValueError("The rows are truncated.")
        rows, columns, *stored = _HEADER.unpack(header)
        parts: list[Bytes | None] = []
        for size, checksum in zip(stored[:2], stored[2:], strict=True):
            packed = stream.read(size)
            if zlib.crc32(packed) != checksum:
                raise ValueError("The rows are damaged.")
            unpacked = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(rows, columns) if size else None
            parts.append(unpacked)
        labels, confidence = parts
        if labels is not None:
            yield labels, confidence


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run.

    Args:
        tile_rows: Number of tile rows whose raster rows are finished.
        windows: Number of windows with valid pixels in them.
    """

    tile_rows: int
    windows: int


class Journal:
    """Saves and restores finished rows of a run.

    Args:
        output: Output file of the run; the journal's folder is beside it.
        key: Everything that the result depends on, JSON-ready; only a run with an equal key can resume.
        every: Time between saves, s.
    """

    def __init__(self, output: str | Path, key: Mapping[str, Any], every: float = EVERY) -> None:
        self._folder = journal_folder(output)
        self._digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self._every = every
        self._saved = time.monotonic()
        self._waiting: list[bytes] = []
        self._length = 0  # bytes of rows in the saved state

    def add_rows(self, labels: Bytes, confidence: Bytes | None) -> None:
        """Add finished rows, (n, W) uint8 each; they are on disk after the next :meth:`save`."""
        self._waiting.append(pack_rows(labels, confidence))

    def is_due(self) -> bool:
        """Return whether ``every`` seconds have passed since the last :meth:`save`."""
        return time.monotonic() - self._saved >= self._every

    def save(self, progress: Progress) -> None:
        """Write the added rows and the progress to disk.

        Args:
            progress: Progress that corresponds to the rows added so far.

        Raises:
            OSError: if writing fails; the previous state stays usable.
        """
        self._folder.mkdir(exist_ok=True)
        rows = b"".join(self._waiting)
        with (self._folder / "rows").open("r+b" if self._length else "wb") as stream:
            stream.seek(self._length)
            stream.write(rows)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        state = {"tile_rows": progress.tile_rows, "windows": progress.windows, "length": self._length + len(rows)}
        write_text(self._folder / "state.json", json.dumps({"digest": self._digest, **state}))
        self._length += len(rows)
        self._waiting.clear()
        self._saved = time.monotonic()

    def load(self) -> Progress | None:
        """Return the progress saved by a run with the same key; None without one, or if its rows are damaged."""
        try:
            state = json.loads((self._folder / "state.json").read_text(encoding="ascii"))
            self._length = int(state["length"])
            progress = Progress(int(state["tile_rows"]), int(state["windows"]))
            if state["digest"] == self._digest and (self._folder / "rows").stat().st_size >= self._length:
                for _ in self.rows():
                    pass
                return progress
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            pass
        self._length = 0
        return None

    def rows(self) -> Iterator[tuple[Bytes, Bytes | None]]:
        """Yield the saved rows, class ids and confidence, in the order in which they were added.

        Raises:
            ValueError: if the rows are damaged.
        """
        with (self._folder / "rows").open("rb") as stream:
            yield from unpack_rows(_LimitedStream(stream, self._length))  # type: ignore[arg-type]

    def remove(self) -> None:
        """Delete the journal."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
        self._length = 0


class _LimitedStream:
    """Reads at most the first ``length`` bytes of a stream."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream, self._remaining = stream, length

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._remaining))
        self._remaining -= len(content)
        return content
