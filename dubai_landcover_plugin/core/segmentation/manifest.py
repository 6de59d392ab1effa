"""The manifest of a batch: status and areas of each raster, as JSON and CSV."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.core.io.file_identity import status_of
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.outputs import manifest_paths
from dubai_landcover_plugin.core.segmentation.locks import locked
from dubai_landcover_plugin.core.segmentation.run_record import UNREADABLE, resolved
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr

_COLUMNS = ("input", "output", "status", "seconds", "message")
_INTERVAL = 1.0  # s


@dataclass
class BatchItem:
    """Outcome of one raster.

    Args:
        input: Path of the raster.
        output: Path of the classified raster.
        status: ``done``, ``skipped`` or ``failed``.
        message: Warnings, or the error.
        seconds: Duration, s.
        area_m2: Area by class name, m².
        pixels: Pixels by class name.
        is_novel: Whether the ground is unlike the training images of the model, see :class:`.SegmentationResult`.
        files: Vector files: polygons, buildings and roads, as far as they were asked for.
    """

    input: str
    output: str
    status: str
    message: str = ""
    seconds: float = 0.0
    area_m2: dict[str, float] = field(default_factory=dict)
    pixels: dict[str, int] = field(default_factory=dict)
    is_novel: bool = False
    files: dict[str, str] = field(default_factory=dict)


class Manifest:
    """Manifest of an output folder, as JSON and CSV: one row for each raster, including those of other batches.

    Raises:
        OutputError: if a file with the name of a manifest is not one of this tool.
    """

    def __init__(self, folder: Path, request: FolderRequest) -> None:
        self.table, self.file = manifest_paths(folder)
        self._request = request.to_json()
        self._seen: tuple[int, ...] = ()  # status of the JSON file when it was last read or written
        self._items: dict[str | None, dict[str, Any]] = {}
        self._texts: dict[str | None, str] = {}  # the items as JSON: a long manifest is written for every raster
        self._pending: dict[str | None, dict[str, Any]] = {}  # items that are not in the file yet
        self._written = -_INTERVAL
        self._read()

    def add(self, item: BatchItem) -> None:
        """Add an item and write the manifest, so that it is up to date if the run is killed.

        Rasters that are skipped follow each other quickly; with those it is written once a second.
        """
        self._pending[resolved(item.output)] = asdict(item)
        if item.status != "skipped" or time.monotonic() - self._written >= _INTERVAL:
            self.write()

    def write(self) -> None:
        """Write the manifest with the added items; rows that another batch has written in the meantime are kept."""
        if not self._pending:
            return
        with locked(self.file, wait=lambda: None):
            self._read()
            self._update(self._pending)
            self._write()
            self._seen = self._status()
        self._pending.clear()
        self._written = time.monotonic()

    def _read(self) -> None:
        """Read the manifest if another batch has written it since."""
        status = self._status()
        if status != self._seen or not status:
            self._update({resolved(item["output"]): item for item in self._earlier()})
        self._seen = status

    def _update(self, items: dict[str | None, dict[str, Any]]) -> None:
        self._items.update(items)
        for path, item in items.items():
            self._texts[path] = "    " + dumps(item, indent=2).replace("\n", "\n    ")

    def _status(self) -> tuple[int, ...]:
        try:
            return status_of(os.stat(self.file))
        except OSError:
            return ()

    def _write(self) -> None:
        items = list(self._items.values())
        # As dumps() writes {"items": [...], "request": {...}} with an indent of 2.
        listed_items = ",\n".join(self._texts.values())
        whole = dumps({"items": [None], "request": self._request}, indent=2)
        write_text(self.file, whole.replace("    null", listed_items, 1))
        names = list(dict.fromkeys(name for item in items for name in item["pixels"]))
        table = io.StringIO()
        rows = CsvWriter(table)
        rows.writerow([*_COLUMNS, *(f"{name}_m2" for name in names)])
        for listed in items:
            areas = [listed["area_m2"].get(name, "") for name in names]
            rows.writerow([*(listed[key] for key in _COLUMNS), *areas])
        write_text(self.table, table.getvalue())

    def _earlier(self) -> list[dict[str, Any]]:
        path = self.table
        try:
            if _has_content(path) and not path.read_text(encoding="utf-8-sig").startswith(",".join(_COLUMNS)):
                raise ValueError("other columns")
            path = self.file
            manifest = (
                json.loads(path.read_text(encoding="utf-8")) if _has_content(path) else {"request": {}, "items": []}
            )
            if not isinstance(manifest["request"], dict):
                raise TypeError("no request")
            return [_listed(item) for item in manifest["items"]]
        except UNREADABLE as error:
            raise OutputError(
                tr(
                    "{path} exists and is not a manifest of this tool ({kind}: {error}).",
                    path=path,
                    kind=type(error).__name__,
                    error=error,
                ),
                tr("Move it elsewhere, or choose another output folder."),
            ) from error


def _has_content(path: Path) -> bool:
    """Return whether a file exists and is not empty, as a full disk or a power cut may leave it."""
    return path.exists() and path.stat().st_size > 0


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest item after checking its keys and types.

    Raises:
        TypeError: if a key is unknown or a value has another type.
    """
    known = BatchItem(**item)
    if not (isinstance(known.output, str) and isinstance(known.area_m2, dict) and isinstance(known.pixels, dict)):
        raise TypeError("an item with values of unexpected types")
    return asdict(known)
