"""A file that is written from start to end, read back and compared."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_CHUNK = 1 << 20  # bytes


class VerifiedFile(io.RawIOBase):
    """A new binary file; a checksum of what is written is compared with that of what is read back.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._stream = path, path.open("wb")
        self._checksum = 0

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._stream.tell()

    def write(self, content: ReadableBuffer, /) -> int:
        """Append bytes and return their number."""
        self._checksum = zlib.crc32(content, self._checksum)
        return self._stream.write(content)

    def close(self) -> None:
        """Close the file without a check."""
        self._stream.close()
        super().close()

    def verify(self) -> None:
        """Close the file and compare it.

        Raises:
            OSError: if it could not be written, or is not what was written.
        """
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.close()
        found = 0
        with self._path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                found = zlib.crc32(chunk, found)
        if found != self._checksum:
            raise OSError(f"{self._path.name} is not what was written")
