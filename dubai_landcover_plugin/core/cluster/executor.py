"""Rasters and folders on a cluster, behind the interfaces that runs on one machine have.

Workers need this package, the model and the rasters under the same names. The rows of shards travel back compressed, so
that only the machine that asks writes.
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
from dubai_landcover_plugin.core.runtimes.selection import Candidate
from dubai_landcover_plugin.core.segmentation.batch import BatchItem, RunRasters
from dubai_landcover_plugin.core.segmentation.class_rows import Decision, RowSink
from dubai_landcover_plugin.core.segmentation.executor import Computation, Engine, Finished, Job
from dubai_landcover_plugin.core.segmentation.journal import unpack_rows
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

_SHARING_BANDS = 4  # least bands of a shard: its start takes as long as a few windows
_REPEATING_BANDS = 20  # where it computes a band that is not its own
_STEPS = 1000  # of one raster


def cluster_engine(cluster: Cluster, shards: int | None = None) -> Engine:
    """Return what computes a raster in shards on a cluster.

    Args:
        cluster: The workers.
        shards: How many; None takes what keeps the workers busy.
    """

    def start(job: Job, monitor: Monitor) -> AbstractContextManager[Computation]:
        return ClusterComputation(cluster, job, monitor, shards)

    return start


class ClusterComputation:
    """Computes the rows of one raster in shards; a context manager.

    One worker tries the runtimes; all use what proved best there, so that no shard differs from its neighbour.

    Args:
        cluster: The workers.
        job: What to compute.
        monitor: Where messages go.
        shards: How many; None takes what keeps the workers busy.
    """

    def __init__(self, cluster: Cluster, job: Job, monitor: Monitor, shards: int | None) -> None:
        self._cluster, self._job, self._shards = cluster, job, shards
        ((_, told),) = cluster.run(try_runtimes, [(job.request.to_json(),)], monitor, [1])
        self.computed = Candidate(**told["computed"])
        self.notes = [str(cluster)]
        self.warnings: list[str] = told["warnings"]
        if told["seconds"] is not None:
            count = self._count(len(job.plan.tiles.row_starts))
            seconds = told["seconds"] / min(cluster.slots, count)
            self.notes.append(f"Time: about {seconds:.0f} s in {count} shards, by the trial on a few windows.")

    def __enter__(self) -> ClusterComputation:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def compute(self, sink: RowSink, first: int, last: int, monitor: Monitor, finished: Finished) -> int:
        """See :meth:`~.computation.Computation.compute`."""
        job, computed = self._job, self.computed
        ranges = split_bands(first, last, self._count(last - first), can_share(job.plan))
        options = replace(
            job.request.options, runtime=computed.runtime, device=computed.device, precision=computed.precision
        )
        request = replace(job.request, options=options).to_json()
        columns = len(job.plan.tiles.col_starts)
        tasks = [(request, start, end) for start, end in ranges]
        steps = [(end - start) * columns for start, end in ranges]
        waiting: dict[int, Shard] = {}
        coming = deque(enumerate(ranges))
        decision = Decision(job.bundle.metadata.scheme, job.request.options.min_confidence)
        windows, rest = 0, None
        for index, result in self._cluster.run(compute_shard, tasks, monitor, steps):
            waiting[index] = result
            while coming and coming[0][0] in waiting:  # rows are written from the top
                number, (_, end) = coming.popleft()
                shard = waiting.pop(number)
                if shard.head is not None and rest is not None:
                    shard.head.finish(rest, decision, sink)
                for labels, confidence in unpack_rows(io.BytesIO(shard.rows)):
                    sink.write_rows(labels, confidence)
                windows, rest = windows + shard.windows, shard.rest
                finished(end, windows)
        return windows

    def _count(self, bands: int) -> int:
        """Return how many shards: a multiple of the tasks that run at once, or as many as there are bands."""
        least = _SHARING_BANDS if can_share(self._job.plan) else _REPEATING_BANDS
        slots = self._cluster.slots
        return self._shards or max(slots * max(bands // (least * slots), 1), 1)


def split_bands(first: int, last: int, count: int, sharing: bool) -> list[tuple[int, int]]:
    """Return at most ``count`` ranges of bands of about equal work.

    Args:
        first: The first band.
        last: The band after the last one.
        count: How many ranges.
        sharing: Whether shards share rows; else all but the first have a band to compute that is not theirs.
    """
    bands = last - first
    count = max(min(count, bands), 1)
    twice = 0 if sharing else 1
    work = bands + twice * (count - 1)
    ends = [first + round(work * (index + 1) / count) - twice * index for index in range(count)]
    starts = [first, *ends[:-1]]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if end > start]


def map_rasters(cluster: Cluster) -> RunRasters:
    """Return what :func:`.segment_folder` runs the rasters of a folder with."""

    def run(jobs: list[SegmentationRequest], redo: bool, monitor: Monitor) -> Iterator[BatchItem]:
        tasks = [(job.to_json(), redo) for job in jobs]
        for _, item in cluster.run(compute_raster, tasks, monitor, [_STEPS] * len(jobs)):
            yield BatchItem(**item)

    return run
