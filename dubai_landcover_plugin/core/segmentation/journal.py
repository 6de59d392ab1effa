"""Saves the finished rows of a run on disk, so that an interrupted run can be resumed.

A folder beside the output has two files: ``rows``, to which finished rows are appended, and ``state.json``, which is
replaced atomically. The state has the length of ``rows`` at the time of saving. Bytes beyond that length, left by a
kill or a power cut, are truncated. The state has a checksum of itself and one of the rows: a journal that is damaged or
was edited is not used.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.outputs import journal_folder
from dubai_landcover_plugin.protocol.partial_files import remove_quietly, sweep_partials

EVERY = 20.0  # s between saves; shorter runs write no journal
_CHUNK = 1 << 20  # bytes
# Rows, columns, channels; bytes of classes, of confidence, of probabilities; their checksums.
_HEADER = struct.Struct("<9I")

Bytes = npt.NDArray[np.uint8]


def pack_rows(labels: Bytes, confidence: Bytes | None, probabilities: Bytes | None = None) -> bytes:
    """Return rows, compressed and with checksums.

    Args:
        labels: (n, W) uint8 class ids.
        confidence: (n, W) uint8, or None.
        probabilities: (K, n, W) uint8, or None.
    """
    given = (labels, confidence, probabilities)
    parts = [b"" if part is None else zlib.compress(np.ascontiguousarray(part).data, 1) for part in given]
    channels = 0 if probabilities is None else len(probabilities)
    return _HEADER.pack(*labels.shape, channels, *map(len, parts), *map(zlib.crc32, parts)) + b"".join(parts)


def unpack_rows(stream: IO[bytes]) -> Iterator[tuple[Bytes, Bytes | None, Bytes | None]]:
    """Yield class ids, confidence and probabilities from concatenated outputs of :func:`pack_rows`.

    Raises:
        ValueError: if the rows are truncated or a checksum does not match.
    """
    while header := stream.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise ValueError("The rows are truncated.")
        rows, columns, channels, *stored = _HEADER.unpack(header)
        shapes = ((rows, columns), (rows, columns), (channels, rows, columns))
        parts: list[Bytes | None] = []
        for shape, size, checksum in zip(shapes, stored[:3], stored[3:], strict=True):
            packed = stream.read(size)
            if zlib.crc32(packed) != checksum:
                raise ValueError("The rows are damaged.")
            parts.append(np.frombuffer(zlib.decompress(packed), np.uint8).reshape(shape) if size else None)
        labels, confidence, probabilities = parts
        if labels is not None:
            yield labels, confidence, probabilities


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run.

    Args:
        tile_rows: Number of tile rows whose raster rows are finished.
        windows: Number of windows with valid pixels in them.
    """

    tile_rows: int
    windows: int


class DamagedJournalError(Exception):
    """The journal of a run cannot be used: a file is damaged, missing or was edited."""


class Journal:
    """Saves and restores finished rows of a run.

    Args:
        output: Output file of the run; the journal's folder is beside it.
        key: Everything that the result depends on, JSON-ready; only a run with an equal key can resume.
        every: Time between saves, s.
    """

    def __init__(self, output: str | Path, key: Mapping[str, Any], every: float = EVERY) -> None:
        self._folder = journal_folder(output)
        self._rows, self._state = self._folder / "rows", self._folder / "state.json"
        self._digest = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()
        self._every = every
        self._saved = time.monotonic()
        self._waiting: list[bytes] = []
        self._length = 0  # bytes of rows in the saved state
        self._checksum = 0  # CRC-32 of these

    @property
    def is_saved(self) -> bool:
        """Whether rows are on disk."""
        return self._length > 0

    def add_rows(self, labels: Bytes, confidence: Bytes | None, probabilities: Bytes | None = None) -> None:
        """Add finished rows, see :func:`pack_rows`; they are on disk after the next :meth:`save`."""
        self._waiting.append(pack_rows(labels, confidence, probabilities))

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
        with self._rows.open("r+b" if self._length else "wb") as stream:
            stream.seek(self._length)
            stream.write(rows)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        length, checksum = self._length + len(rows), zlib.crc32(rows, self._checksum)
        write_text(self._state, _sealed([self._digest, progress.tile_rows, progress.windows, length, checksum]))
        self._length, self._checksum = length, checksum
        self._waiting.clear()
        self._saved = time.monotonic()

    def load(self) -> Progress | None:
        """Return the progress saved by a run with the same key; None without one.

        Raises:
            DamagedJournalError: if there is a journal that cannot be used.
        """
        if self._folder_is_usable() and not os.path.lexists(self._state):
            return None
        try:
            digest, tile_rows, windows, length, checksum = _unsealed(self._state.read_bytes())
            if digest != self._digest:
                return None
            if self._folder.is_symlink() or _checksum(self._rows, length) != checksum:
                raise ValueError("the rows are damaged")
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise DamagedJournalError(str(error)) from error
        self._length, self._checksum = length, checksum
        return Progress(tile_rows, windows)

    def rows(self) -> Iterator[tuple[Bytes, Bytes | None, Bytes | None]]:
        """Yield the saved rows, see :func:`unpack_rows`, in the order in which they were added.

        Raises:
            ValueError: if the rows are damaged.
        """
        with self._rows.open("rb") as stream:
            yield from unpack_rows(_LimitedStream(stream, self._length))  # type: ignore[arg-type]

    def remove(self) -> None:
        """Delete the saved rows, and what killed runs left beside them; other files in the folder stay."""
        if not self._folder_is_usable():
            remove_quietly(self._folder)  # a file, or a link, whose target is not touched
        else:
            remove_quietly(self._rows)
            remove_quietly(self._state)
            sweep_partials(self._folder)
            with suppress(OSError):
                self._folder.rmdir()
        self._length = self._checksum = 0

    def _folder_is_usable(self) -> bool:
        """Return whether the folder does not exist, or is a folder and not a link to one."""
        return not os.path.lexists(self._folder) or (self._folder.is_dir() and not self._folder.is_symlink())


def _sealed(state: Any) -> str:
    """Return a state as JSON with its checksum."""
    text = json.dumps(state)
    return json.dumps({"state": state, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def _unsealed(content: bytes) -> tuple[str, int, int, int, int]:
    """Return the state written by :func:`_sealed`.

    Raises:
        ValueError, TypeError, RecursionError: if it is anything else.
    """
    stored = json.loads(content)
    if not isinstance(stored, dict) or stored != json.loads(_sealed(stored.get("state"))):
        raise ValueError("the state is damaged")
    digest, tile_rows, windows, length, checksum = stored["state"]
    return digest, tile_rows, windows, length, checksum


def _checksum(path: Path, length: int) -> int | None:
    """Return the CRC-32 of the first bytes of a file; None if it is shorter."""
    checksum = 0
    with path.open("rb") as stream:
        while length and (chunk := stream.read(min(_CHUNK, length))):
            checksum, length = zlib.crc32(chunk, checksum), length - len(chunk)
    return None if length else checksum


class _LimitedStream:
    """Reads at most the first ``length`` bytes of a stream."""

    def __init__(self, stream: IO[bytes], length: int) -> None:
        self._stream, self._remaining = stream, length

    def read(self, size: int) -> bytes:
        content = self._stream.read(min(size, self._remaining))
        self._remaining -= len(content)
        return content
