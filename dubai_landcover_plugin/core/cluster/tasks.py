"""Tasks that run on the workers of a cluster."""

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
from dubai_landcover_plugin.core.cluster.seams import ShardHead, ShardHeadRecorder, can_share, shared_rows
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.runtimes.candidates import Candidate
from dubai_landcover_plugin.core.runtimes.hardware import core_numbers, cores, keep_freed_memory
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.core.segmentation.batch import run_one
from dubai_landcover_plugin.core.segmentation.blending import Floats
from dubai_landcover_plugin.core.segmentation.executor import Executor, Job, LocalExecutor, make_class_maps, open_job
from dubai_landcover_plugin.core.segmentation.journal import Bytes, pack_rows
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.translation import tr

_Task = TypeVar("_Task", bound=Callable[..., Any])
_INTERVAL = 1.0  # s between messages, and between checks for cancellation


def _with_plain_errors(task: _Task) -> _Task:
    """Raise errors without their cause: the exception of a library may not be picklable and would replace ours."""

    @wraps(task)
    def run(*arguments: Any) -> Any:
        try:
            return task(*arguments)
        except Exception as error:
            found = explained(error)
            plain = type(found)(found.message, found.remedy)
        raise plain

    return cast(_Task, run)


def identify(model: str, dask_worker: Any) -> dict[str, Any]:
    """Return host, cores, versions and model digest of a worker; Dask passes the worker as ``dask_worker``."""
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
    """Monitor of one task on a worker: sends messages to the client and polls for cancellation.

    Args:
        topic: Topic of the run's messages, and name of its cancellation event.
        task: Index of the task.
        name: Prefix of log messages.
        before: Progress of ``report`` at which the task starts.
        steps: Progress steps of the task; 0 takes the total of each report.
    """

    def __init__(self, topic: str, task: int, name: str = "", before: int = 0, steps: int = 0) -> None:
        import distributed

        self._worker = distributed.get_worker()
        self._stop = distributed.Event(topic, client=distributed.get_client())
        self._topic, self._task, self._name = topic, task, name
        self._before, self._steps = before, steps
        self._reported = self._polled = time.monotonic()
        self._stopped = False

    def report(self, done: int, total: int, text: str = "") -> None:
        now = time.monotonic()
        if now - self._reported >= _INTERVAL:
            self._reported = now
            share = (done - self._before) / max(self._steps or total, 1)
            self._send({"task": self._task, "share": min(max(share, 0.0), 1.0)})

    def log(self, level: str, text: str) -> None:
        self._send({"level": level, "text": f"{self._name}: {text}" if self._name else text})

    def cancelled(self) -> bool:
        now = time.monotonic()
        if now - self._polled >= _INTERVAL and not self._stopped:
            self._polled = now
            self._stopped = self._stop.is_set()
        return self._stopped

    def _send(self, message: dict[str, Any]) -> None:
        self._worker.log_event(self._topic, message)


class _PackedRows:
    """Stores rows compressed in memory; a :class:`~dubai_landcover_plugin.core.segmentation.class_rows.RowSink`."""

    def __init__(self, grid: Grid, with_confidence: bool, with_probabilities: bool) -> None:
        self.grid, self.row = grid, 0
        self._with_confidence, self._with_probabilities = with_confidence, with_probabilities
        self.parts: list[bytes] = []

    @property
    def with_confidence(self) -> bool:
        return self._with_confidence

    @property
    def with_probabilities(self) -> bool:
        return self._with_probabilities

    def write_rows(self, labels: Bytes, confidence: Bytes | None, probabilities: Bytes | None = None) -> None:
        self.parts.append(pack_rows(labels, confidence, probabilities))
        self.row += len(labels)


class _WarningsMonitor(_WorkerMonitor):
    """Forwards only warnings and progress: the client logs the plan once, not for each shard."""

    def log(self, level: str, text: str) -> None:
        if level == "warning":
            super().log(level, text)


@_with_plain_errors
def try_runtimes(threads: dict[str, int], topic: str, task: int, request: dict[str, Any]) -> dict[str, Any]:
    """Return the runtime selected for a raster on this worker, its estimated time (s) and warnings."""
    parsed = SegmentationRequest.from_json(request)
    monitor = _WorkerMonitor(topic, task)
    with ExitStack() as stack:
        job = open_job(stack, parsed, _model(parsed.options.model))
        executor = stack.enter_context(LocalExecutor(job, monitor, _own_threads(threads)))
        computed = asdict(executor.computed)
        return {"computed": computed, "seconds": executor.seconds, "warnings": executor.warnings}


@dataclass(frozen=True)
class Shard:
    """Result of a shard.

    Args:
        rows: Finished rows, packed by :func:`.pack_rows`.
        windows: Number of windows with valid pixels.
        head: Sums for the first rows, if they are shared with the shard above.
        carry: Sums for the rows below the shard, (K, n, W) float32.
    """

    rows: bytes
    windows: int
    head: ShardHead | None
    carry: Floats


@_with_plain_errors
def compute_shard(
    threads: dict[str, int], topic: str, task: int, request: dict[str, Any], first: int, last: int
) -> Shard:
    """Compute tile rows ``first`` to ``last`` (excluded)."""
    keep_freed_memory()
    parsed = SegmentationRequest.from_json(request)
    with ExitStack() as stack:
        job = open_job(stack, parsed, _model(parsed.options.model))
        tiles = job.plan.tiles
        columns = len(tiles.col_starts)
        monitor = _WarningsMonitor(topic, task, "", first * columns, (last - first) * columns)
        sink = _PackedRows(job.source.grid, parsed.confidence is not None, parsed.probabilities is not None)
        maps = make_class_maps(stack, job, sink)
        # First row to write: the first that is not complete without this shard. Rows shared with the shard above go
        # into the head instead.
        sink.row = maps.complete_rows(tiles.row_starts[first])
        recorder = None
        if first and can_share(job.plan):
            sink.row += shared_rows(tiles, first)
            maps = recorder = ShardHeadRecorder(maps, tiles, first, len(job.bundle.metadata.scheme.classes))
        executor = stack.enter_context(LocalExecutor(job, monitor, _own_threads(threads)))
        windows, carry = executor.compute_into(maps, first, last, monitor, lambda tile_rows, computed: None)
        options = parsed.options
        if executor.computed != Candidate(options.runtime, options.device, options.precision):
            monitor.log(
                "warning",
                tr(
                    "{host} computed with {computed}.",
                    host=socket.gethostname(),
                    computed=executor.computed,
                ),
            )
        return Shard(b"".join(sink.parts), windows, recorder.head if recorder else None, carry)


@_with_plain_errors
def compute_raster(
    threads: dict[str, int], topic: str, task: int, request: dict[str, Any], redo: bool
) -> dict[str, Any]:
    """Segment one raster of a folder; return its :class:`.BatchItem` as a dictionary."""
    keep_freed_memory()
    job = SegmentationRequest.from_json(request)
    monitor = _WorkerMonitor(topic, task, os.path.basename(job.input))

    def make_executor(opened: Job, job_monitor: Monitor) -> AbstractContextManager[Executor]:
        return LocalExecutor(opened, job_monitor, _own_threads(threads))

    return asdict(run_one(job, _model(job.options.model), monitor, redo, make_executor))


def _model(name: str) -> ModelBundle:
    """Return an open model, opened again if its files have changed since the last task."""
    if not _open_model(name).is_unchanged:
        _open_model.cache_clear()
    return _open_model(name)


_open_model = lru_cache(maxsize=2)(open_bundle)


def _own_threads(threads: dict[str, int]) -> int:
    return threads.get(socket.gethostname(), 1)
