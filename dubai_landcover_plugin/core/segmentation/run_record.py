"""The run record: request, input, model, software versions and result. In the GeoTIFF's tags and as JSON beside it.

The JSON file is written last. Besides what the tags have it lists the files behind the input (``input_files``), the
output files (``files``), each with size, modification time and checksum, and states in ``complete`` whether all
requested outputs are among them. Paths of output files are relative to the record's folder.

From the moment before the first output file is moved into place until the record is written, ``outputs.json`` in the
journal's folder lists the files of this run and of the earlier one. After a kill it distinguishes files of the
engine from files that a user has edited.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.file_identity import FileIdentity, combined_digest, identify_file, status_of
from dubai_landcover_plugin.core.io.files import observe_placing, write_text
from dubai_landcover_plugin.core.io.outputs import journal_folder, outputs_of, record_path
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.partial_files import remove_quietly
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, paths

UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)
"""Exceptions of reading a file that is missing, damaged or not a record."""
_TASK = TASKS["segment_raster"]


def run_record(
    request: SegmentationRequest,
    metadata: BundleMetadata,
    result: SegmentationResult,
    inputs: Sequence[FileIdentity] = (),
) -> dict[str, Any]:
    """Return the record of a run, JSON-ready.

    Args:
        request: The request.
        metadata: Metadata of the model.
        result: The result.
        inputs: Files behind the input; none for a raster that is read over the network.
    """
    return {
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "request": request.to_json(),
        "input": _input_summary(inputs),
        "model": {
            "name": metadata.name,
            "architecture": metadata.spec.architecture,
            "gsd": metadata.gsd,
            "sha256": result.model_hash,
        },
        "versions": versions(),
        "result": result.to_json(),
    }


def _input_summary(inputs: Sequence[FileIdentity]) -> dict[str, Any] | None:
    """Return total size (bytes), newest modification time (s since 1970), checksum and number of the input's files."""
    if not inputs:
        return None
    return {
        "size": sum(file.size for file in inputs),
        "modified": round(max(file.modified for file in inputs) / 1e9, 3),
        "sha256": combined_digest(inputs),
        "files": len(inputs),
    }


def read_record(output: str) -> dict[str, Any]:
    """Return the record beside a classified raster.

    Raises:
        OSError, ValueError, RecursionError: see :data:`UNREADABLE`.
    """
    record: dict[str, Any] = json.loads(record_path(output).read_text(encoding="utf-8"))
    return record


def listed_files(record: dict[str, Any], output: str) -> list[FileIdentity]:
    """Return the output files that a record lists, with absolute paths.

    Raises:
        KeyError, TypeError: if it lists none, as records of earlier versions, or is damaged.
    """
    folder = os.path.realpath(os.path.dirname(output))
    files = [FileIdentity.from_json(values) for values in record["files"]]
    return [replace(file, path=os.path.normpath(os.path.join(folder, file.path))) for file in files]


def known_files(request: SegmentationRequest) -> dict[str, list[FileIdentity]]:
    """Return the output files that earlier runs with the same input have written, also interrupted ones, by path."""
    known = defaultdict(list)
    for path in (record_path(request.output), _log_path(request.output)):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if resolved(record["request"]["input"]) == resolved(request.input):
                for file in listed_files(record, request.output):
                    known[file.path].append(file)
        except UNREADABLE:
            continue
    return known


def resolved(path: str | None) -> str | None:
    """Return a path for comparison: absolute, links resolved."""
    return path and os.path.normcase(os.path.realpath(path))


def place_of(path: str | Path) -> str:
    """Return the absolute path of a file, links resolved."""
    return os.path.realpath(path)


class OutputFiles:
    """Follows which output files of a run are moved into place; a context manager.

    Before each move ``outputs.json`` is written, so that at any time every file of the engine is listed in the record
    or there.

    Args:
        request: The request.
    """

    def __init__(self, request: SegmentationRequest) -> None:
        outputs = outputs_of(request)
        self._request = request
        self._log = _log_path(request.output)
        self._watched = set(map(place_of, outputs.everything))
        self._watched.discard(place_of(record_path(request.output)))
        self._resumed = self._log.exists()
        self._recorded = False
        self._earlier = known_files(request)
        self._placed: dict[str, FileIdentity] = {}
        self._stack = ExitStack()

    def __enter__(self) -> OutputFiles:
        self._stack.enter_context(observe_placing(self._before_move))
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self._stack.close()
        if kind is None or self._recorded:
            return
        if any(file.is_unchanged() for file in self._placed.values()):  # some rasters are in place, others failed
            with suppress(OutputError):  # outputs.json stays
                self.write_record({"request": self._request.to_json()}, (), False)
        elif not self._resumed:
            self._remove_log()

    def write_record(self, record: dict[str, Any], inputs: Sequence[FileIdentity], complete: bool) -> None:
        """Write the run record with the files that it lists.

        Args:
            record: See :func:`run_record`.
            inputs: Files behind the input.
            complete: Whether all requested outputs are in place. If not, earlier files are listed too.

        Raises:
            OutputError: if it cannot be written.
        """
        if complete:
            self._add_unseen()
        files = self._finished() if complete else self._all()
        content = {
            **record,
            "complete": complete,
            "input_files": [file.to_json() for file in inputs],
            "files": self._stored(files),
        }
        write_text(record_path(self._request.output), dumps(content, indent=2))
        self._recorded = True
        self._remove_log()

    def _before_move(self, moves: Mapping[Path, Path]) -> None:
        """List files that are about to be moved into place."""
        watched = {partial: place for partial, path in moves.items() if (place := place_of(path)) in self._watched}
        if not watched:
            return
        for partial, place in watched.items():
            self._placed[place] = replace(identify_file(partial), path=place)
        content = {"request": self._request.to_json(), "files": self._stored(self._all())}
        self._log.parent.mkdir(exist_ok=True)
        new = self._log.with_name(f"{self._log.name}.new")
        try:
            new.write_text(dumps(content), encoding="utf-8", errors="backslashreplace")
            os.replace(new, self._log)  # without fsync: after a power cut, files count as edited at worst
        except OSError:
            remove_quietly(new)
            raise

    def _remove_log(self) -> None:
        """Delete ``outputs.json``; saved rows stay."""
        remove_quietly(self._log)
        with suppress(OSError):
            self._log.parent.rmdir()

    def _all(self) -> list[FileIdentity]:
        return [*(file for files in self._earlier.values() for file in files), *self._finished()]

    def _finished(self) -> list[FileIdentity]:
        """Return the files that this run has written."""
        return [_with_current_status(file) for file in self._placed.values()]

    def _add_unseen(self) -> None:
        """Add requested outputs that were written in another way than by moving them into place."""
        for path in paths(vars(self._request), _TASK.outputs):
            if (place := place_of(path)) not in self._placed:
                self._placed[place] = replace(identify_file(path), path=place)

    def _stored(self, files: Iterable[FileIdentity]) -> list[dict[str, Any]]:
        """Return identities as JSON, with paths relative to the record's folder."""
        folder = os.path.dirname(place_of(self._request.output))
        return [replace(file, path=_relative(file.path, folder)).to_json() for file in files]


def remove_journal(output: str) -> None:
    """Delete the folder with the journal of a run and its list of output files."""
    remove_quietly(journal_folder(output))


def _log_path(output: str) -> Path:
    return journal_folder(output) / "outputs.json"


def _relative(path: str, folder: str) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:  # another drive
        return path


def _with_current_status(file: FileIdentity) -> FileIdentity:
    """Return an identity with the status of the file in place; without one if the file is not the one written."""
    try:
        now = status_of(os.stat(file.path))
    except OSError:
        return replace(file, status=())
    # Moving a file into place changes only its change time.
    same = file.status[:2] == now[:2] and file.status[3:] == now[3:]
    return replace(file, status=now if same else ())
