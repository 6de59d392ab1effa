"""Connection to a Dask cluster: checks the workers and runs tasks on them.

Processes that ``--workers`` starts listen on the loopback interface only, without Dask's dashboard.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.cluster.tasks import identify
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.errors import ClusterError, RunCancelled
from dubai_landcover_plugin.protocol.failures import one_line
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import joined, tr

_RETRIES = 1  # of a task that failed; tasks of workers that die are rescheduled anyway
_CONNECT_TIMEOUT = 5  # s
_LOCAL_CONFIG = {
    "distributed.worker.profile.enabled": False,  # takes 3 % of the time
    "distributed.scheduler.http.routes": [],  # no pages and no metrics
    "distributed.worker.http.routes": [],
}
_POLL = 0.5  # s between checks of progress and cancellation


class Cluster:
    """The workers of a cluster.

    Attributes:
        threads: Cores for each task, by host name.
        slots: Number of tasks that run at once.

    Args:
        client: A ``distributed.Client``.
        model: Name or path of the model, which every worker needs.

    Raises:
        ClusterError: if there are no workers, or one has another version of this package or another model.
    """

    def __init__(self, client: Any, model: str) -> None:
        self.client = client
        known = _identify_workers(client, model)
        self._check(known, model)
        hosts = Counter(worker["host"] for worker in known.values() for _ in range(worker["slots"]))
        self.threads = {host: max(known_cores // hosts[host], 1) for host, known_cores in _cores_of(known).items()}
        self.slots = sum(hosts.values())

    def __str__(self) -> str:
        listed = joined(
            tr("{host} ({threads} cores for each task)", host=host, threads=threads)
            for host, threads in self.threads.items()
        )
        return tr("Cluster: {count} tasks at once on {listed}.", count=self.slots, listed=listed)

    def run(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], monitor: Monitor, steps: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """Run ``function`` on each task and yield (index, result) in the order of completion.

        Tasks of workers that die are rescheduled. On cancellation, running tasks are stopped and the others dropped.

        Args:
            function: Called with :attr:`threads`, the topic for messages, the index of the task, and its arguments.
            tasks: Arguments of each task.
            monitor: Receives progress and messages; may cancel.
            steps: Progress steps of each task.

        Raises:
            ClusterError: if workers die repeatedly of the same task.
            LandCoverError: the error of a task that failed.
            RunCancelled: if the monitor cancels the run.
        """
        import distributed

        board = _ProgressBoard(steps, monitor)
        # One topic for each run: tasks of a cancelled run may continue for a moment, and must not be received here.
        topic = f"landcover-{uuid.uuid4().hex}"
        stop = distributed.Event(topic, client=self.client)
        futures: list[Any] = []  # referenced until the end: Dask releases futures without references
        self.client.subscribe_topic(topic, board.receive)
        ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        running = {}
        try:
            for index, task in enumerate(tasks):
                future = self.client.submit(
                    function, self.threads, topic, index, *task, pure=False, retries=_RETRIES, priority=-index
                )
                running[future.key] = index
                future.add_done_callback(ended.put)
                futures.append(future)
            while running:
                raise_if_cancelled(monitor)
                board.report()
                with suppress(queue.Empty):
                    future = ended.get(timeout=_POLL)
                    index = running.pop(future.key)
                    board.finish(index)
                    yield index, _result(future)
            board.report()
        finally:
            if running:
                stop.set()
                self.client.cancel(futures)
            self.client.unsubscribe_topic(topic)

    def _check(self, known: dict[str, dict[str, Any]], model: str) -> None:
        """Check that there are workers, with this version of the package and with the model.

        Raises:
            ClusterError: if not.
        """
        if not known:
            raise ClusterError(
                tr("The cluster has no workers."), tr("Start some with: dask worker SCHEDULER --nthreads 1")
            )
        own = versions()
        digest = open_bundle(model).digest
        for address, worker in known.items():
            if "error" in worker:
                raise ClusterError(
                    tr("The worker {address} cannot compute: {error}", address=address, error=worker["error"]),
                    tr("Install package and model there."),
                )
            if worker["versions"]["dubai_landcover"] != own["dubai_landcover"]:
                raise ClusterError(
                    tr(
                        "The worker {address} has version {version}, this machine has {other_version}.",
                        address=address,
                        version=worker["versions"]["dubai_landcover"],
                        other_version=own["dubai_landcover"],
                    ),
                    tr("Install the same version on all machines."),
                )
            if worker["model"] != digest:
                raise ClusterError(
                    tr("The worker {address} has a different model named {model}.", address=address, model=model),
                    tr("Copy the model there."),
                )


@contextmanager
def open_cluster(scheduler: str | None, workers: int | None, model: str) -> Iterator[Cluster]:
    """Connect to a cluster, or start one on this machine.

    Args:
        scheduler: Address of a Dask scheduler, e.g. ``tcp://10.0.0.1:8786``, or ``tls://`` with the certificates of
            Dask's configuration. Scheduler and workers are trusted: they exchange pickled objects.
        workers: Number of processes to start on this machine, without ``scheduler``.
        model: Name or path of the model.

    Raises:
        ClusterError: if Dask is not installed, the scheduler does not answer or a worker lacks version or model.
    """
    try:
        import dask.config
        import distributed
    except ImportError as error:
        raise ClusterError(
            tr("Clusters need the package distributed, which is not installed."),
            tr("Run: pip install 'dubai-landcover[cluster]'"),
        ) from error
    with ExitStack() as stack:
        try:
            address: Any = scheduler
            if scheduler is not None:
                # In a thread: a notebook has an event loop in its main thread.
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(asyncio.run, _connect_once(scheduler)).result()
            else:
                stack.enter_context(dask.config.set(_LOCAL_CONFIG))
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        memory_limit=0,
                        host="127.0.0.1",
                        dashboard_address="127.0.0.1:0",  # of the HTTP server, which cannot be switched off
                        scheduler_kwargs={"dashboard": False},
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = stack.enter_context(distributed.Client(address, timeout=_CONNECT_TIMEOUT, set_as_default=False))
        except Exception as error:  # Dask raises many types, AssertionError and RuntimeError among them
            raise ClusterError(
                tr(
                    "No Dask scheduler answers at {address}: {error}.",
                    address=scheduler or "127.0.0.1",
                    error=one_line(error),
                ),
                tr("Check the address and that the scheduler runs; tls:// needs certificates in Dask's configuration."),
            ) from error
        yield Cluster(client, model)


async def _connect_once(scheduler: str) -> None:
    """Connect to a scheduler and close the connection.

    A ``distributed.Client`` that cannot connect is closed by the garbage collector, which blocks forever if that
    happens while another client starts. Hence no client is made for a scheduler that does not answer.

    Raises:
        OSError: if the scheduler does not answer in time or closes the connection.
    """
    import distributed
    from distributed.comm.core import connect

    arguments = distributed.Security().get_connection_args("client")
    connection = await asyncio.wait_for(
        connect(scheduler, timeout=_CONNECT_TIMEOUT, **arguments), timeout=2 * _CONNECT_TIMEOUT
    )
    await connection.close()


@dataclass
class _ProgressBoard:
    """Progress of the tasks, from their messages.

    Args:
        steps: Progress steps of each task.
        monitor: Receives progress and messages.
        done: Finished share of each task, 0..1.
    """

    steps: Sequence[int]
    monitor: Monitor
    done: dict[int, float] = field(default_factory=dict)

    def receive(self, event: tuple[float, dict[str, Any]]) -> None:
        """Process a message of a worker; called in a thread of the client."""
        _, message = event
        if "text" in message:
            self.monitor.log(message["level"], message["text"])
        else:
            self.done[message["task"]] = max(message["share"], self.done.get(message["task"], 0.0))

    def finish(self, task: int) -> None:
        """Mark a task as done."""
        self.done[task] = 1.0

    def report(self) -> None:
        """Report the total progress."""
        done = sum(self.steps[task] * share for task, share in list(self.done.items()))
        self.monitor.report(
            round(done), sum(self.steps), tr("{count} tasks done", count=sum(s == 1 for s in self.done.values()))
        )


def _identify_workers(client: Any, model: str) -> dict[str, dict[str, Any]]:
    """Return the answer of :func:`.identify` of each worker, by address; errors under the key ``error``."""
    answers: dict[str, Any] = client.run(identify, model, on_error="return")
    return {
        address: {"error": f"{type(answer).__name__}: {answer}"} if isinstance(answer, BaseException) else answer
        for address, answer in answers.items()
    }


def _cores_of(known: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return the number of cores that the workers of each host may use together.

    A queueing system may restrict workers to disjoint sets of cores; a container limits their number.
    """
    numbers: dict[str, set[int]] = {}
    for worker in known.values():
        numbers.setdefault(worker["host"], set()).update(worker["numbers"])
    return {
        worker["host"]: worker["cores"] * len(numbers[worker["host"]]) // len(worker["numbers"])
        for worker in known.values()
    }


def _result(future: Any) -> Any:
    """Return the result of a completed future.

    Raises:
        ClusterError: if workers died computing it.
        LandCoverError: the error of the task.
    """
    import distributed

    try:
        return future.result()
    except distributed.KilledWorker as error:
        raise ClusterError(
            tr(
                "Several workers died while computing the same task ({error}), probably of lack of memory.", error=error
            ),
            tr("Start fewer workers on each machine, or lower the window."),
        ) from error
    except distributed.CancelledError as error:
        raise RunCancelled(tr("The cluster cancelled the run.")) from error
