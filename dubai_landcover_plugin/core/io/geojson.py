"""GeoJSON files, written in pieces."""

from __future__ import annotations

from pathlib import Path

from dubai_landcover_plugin.core.io.verified_file import VerifiedFile

_START, _END = b'\n"features": [\n', b"\n]\n}\n"  # around the features; names have no line breaks, JSON escapes them


class GeoJSONFile:
    """A feature collection that grows: joins the features of the collections that GDAL writes into memory.

    Args:
        path: The file; created at once.
    """

    def __init__(self, path: Path) -> None:
        self._file = VerifiedFile(path)
        self._head = b""

    def add(self, collection: bytes) -> None:
        """Append the features of a collection; all have the same name, CRS and options.

        Raises:
            ValueError: if it is not as GDAL writes it, or another name or CRS precedes the features.
        """
        head, start, features = collection.partition(_START)
        if not (start and features.endswith(_END)) or self._head not in (b"", head):
            raise ValueError("GDAL wrote GeoJSON of an unknown form")
        if not self._head:
            self._head = head
            self._file.write(head + start)
        else:
            self._file.write(b",\n")
        self._file.write(features[: -len(_END)])

    def close(self) -> None:
        """Close an unfinished file."""
        self._file.close()

    def finish(self) -> None:
        """Write the end and verify the file.

        Raises:
            OSError: if it is not what was written.
        """
        self._file.write(_END)
        self._file.verify()
