"""What runs on a worker."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.cluster.seams import Head, HeadKeeper, can_share, shared_rows
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.runtimes.hardware import core_numbers, cores, keep_freed_memory
from dubai_landcover_plugin.core.runtimes.selection import Candidate
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.core.segmentation.batch import run_one
from dubai_landcover_plugin.core.segmentation.blending import Floats
from dubai_landcover_plugin.core.segmentation.executor import Computation, Job, LocalComputation, make_maps, open_job
from dubai_landcover_plugin.core.segmentation.journal import Bytes, pack_rows
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

_Task = TypeVar("_Task", bound=Callable[..., Any])
_SOON = 1.0  # s between messages


def _with_plain_errors(task: _Task) -> _Task:
    """Drop what an error was caused by: a library's error may not travel between processes, and would hide ours."""

    @wraps(task)
    def run(*arguments: Any) -> Any:
        try:
            return task(*arguments)
        except LandCoverError as error:
            plain = type(error)(error.message, error.remedy)
        raise plain

    return cast(_Task, run)


def identify(model: str, dask_worker: Any) -> dict[str, Any]:
    """Return what a worker has; Dask gives the worker under that name."""
    try:
        digest = open_bundle(model).digest
    except LandCoverError as error:
        return {"error": str(error)}
    return {
        "host": socket.gethostname(),
        "cores": cores(),
        "numbers": core_numbers(),
        "slots": dask_worker.state.nthreads,
        "versions": versions(),
        "model": digest,
    }


class _WorkerMonitor:
    """The monitor of one task, on a worker."""

    def __init__(self, topic: str, task: int, name: str = "", before: int = 0, steps: int = 0) -> None:
        import distributed

        self._worker = distributed.get_worker()
        self._stop = distributed.Event(topic, client=distributed.get_client())
        self._topic, self._task, self._name = topic, task, name
        self._before, self._steps = before, steps
        self._spoken = self._looked = time.monotonic()
        self._stopped = False

    def report(self, done: int, total: int, text: str = "") -> None:
        now = time.monotonic()
        if now - self._spoken >= _SOON:
            self._spoken = now
            share = (done - self._before) / max(self._steps or total, 1)
            self._say({"task": self._task, "share": min(max(share, 0.0), 1.0)})

    def log(self, level: str, text: str) -> None:
        self._say({"level": level, "text": f"{self._name}: {text}" if self._name else text})

    def cancelled(self) -> bool:
        now = time.monotonic()
        if now - self._looked >= _SOON and not self._stopped:
            self._looked = now
            self._stopped = self._stop.is_set()
        return self._stopped

    def _say(self, message: dict[str, Any]) -> None:
        self._worker.log_event(self._topic, message)


class _PackedRows:
    """Keeps rows compressed in memory; a :class:`~dubai_landcover_plugin.core.segmentation.class_rows.RowSink`."""

    def __init__(self, grid: Grid, wants_confidence: bool) -> None:
        self.grid, self.row = grid, 0
        self._wants_confidence = wants_confidence
        self.parts: list[bytes] = []

    @property
    def wants_confidence(self) -> bool:
        return self._wants_confidence

    def write_rows(self, labels: Bytes, confidence: Bytes | None) -> None:
        self.parts.append(pack_rows(labels, confidence))
        self.row += len(labels)


class _Quiet(_WorkerMonitor):
    """Passes on warnings and progress: what a run says of itself is said once, not for each shard."""

    def log(self, level: str, text: str) -> None:
        if level == "warning":
            super().log(level, text)


@_with_plain_errors
def try_runtimes(threads: dict[str, int], topic: str, task: int, request: dict[str, Any]) -> dict[str, Any]:
    """Return what a raster is best computed with, on this worker."""
    asked = SegmentationRequest.from_json(request)
    monitor = _WorkerMonitor(topic, task)
    with ExitStack() as stack:
        job = open_job(stack, asked, _model(asked.options.model))
        computation = stack.enter_context(LocalComputation(job, monitor, _own_threads(threads)))
        computed = asdict(computation.computed)
        return {"computed": computed, "seconds": computation.seconds, "warnings": computation.warnings}


@dataclass(frozen=True)
class Shard:
    """What a shard gives.

    Args:
        rows: Its finished rows, packed.
        windows: Windows that held data.
        head: Its first rows, where it shares them with the shard above.
        rest: Sums for the rows below it, (K, n, W).
    """

    rows: bytes
    windows: int
    head: Head | None
    rest: Floats


@_with_plain_errors
def compute_shard(
    threads: dict[str, int], topic: str, task: int, request: dict[str, Any], first: int, last: int
) -> Shard:
    """Compute bands ``first`` to ``last`` (excluded)."""
    keep_freed_memory()
    asked = SegmentationRequest.from_json(request)
    with ExitStack() as stack:
        job = open_job(stack, asked, _model(asked.options.model))
        tiles = job.plan.tiles
        columns = len(tiles.col_starts)
        monitor = _Quiet(topic, task, "", first * columns, (last - first) * columns)
        sink = _PackedRows(job.source.grid, asked.confidence is not None)
        maps = make_maps(stack, job, sink)
        sink.row = maps.complete_rows(tiles.row_starts[first])
        keeper = None
        if first and can_share(job.plan):
            sink.row += shared_rows(tiles, first)
            maps = keeper = HeadKeeper(maps, tiles, first, len(job.bundle.metadata.scheme.classes))
        computation = stack.enter_context(LocalComputation(job, monitor, _own_threads(threads)))
        windows, rest = computation.compute_into(maps, first, last, monitor, lambda band, held: None)
        options = asked.options
        if computation.computed != Candidate(options.runtime, options.device, options.precision):
            monitor.log("warning", f"{socket.gethostname()} computed with {computation.computed}.")
        return Shard(b"".join(sink.parts), windows, keeper.head if keeper else None, rest)


@_with_plain_errors
def compute_raster(
    threads: dict[str, int], topic: str, task: int, request: dict[str, Any], redo: bool
) -> dict[str, Any]:
    """Segment one raster of a folder; return what became of it."""
    keep_freed_memory()
    job = SegmentationRequest.from_json(request)
    monitor = _WorkerMonitor(topic, task, os.path.basename(job.input))

    def engine(opened: Job, listener: Monitor) -> AbstractContextManager[Computation]:
        return LocalComputation(opened, listener, _own_threads(threads))

    return asdict(run_one(job, _model(job.options.model), monitor, redo, engine))


@lru_cache(maxsize=2)
def _model(name: str) -> ModelBundle:
    return open_bundle(name)


def _own_threads(threads: dict[str, int]) -> int:
    return threads.get(socket.gethostname(), 1)
