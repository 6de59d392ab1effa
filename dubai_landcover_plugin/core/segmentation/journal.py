"""What a long run has finished so far, on disk, so that the same run can go on after it was killed.

A folder beside the output holds the finished rows (``rows``, appended to) and how far the run is (``state.json``,
replaced whole). The state names the length of ``rows`` that belongs to it, so whatever a kill or a power cut leaves
behind fits together: what is longer is cut off, what is damaged is not used.
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

EVERY = 20.0  # s between saves; a shorter run leaves nothing on disk
_HEAD = struct.Struct("<IIIIII")  # rows, columns, bytes of classes, of confidence, their checksums

Bytes = npt.NDArray[np.uint8]


def pack_rows(labels: Bytes, confidence: Bytes | None) -> bytes:
    """Return rows of class ids and, where there is one, confidence, (n, W) each, compressed and with checksums."""
    given = [np.ascontiguousarray(part) for part in (labels, confidence) if part is not None]
    parts = [*(zlib.compress(part.data, 1) for part in given), b""][:2]
    return _HEAD.pack(*labels.shape, *map(len, parts), *map(zlib.crc32, parts)) + b"".join(parts)


def unpack_rows(stream: IO[bytes]) -> Iterator[tuple[Bytes, Bytes | None]]:
    """Yield what :func:`pack_rows` was given, once or several times in a row.

    Raises:
        ValueError: if something is damaged.
    """
    while head := stream.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise ValueError("The rows end in the middle.")
        rows, columns, *rest = _HEAD.unpack(head)
        parts: list[Bytes | None] = []
        for size, checksum in zip(rest[:2], rest[2:], strict=True):
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
    """How far a run is.

    Args:
        bands: Bands of windows whose rows are finished.
        windows: Windows in them that held data.
    """

    bands: int
    windows: int


class Journal:
    """Keeps finished rows of a run.

    Args:
        output: The file that the run makes.
        key: All that the result depends on; only a run with an equal key goes on from what another has left.
        every: Seconds between saves.
    """

    def __init__(self, output: str | Path, key: Mapping[str, Any], every: float = EVERY) -> None:
        self._folder = journal_folder(output)
        self._digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self._every = every
        self._saved = time.monotonic()
        self._waiting: list[bytes] = []
        self._length = 0  # bytes of rows that the saved state knows

    def add_rows(self, labels: Bytes, confidence: Bytes | None) -> None:
        """Take finished rows, (n, W) each; they are on disk after the next :meth:`save`."""
        self._waiting.append(pack_rows(labels, confidence))

    def is_due(self) -> bool:
        """Whether it is time for :meth:`save`."""
        return time.monotonic() - self._saved >= self._every

    def save(self, progress: Progress) -> None:
        """Put rows and progress on disk.

        Args:
            progress: What the rows that were added belong to.

        Raises:
            OSError: if that fails; what was saved before stays usable.
        """
        self._folder.mkdir(exist_ok=True)
        rows = b"".join(self._waiting)
        with (self._folder / "rows").open("r+b" if self._length else "wb") as stream:
            stream.seek(self._length)
            stream.write(rows)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        state = {"bands": progress.bands, "windows": progress.windows, "length": self._length + len(rows)}
        write_text(self._folder / "state.json", json.dumps({"digest": self._digest, **state}))
        self._length += len(rows)
        self._waiting.clear()
        self._saved = time.monotonic()

    def load(self) -> Progress | None:
        """Return how far a run with the same key has come, if all its rows are there; else None."""
        try:
            state = json.loads((self._folder / "state.json").read_text(encoding="ascii"))
            self._length = int(state["length"])
            progress = Progress(int(state["bands"]), int(state["windows"]))
            if state["digest"] == self._digest and (self._folder / "rows").stat().st_size >= self._length:
                for _ in self.rows():
                    pass
                return progress
        except (OSError, ValueError, KeyError, TypeError, zlib.error):
            pass
        self._length = 0
        return None

    def rows(self) -> Iterator[tuple[Bytes, Bytes | None]]:
        """Yield the saved rows, classes and confidence, as they were added.

        Raises:
            ValueError: if something is damaged.
        """
        with (self._folder / "rows").open("rb") as stream:
            yield from unpack_rows(_Head(stream, self._length))  # type: ignore[arg-type]

    def remove(self) -> None:
        """Delete everything."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
        self._length = 0


class _Head:
    """The first bytes of a stream."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream, self._left = stream, length

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._left))
        self._left -= len(content)
        return content
