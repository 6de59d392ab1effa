"""Segments the rasters of a folder and keeps a manifest of their status."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.io.file_identity import FileIdentity
from dubai_landcover_plugin.core.io.files import make_folder, sweep
from dubai_landcover_plugin.core.io.input_files import is_same_input
from dubai_landcover_plugin.core.io.output_check import check_outputs, is_style_of_raster
from dubai_landcover_plugin.core.io.outputs import (
    named_outputs,
    outputs_of,
    raster_requests,
    record_path,
)
from dubai_landcover_plugin.core.segmentation.executor import ExecutorFactory, LocalExecutor
from dubai_landcover_plugin.core.segmentation.folder_areas import area_digest, in_area
from dubai_landcover_plugin.core.segmentation.folder_rasters import find_rasters
from dubai_landcover_plugin.core.segmentation.locks import LockedError, locked
from dubai_landcover_plugin.core.segmentation.manifest import BatchItem, Manifest
from dubai_landcover_plugin.core.segmentation.run_record import (
    UNREADABLE,
    known_files,
    listed_files,
    place_of,
    read_record,
    remove_journal,
    resolved,
)
from dubai_landcover_plugin.core.segmentation.segment import rasters_of, segment_locked
from dubai_landcover_plugin.core.segmentation.series import Series
from dubai_landcover_plugin.protocol.errors import LandCoverError, OutputError, RunCancelled
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest, FolderResult
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, paths
from dubai_landcover_plugin.protocol.translation import joined, tr

_TASK = TASKS["segment_raster"]
_VECTORS = ("polygons", "buildings", "roads")
_STEPS = 100_000  # progress steps of a folder
_CLOCK = 5.0  # s, tolerance for differing clocks of file systems


class _FolderProgress:
    """Progress of a folder: the sizes of the files that are done, of those that are to be done.

    Args:
        monitor: Receives it.
        paths: The rasters.
    """

    def __init__(self, monitor: Monitor, paths: Sequence[str]) -> None:
        self.monitor, self._sizes, self._done, self._share = monitor, [_size(path) for path in paths], 0, 0.0
        self._to_do, self.count = sum(self._sizes), len(paths)

    def report(self, index: int, share: float, text: str) -> None:
        """Report the share of a raster that is done, 0..1."""
        done = self._done + share * self._sizes[index]
        self._share = max(self._share, done / max(self._to_do, 1))
        self.monitor.report(int(_STEPS * self._share), _STEPS, text)

    def end(self, index: int, is_skipped: bool) -> None:
        """Count a raster as done; one that was skipped took no time, and leaves the reckoning."""
        if is_skipped:
            self._to_do -= self._sizes[index]
        else:
            self._done += self._sizes[index]


def _size(path: str) -> int:
    try:
        return max(os.path.getsize(path), 1)
    except OSError:
        return 1


class _RasterMonitor:
    """Monitor of one raster of a folder: scales its progress and prefixes its messages with its name."""

    def __init__(self, folder: _FolderProgress, name: str, index: int) -> None:
        self._folder, self._monitor, self._name, self.index = folder, folder.monitor, name, index

    def report(self, done: int, total: int, text: str = "") -> None:
        name = tr("{name} ({index} of {count})", name=self._name, index=self.index + 1, count=self._folder.count)
        self._folder.report(self.index, done / total if total > 0 else 0.0, f"{name}: {text}" if text else name)

    def log(self, level: str, text: str) -> None:
        self._monitor.log(level, f"{self._name}: {text}")

    def cancelled(self) -> bool:
        return self._monitor.cancelled()


def earlier_result(request: SegmentationRequest, model_hash: str) -> SegmentationResult | None:
    """Return the existing result of an equal request, model and input; None if anything differs or is missing.

    Every file that the record lists is compared with its checksum, outputs and inputs alike.
    """
    try:
        record = read_record(request.output)
        files = {file.path: file for file in listed_files(record, request.output)}
        same = (
            record["complete"] is True
            and _comparable(record["request"]) == _comparable(request.to_json())
            and record["model"]["sha256"] == model_hash
            and files.keys() >= set(map(place_of, paths(vars(request), _TASK.outputs)))
            and all(file.is_unchanged() for file in files.values())
            and record["result"].get("area_hash") == area_digest(request)
            and is_same_input(rasters_of(request), [FileIdentity.from_json(values) for values in record["input_files"]])
        )
        return SegmentationResult.from_json(record["result"]) if same else None
    except (*UNREADABLE, LandCoverError):
        return None


def _comparable(request: dict[str, Any]) -> dict[str, Any]:
    """Return a request for comparison: paths resolved, without the model, which is compared by its hash."""
    defaults = SegmentationRequest("input", "output.tif").to_json()  # for options that older records lack
    options = {**defaults["options"], **request["options"]}
    options["second"] = resolved(options["second"])
    for name in ("overwrite", "model"):
        options.pop(name)
    places = {key: resolved(request.get(key)) for key in ("input", *_TASK.outputs)}
    comparable: dict[str, Any] = json.loads(dumps({**defaults, **request, **places, "options": options}))
    return comparable


def _may_replace(job: SegmentationRequest) -> SegmentationRequest:
    """Return the request with ``overwrite`` set if its outputs are those of earlier runs, unchanged since.

    Empty files are replaced: nobody's work is lost.

    Raises:
        OutputError: if an output was changed after an earlier run had written it.
    """
    if job.options.overwrite:
        return job
    known = known_files(job)
    if not known:
        return _may_replace_dated(job)
    outputs = outputs_of(job)
    for path in outputs.written:
        place = place_of(path)
        own = path == record_path(job.output) or is_style_of_raster(path)
        if os.path.lexists(path) and place not in known and not own:
            return job  # a file of the user
    changed = [path for path in outputs.everything if os.path.lexists(path) and _is_changed(path, known)]
    if any(os.path.isfile(path) and os.path.getsize(path) for path in changed):
        raise _changed(changed)
    return replace(job, options=replace(job.options, overwrite=True))


def _is_changed(path: Path, known: dict[str, list[FileIdentity]]) -> bool:
    """Return whether a file of an earlier run is not as that run has written it."""
    earlier = known.get(place_of(path), [])
    return bool(earlier) and not any(file.is_unchanged() for file in earlier)


def _may_replace_dated(job: SegmentationRequest) -> SegmentationRequest:
    """Do as :func:`_may_replace` for a record of an earlier version: it lists no files and is newer than all.

    Raises:
        OutputError: if an output is newer than the record.
    """
    try:
        written = record_path(job.output).stat().st_mtime
        record = read_record(job.output)
        earlier = record["request"]
        made = {resolved(str(path)) for path in named_outputs(_TASK, earlier).written}
        is_own = "files" not in record and resolved(earlier["input"]) == resolved(job.input)
    except UNREADABLE:
        return job
    present = [path for path in outputs_of(job).written if os.path.exists(path)]
    if not is_own or not made.issuperset(resolved(str(path)) for path in present):
        return job
    if changed := [path for path in present if os.path.getmtime(path) > written + _CLOCK]:
        raise _changed(changed)
    return replace(job, options=replace(job.options, overwrite=True))


def _changed(paths: list[Path]) -> OutputError:
    if len(paths) == 1:
        return OutputError(
            tr("{path} exists and was changed after an earlier run had written it; it is kept.", path=paths[0]),
            tr("Move it elsewhere, or allow overwriting."),
        )
    names = joined(paths)
    return OutputError(
        tr("{names} exist and were changed after an earlier run had written them; they are kept.", names=names),
        tr("Move them elsewhere, or allow overwriting."),
    )


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
    found = find_rasters(request)
    jobs, elsewhere = in_area(list(raster_requests(request, found.rasters)), monitor)
    found = replace(found, left_out=tuple(sorted((*found.left_out, *elsewhere))))
    found.log_left_out(monitor)
    bundle = bundle or open_bundle(request.options.model)
    if request.novelty:
        bundle.metadata.require_ground()
    folder = Path(request.output_folder)
    make_folder(folder)
    manifest = Manifest(folder, request)
    check_outputs(request)
    for place in {Path(job.output).parent for job in jobs}:
        sweep(place)
    items: list[BatchItem] = []
    if run_rasters is None:
        run_rasters = partial(_run_here, bundle, request.folder)
    try:
        for item in run_rasters(jobs, request.redo, monitor):
            items.append(item)
            manifest.add(item)
    finally:
        manifest.write()
    monitor.report(1, 1, "")
    counts = {status: sum(item.status == status for item in items) for status in ("done", "skipped", "failed")}
    return FolderResult(
        manifest_csv=str(manifest.table),
        manifest_json=str(manifest.file),
        **counts,
        items=tuple(asdict(item) for item in items),
        left_out=tuple({"input": path, "reason": reason} for path, reason in found.left_out),
    )


def _run_here(
    bundle: ModelBundle, folder: str, jobs: list[SegmentationRequest], redo: bool, monitor: Monitor
) -> Iterator[BatchItem]:
    """Process one raster after the other, with one network for all of them."""
    waiting = []
    progress = _FolderProgress(monitor, [job.input for job in jobs])
    with Series([job.input for job in jobs]) as series:
        make_executor = partial(LocalExecutor, series=series)
        for index, job in enumerate(jobs):
            raise_if_cancelled(monitor)
            name = str(Path(job.input).relative_to(folder))
            raster_monitor = _RasterMonitor(progress, name, index)
            try:
                item = run_one(job, bundle, raster_monitor, redo, make_executor, wait=False)
            except LockedError:  # other rasters first
                waiting.append((job, raster_monitor))
                continue
            progress.end(index, item.status == "skipped")
            yield item
        for job, raster_monitor in waiting:
            item = run_one(job, bundle, raster_monitor, redo, make_executor)
            progress.end(raster_monitor.index, item.status == "skipped")
            yield item


def run_one(
    job: SegmentationRequest,
    bundle: ModelBundle,
    monitor: Monitor,
    redo: bool,
    make_executor: ExecutorFactory = LocalExecutor,
    wait: bool = True,
) -> BatchItem:
    """Segment one raster of a folder and return its outcome.

    Args:
        job: Request for the raster.
        bundle: The open model.
        monitor: Receives progress and messages; may cancel.
        redo: Process the raster even if an equal result exists.
        make_executor: Creates the executor.
        wait: Wait while another run writes the same output.

    Raises:
        LockedError: if another run writes the same output and ``wait`` is false.
        RunCancelled: if the monitor cancels the run.
    """
    with locked(job.output, partial(raise_if_cancelled, monitor) if wait else None):
        return _run_locked(job, bundle, monitor, redo, make_executor)


def _run_locked(
    job: SegmentationRequest, bundle: ModelBundle, monitor: Monitor, redo: bool, make_executor: ExecutorFactory
) -> BatchItem:
    earlier = None if redo else earlier_result(job, bundle.digest)
    if earlier is not None:
        monitor.log("info", tr("skipped: already processed with the same input, model and parameters."))
        remove_journal(job.output)  # of a run that was killed once its record was written
        return _item(job, "skipped", earlier)
    try:
        make_folder(Path(job.output).parent)
        return _item(job, "done", segment_locked(_may_replace(job), monitor, bundle, make_executor))
    except RunCancelled:
        raise
    except Exception as error:  # an unexpected error of one raster must not stop the others
        found = explained(error)
        monitor.log("warning", tr("failed: {found}", found=found))
        return BatchItem(job.input, job.output, "failed", str(found))


def _item(job: SegmentationRequest, status: str, result: SegmentationResult) -> BatchItem:
    message = " ".join(result.warnings)
    return BatchItem(
        job.input,
        job.output,
        status,
        message,
        result.seconds,
        result.area_m2 or {},
        result.pixels,
        result.is_novel,
        {name: path for name in _VECTORS if (path := getattr(result, name)) is not None},
    )
