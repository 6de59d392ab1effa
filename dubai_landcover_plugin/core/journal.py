"""What a long run has finished so far, on disk, so that the same run can go on after it was killed.

A folder beside the output holds the finished rows (``rows``, appended to) and the sums that the next band of windows
needs (``state.npz``, replaced whole). The state names the length of ``rows`` that belongs to it, so whatever a kill or
a power cut leaves behind fits together: what is longer is cut off, what is damaged is not used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

EVERY = 20.0  # s between saves; a shorter run leaves nothing on disk
_HEAD = struct.Struct("<IIIII")  # rows, bytes of classes, of confidence, their checksums

Bytes = npt.NDArray[np.uint8]
State = Mapping[str, npt.NDArray[Any]]


class Journal:
    """Keeps finished rows of a run.

    Args:
        output: The file that the run makes.
        key: All that the result depends on; only a run with an equal key goes on from what another has left.
        width: Of the rows, px.
        every: Seconds between saves.
    """

    def __init__(self, output: str | Path, key: Mapping[str, Any], width: int, every: float = EVERY) -> None:
        path = Path(output)
        self._folder = path.with_name(f".{path.name}.unfinished")
        self._digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self._width, self._every = width, every
        self._saved = time.monotonic()
        self._waiting: list[bytes] = []
        self._length = 0  # bytes of rows that the saved state knows

    def add_rows(self, labels: Bytes, confidence: Bytes) -> None:
        """Take finished rows, (n, W) each; they are on disk after the next :meth:`save`."""
        parts = [zlib.compress(np.ascontiguousarray(part).data, 1) for part in (labels, confidence)]
        self._waiting.append(_HEAD.pack(len(labels), *map(len, parts), *map(zlib.crc32, parts)) + b"".join(parts))

    def is_due(self) -> bool:
        """Whether it is time for :meth:`save`."""
        return time.monotonic() - self._saved >= self._every

    def save(self, state: State) -> None:
        """Put rows and state on disk.

        Args:
            state: Arrays from which the run can go on.

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
        partial = self._folder / "state.partial"
        with partial.open("wb") as stream:
            stamp = {"_digest": np.array(self._digest), "_length": np.array(self._length + len(rows))}
            arrays: dict[str, Any] = {**state, **stamp}
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, self._folder / "state.npz")
        self._length += len(rows)
        self._waiting.clear()
        self._saved = time.monotonic()

    def load(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the state that a run with the same key has left, if all its rows are there too; else None."""
        try:
            with np.load(io.BytesIO((self._folder / "state.npz").read_bytes()), allow_pickle=False) as stored:
                state = dict(stored)
            length = int(state.pop("_length"))
            if str(state.pop("_digest")) != self._digest or not self._is_whole(length):
                return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError):
            return None
        self._length = length
        return state

    def rows(self) -> Iterator[tuple[Bytes, Bytes]]:
        """Yield the saved rows, classes and confidence, as they were added."""
        with (self._folder / "rows").open("rb") as stream:
            while stream.tell() < self._length:
                count, labels, confidence, *_ = _HEAD.unpack(stream.read(_HEAD.size))
                yield self._unpack(stream.read(labels), count), self._unpack(stream.read(confidence), count)

    def remove(self) -> None:
        """Delete everything."""
        with contextlib.suppress(OSError):
            shutil.rmtree(self._folder)
        self._length = 0

    def _is_whole(self, length: int) -> bool:
        with (self._folder / "rows").open("rb") as stream:
            while stream.tell() < length:
                head = stream.read(_HEAD.size)
                if len(head) < _HEAD.size:
                    return False
                _, *rest = _HEAD.unpack(head)
                for size, checksum in zip(rest[:2], rest[2:], strict=True):
                    if zlib.crc32(stream.read(size)) != checksum:
                        return False
            return stream.tell() == length

    def _unpack(self, packed: bytes, rows: int) -> Bytes:
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(rows, self._width)
