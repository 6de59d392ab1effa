"""Segments the rasters of a folder and keeps a manifest of their status."""

from __future__ import annotations

import fnmatch
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.core.io.files import make_folder, sweep, write_text
from dubai_landcover_plugin.core.io.outputs import (
    check_outputs,
    is_batch_output,
    manifest_paths,
    named_outputs,
    outputs_of,
    raster_requests,
    record_path,
)
from dubai_landcover_plugin.core.segmentation.executor import ExecutorFactory, LocalExecutor
from dubai_landcover_plugin.core.segmentation.run_record import input_identity
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import LandCoverError, OutputError, RequestError, RunCancelled
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.partial_files import is_partial
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import (
    FolderRequest,
    FolderResult,
    SegmentationRequest,
    SegmentationResult,
)
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, paths

_TASK = TASKS["segment_raster"]
_COLUMNS = ("input", "output", "status", "seconds", "message")
_STEPS = 1000  # progress steps of one raster
_CLOCK = 5.0  # s, tolerance for differing clocks of file systems
_NO_RECORD = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


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
    """

    input: str
    output: str
    status: str
    message: str = ""
    seconds: float = 0.0
    area_m2: dict[str, float] = field(default_factory=dict)
    pixels: dict[str, int] = field(default_factory=dict)


class _RasterMonitor:
    """Monitor of one raster of a folder: scales its progress and prefixes its messages with its name."""

    def __init__(self, monitor: Monitor, name: str, index: int, count: int) -> None:
        self._monitor, self._name, self._index, self._count = monitor, name, index, count

    def report(self, done: int, total: int, text: str = "") -> None:
        share = _STEPS * done // max(total, 1)
        self._monitor.report(self._index * _STEPS + share, self._count * _STEPS, f"{self._name}: {text}")

    def log(self, level: str, text: str) -> None:
        self._monitor.log(level, f"{self._name}: {text}")

    def cancelled(self) -> bool:
        return self._monitor.cancelled()


def find_rasters(request: FolderRequest) -> list[Path]:
    """Return the rasters of the folder, sorted, without results of earlier runs.

    Raises:
        RequestError: if the folder does not exist or has no matching raster.
    """
    folder, results = Path(request.folder), Path(request.output_folder).resolve()
    if not folder.is_dir():
        raise RequestError(f"The folder {folder} does not exist.", "Choose another folder.")
    patterns = [part.strip().lower() for part in request.pattern.split(";") if part.strip()]
    results_inside = folder.resolve() in results.parents
    found = []
    for path in folder.rglob("*") if request.recursive else folder.glob("*"):
        name = path.name.lower()
        if name.startswith(".") or is_partial(path.parent.name) or is_batch_output(path):
            continue
        if not path.is_file() and (path.exists() or not path.is_symlink()):  # a link to a missing file is reported
            continue
        if results_inside and results in path.resolve().parents:
            continue
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            found.append(path)
    if not found:
        where = "or its subfolders " if request.recursive else ""
        raise RequestError(
            f"No file in {folder} {where}matches {request.pattern}.", "Change the pattern, or search subfolders."
        )
    return sorted(found)


def requests_of(request: FolderRequest) -> Iterator[SegmentationRequest]:
    """Yield one request for each raster; outputs mirror the tree of the folder."""
    return raster_requests(request, find_rasters(request))


def earlier_result(request: SegmentationRequest, model_hash: str) -> SegmentationResult | None:
    """Return the existing result of an equal request, model and input; None if anything differs or is missing."""
    try:
        record = _record(request.output)
        same = (
            _comparable(record["request"]) == _comparable(request.to_json())
            and record["input"] == input_identity(request.input)
            and record["model"]["sha256"] == model_hash
            and all(map(os.path.isfile, paths(vars(request), _TASK.outputs)))
        )
        return SegmentationResult.from_json(record["result"]) if same else None
    except _NO_RECORD:
        return None


def _record(output: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(record_path(output).read_text(encoding="utf-8"))
    return record


def _comparable(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request for comparison: paths resolved, without the model, which is compared by its hash."""
    options = {key: value for key, value in request["options"].items() if key not in ("overwrite", "model")}
    paths = {key: _resolved(request.get(key)) for key in ("input", *_TASK.outputs)}  # some are missing in older records
    comparable: dict[str, Any] = json.loads(dumps({**request, **paths, "options": options}))
    return comparable


def _resolved(path: str | None) -> str | None:
    return path and os.path.normcase(os.path.realpath(path))


def _may_replace(job: SegmentationRequest) -> SegmentationRequest:
    """Return the request with ``overwrite`` set if its outputs are those of an earlier batch, unchanged since.

    Raises:
        OutputError: if an output was changed after that batch.
    """
    try:
        record = record_path(job.output)
        written = record.stat().st_mtime
        earlier = _record(job.output)["request"]
        made = {_resolved(str(path)) for path in named_outputs(_TASK, earlier).written}
        is_own = _resolved(earlier["input"]) == _resolved(job.input)
    except _NO_RECORD:
        return job
    present = [path for path in map(str, outputs_of(job).written) if os.path.exists(path)]
    if job.options.overwrite or not is_own or not made.issuperset(map(_resolved, present)):
        return job
    for path in present:
        if os.path.getmtime(path) > written + _CLOCK:
            raise OutputError(
                f"{path} exists and was changed after an earlier run had written it; it is kept.",
                "Move it elsewhere, or allow overwriting.",
            )
    return replace(job, options=replace(job.options, overwrite=True))


class _Manifest:
    """Manifest of an output folder, as JSON and CSV: one row for each raster, including those of earlier batches.

    Raises:
        OutputError: if a file with the name of a manifest is not one of this tool.
    """

    def __init__(self, folder: Path, request: FolderRequest) -> None:
        self.table, self.file = manifest_paths(folder)
        self._request = request.to_json()
        self._items = {_resolved(item["output"]): item for item in self._earlier()}

    def add(self, item: BatchItem) -> None:
        """Add an item and write the manifest, so that it is up to date if the run is killed."""
        self._items[_resolved(item.output)] = asdict(item)
        items = list(self._items.values())
        write_text(self.file, dumps({"request": self._request, "items": items}, indent=2))
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
            if path.exists() and not path.read_text(encoding="utf-8-sig").startswith(",".join(_COLUMNS)):
                raise ValueError("other columns")
            path = self.file
            manifest = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"request": {}, "items": []}
            if not isinstance(manifest["request"], dict):
                raise TypeError("no request")
            return [_listed(item) for item in manifest["items"]]
        except _NO_RECORD as error:
            raise OutputError(
                f"{path} exists and is not a manifest of this tool ({type(error).__name__}: {error}).",
                "Move it elsewhere, or choose another output folder.",
            ) from error


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest item after checking its keys and types.

    Raises:
        TypeError: if a key is unknown or a value has another type.
    """
    known = BatchItem(**item)
    if not (isinstance(known.output, str) and isinstance(known.area_m2, dict) and isinstance(known.pixels, dict)):
        raise TypeError("an item with values of unexpected types")
    return asdict(known)


RunRasters = Callable[[list[SegmentationRequest], bool, Monitor], Iterator[BatchItem]]
"""Segments rasters and yields their outcomes; the flag says whether to redo rasters that are already processed."""


def segment_folder(request: FolderRequest, monitor: Monitor | None = None) -> FolderResult:
    """Classify every raster of a folder; a raster that fails is reported and the others continue.

    Args:
        request: Folder, output folder, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Returns:
        Paths of the manifest, and the number of rasters done, skipped and failed.

    Raises:
        LandCoverError: if the folder, the output folder or the model cannot be used.
        RunCancelled: if the monitor cancels the run; finished rasters and the manifest are kept.

    Example:
        >>> from dubai_landcover_plugin.core import segment_folder
        >>> from dubai_landcover_plugin.protocol.requests import FolderRequest, SegmentOptions
        >>> options = SegmentOptions(model="dubai", device="cpu")
        >>> result = segment_folder(FolderRequest("images", "results", options=options))
        >>> result.done, result.skipped, result.failed
        (1, 0, 0)
    """
    return run_folder(request, monitor)


def run_folder(
    request: FolderRequest,
    monitor: Monitor | None = None,
    bundle: ModelBundle | None = None,
    run_rasters: RunRasters | None = None,
) -> FolderResult:
    """Run :func:`segment_folder` with a given model and way to process the rasters.

    Args:
        request: Folder, output folder, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.
        bundle: An open model; None opens the model of the request.
        run_rasters: Processes the rasters; None processes them one after the other in this process.

    Raises:
        LandCoverError: see :func:`segment_folder`.
    """
    monitor = monitor or LoggingMonitor()
    jobs = list(requests_of(request))
    bundle = bundle or open_bundle(request.options.model)
    folder = Path(request.output_folder)
    make_folder(folder)
    manifest = _Manifest(folder, request)
    check_outputs(request)
    for place in {Path(job.output).parent for job in jobs}:
        sweep(place)
    items: list[BatchItem] = []
    if run_rasters is None:
        run_rasters = partial(_run_here, bundle, request.folder)
    for item in run_rasters(jobs, request.redo, monitor):
        items.append(item)
        manifest.add(item)
    monitor.report(1, 1, "")
    counts = {status: sum(item.status == status for item in items) for status in ("done", "skipped", "failed")}
    return FolderResult(
        manifest_csv=str(manifest.table),
        manifest_json=str(manifest.file),
        **counts,
        items=tuple(asdict(item) for item in items),
    )


def _run_here(
    bundle: ModelBundle, folder: str, jobs: list[SegmentationRequest], redo: bool, monitor: Monitor
) -> Iterator[BatchItem]:
    """Process one raster after the other."""
    for index, job in enumerate(jobs):
        raise_if_cancelled(monitor)
        name = str(Path(job.input).relative_to(folder))
        yield run_one(job, bundle, _RasterMonitor(monitor, name, index, len(jobs)), redo)


def run_one(
    job: SegmentationRequest,
    bundle: ModelBundle,
    monitor: Monitor,
    redo: bool,
    make_executor: ExecutorFactory = LocalExecutor,
) -> BatchItem:
    """Segment one raster of a folder and return its outcome.

    Args:
        job: Request for the raster.
        bundle: The open model.
        monitor: Receives progress and messages; may cancel.
        redo: Process the raster even if an equal result exists.
        make_executor: Creates the executor.

    Raises:
        RunCancelled: if the monitor cancels the run.
    """
    earlier = None if redo else earlier_result(job, bundle.digest)
    if earlier is not None:
        monitor.log("info", "skipped: already processed with the same input, model and parameters.")
        return _item(job, "skipped", earlier)
    try:
        make_folder(Path(job.output).parent)
        return _item(job, "done", run_segmentation(_may_replace(job), monitor, bundle, make_executor))
    except RunCancelled:
        raise
    except LandCoverError as error:
        monitor.log("warning", f"failed: {error}")
        return BatchItem(job.input, job.output, "failed", str(error))
    except Exception as error:  # an unexpected error of one raster must not stop the others
        monitor.log("warning", f"failed: {type(error).__name__}: {error}")
        return BatchItem(job.input, job.output, "failed", f"{type(error).__name__}: {error}")


def _item(job: SegmentationRequest, status: str, result: SegmentationResult) -> BatchItem:
    message = " ".join(result.warnings)
    return BatchItem(job.input, job.output, status, message, result.seconds, result.area_m2 or {}, result.pixels)
