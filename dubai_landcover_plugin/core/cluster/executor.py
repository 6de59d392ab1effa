"""Executors for rasters and folders on a cluster.

Workers need this package, and the model and the rasters under the same paths. Shards return their rows compressed; only
the client writes the output.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from dubai_landcover_plugin.core.cluster.connection import Cluster
from dubai_landcover_plugin.core.cluster.seams import can_share
from dubai_landcover_plugin.core.cluster.tasks import Shard, compute_raster, compute_shard, try_runtimes
from dubai_landcover_plugin.core.runtimes.candidates import Candidate
from dubai_landcover_plugin.core.segmentation.batch import RunRasters
from dubai_landcover_plugin.core.segmentation.class_rows import ClassDecision, RowSink
from dubai_landcover_plugin.core.segmentation.executor import Executor, ExecutorFactory, Finished, Job
from dubai_landcover_plugin.core.segmentation.journal import unpack_rows
from dubai_landcover_plugin.core.segmentation.manifest import BatchItem
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.translation import tr

_MIN_TILE_ROWS = 4  # of a shard: starting one takes as long as a few windows
_MIN_TILE_ROWS_REPEATING = 20  # of a shard that has to compute one more tile row
_STEPS = 1000  # progress steps of one raster


def cluster_executors(cluster: Cluster, shards: int | None = None) -> ExecutorFactory:
    """Return a factory of executors that compute a raster in shards on a cluster.

    Args:
        cluster: The workers.
        shards: Number of shards; None takes a multiple of the tasks that run at once.
    """

    def start(job: Job, monitor: Monitor) -> AbstractContextManager[Executor]:
        return ClusterExecutor(cluster, job, monitor, shards)

    return start


class ClusterExecutor:
    """Computes the rows of one raster in shards; a context manager.

    One worker selects the runtime for all shards, so that neighbouring shards are computed alike.

    Args:
        cluster: The workers.
        job: The job.
        monitor: Receives messages.
        shards: Number of shards; None takes a multiple of the tasks that run at once.
    """

    def __init__(self, cluster: Cluster, job: Job, monitor: Monitor, shards: int | None) -> None:
        self._cluster, self._job, self._shards = cluster, job, shards
        ((_, trial),) = cluster.run(try_runtimes, [(job.request.to_json(),)], monitor, [1])
        self.computed = Candidate(**trial["computed"])
        self.notes = [str(cluster)]
        self.warnings: list[str] = trial["warnings"]
        if trial["seconds"] is not None:
            count = self._count(len(job.plan.tiles.row_starts))
            seconds = trial["seconds"] / min(cluster.slots, count)
            self.notes.append(
                tr(
                    "Time: about {seconds:.0f} s in {count} shards, estimated from the trial windows.",
                    seconds=seconds,
                    count=count,
                )
            )

    def __enter__(self) -> ClusterExecutor:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def compute(self, sink: RowSink, first: int, last: int, monitor: Monitor, finished: Finished) -> int:
        """See :meth:`.Executor.compute`."""
        job, computed = self._job, self.computed
        ranges = split_tile_rows(first, last, self._count(last - first), can_share(job.plan))
        options = replace(
            job.request.options,
            runtime=computed.runtime,
            device=computed.device,
            precision=computed.precision,
            limits=job.plan.stretch.limits,  # the stretch is decided once
        )
        request = replace(job.request, options=options).to_json()
        columns = len(job.plan.tiles.col_starts)
        tasks = [(request, start, end) for start, end in ranges]
        steps = [(end - start) * columns for start, end in ranges]
        computed_shards: dict[int, Shard] = {}
        unwritten = deque(enumerate(ranges))
        decision = ClassDecision(job.bundle.metadata.scheme, job.request.options.min_confidence)
        windows, carry = 0, None
        for index, result in self._cluster.run(compute_shard, tasks, monitor, steps):
            computed_shards[index] = result
            while unwritten and unwritten[0][0] in computed_shards:  # rows are written from top to bottom
                number, (_, end) = unwritten.popleft()
                shard = computed_shards.pop(number)
                if shard.head is not None and carry is not None:
                    shard.head.finish(carry, decision, sink)
                for rows in unpack_rows(io.BytesIO(shard.rows)):
                    sink.write_rows(*rows)
                windows, carry = windows + shard.windows, shard.carry
                finished(end, windows)
        return windows

    def _count(self, tile_rows: int) -> int:
        """Return the number of shards: as given, or the largest multiple of ``slots`` with enough tile rows each."""
        least = _MIN_TILE_ROWS if can_share(self._job.plan) else _MIN_TILE_ROWS_REPEATING
        slots = self._cluster.slots
        return self._shards or max(slots * max(tile_rows // (least * slots), 1), 1)


def split_tile_rows(first: int, last: int, count: int, sharing: bool) -> list[tuple[int, int]]:
    """Return at most ``count`` half-open ranges of tile rows with about equal work.

    Args:
        first: First tile row.
        last: End of the range of tile rows, excluded.
        count: Number of ranges.
        sharing: Whether shards share rows; otherwise all shards but the first compute one more tile row.
    """
    tile_rows = last - first
    count = max(min(count, tile_rows), 1)
    repeated = 0 if sharing else 1  # tile rows that each further shard computes again
    work = tile_rows + repeated * (count - 1)
    ends = [first + round(work * (index + 1) / count) - repeated * index for index in range(count)]
    starts = [first, *ends[:-1]]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if end > start]


def map_rasters(cluster: Cluster) -> RunRasters:
    """Return the function with which :func:`.run_folder` processes the rasters of a folder on a cluster."""

    def run(jobs: list[SegmentationRequest], redo: bool, monitor: Monitor) -> Iterator[BatchItem]:
        tasks = [(job.to_json(), redo) for job in jobs]
        for _, item in cluster.run(compute_raster, tasks, monitor, [_STEPS] * len(jobs)):
            yield BatchItem(**item)

    return run
