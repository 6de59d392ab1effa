"""A connection to the workers: what they are, and tasks that run there."""

from __future__ import annotations

import logging
import queue
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.cluster.tasks import identify
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.errors import ClusterError, RunCancelled
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

_RETRIES = 1  # of a task that failed; those of workers that die are run again anyway
_ANSWER = 5  # s that a scheduler has to answer
_POLL = 0.5  # s between looks at the cluster


class Cluster:
    """Workers that compute.

    Args:
        client: A ``distributed.Client``.
        model: Name or path of the model that they are to have.

    Raises:
        ClusterError: if there is no worker, or one has other software or another model.
    """

    def __init__(self, client: Any, model: str) -> None:
        self.client = client
        known = _ask(client, model)
        self._check(known, model)
        hosts = Counter(worker["host"] for worker in known.values() for _ in range(worker["slots"]))
        self.threads = {host: max(known_cores // hosts[host], 1) for host, known_cores in _cores_of(known).items()}
        self.slots = sum(hosts.values())

    def __str__(self) -> str:
        listed = ", ".join(f"{host} ({threads} cores for each task)" for host, threads in self.threads.items())
        return f"Cluster: {self.slots} tasks at once on {listed}."

    def run(
        self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], monitor: Monitor, steps: Sequence[int]
    ) -> Iterator[tuple[int, Any]]:
        """Run ``function`` on each task and yield index and result in the order in which they end.

        Tasks of workers that die are run again by others. On cancelling, those that run are told and the rest dropped.

        Args:
            function: Gets threads by host, the topic of messages, the number of the task, and the task.
            tasks: Arguments.
            monitor: Where progress and messages go; may cancel.
            steps: Progress of each task.

        Raises:
            ClusterError: if a task kept its workers from living.
            LandCoverError: what a task failed with.
        """
        import distributed

        board = _Board(steps, monitor)
        # Its own for each run: tasks of a cancelled one may go on for a moment, and must neither be heard nor go on.
        topic = f"landcover-{uuid.uuid4().hex}"
        stop = distributed.Event(topic, client=self.client)
        futures: list[Any] = []  # held: Dask forgets those that nobody holds
        self.client.subscribe_topic(topic, board.hear)
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
                board.tell()
                with suppress(queue.Empty):
                    future = ended.get(timeout=_POLL)
                    index = running.pop(future.key)
                    board.finish(index)
                    yield index, _result(future)
            board.tell()
        finally:
            if running:
                stop.set()
                self.client.cancel(futures)
            self.client.unsubscribe_topic(topic)

    def _check(self, known: dict[str, dict[str, Any]], model: str) -> None:
        if not known:
            raise ClusterError("The cluster has no workers.", "Start some with: dask worker SCHEDULER --nthreads 1")
        own = versions()
        digest = open_bundle(model).digest
        for address, worker in known.items():
            if "error" in worker:
                raise ClusterError(f"The worker {address} cannot compute: {worker['error']}", "Install it there.")
            if worker["versions"]["dubai_landcover"] != own["dubai_landcover"]:
                raise ClusterError(
                    f"The worker {address} has version {worker['versions']['dubai_landcover']}, here is "
                    f"{own['dubai_landcover']}.",
                    "Install the same version everywhere.",
                )
            if worker["model"] != digest:
                raise ClusterError(
                    f"The worker {address} has another model under the name {model}.", "Copy the model there."
                )


@contextmanager
def open_cluster(scheduler: str | None, workers: int | None, model: str) -> Iterator[Cluster]:
    """Connect to a cluster, or make one on this machine.

    Args:
        scheduler: Address of a Dask scheduler, e.g. ``tcp://10.0.0.1:8786``.
        workers: Number of processes on this machine, where there is no scheduler.
        model: Name or path of the model.

    Raises:
        ClusterError: if Dask is missing, nobody answers or the workers do not suit.
    """
    try:
        import dask.config
        import distributed
    except ImportError as error:
        raise ClusterError(
            "Clusters need the package distributed, which is not installed.", "pip install 'dubai-landcover[cluster]'"
        ) from error
    with ExitStack() as stack:
        try:
            place: Any = scheduler
            if scheduler is None:
                stack.enter_context(dask.config.set({"distributed.worker.profile.enabled": False}))  # it costs 3 %
                place = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        memory_limit=0,
                        dashboard_address=":0",
                        silence_logs=logging.CRITICAL,
                    )
                )
            client = stack.enter_context(distributed.Client(place, timeout=_ANSWER, set_as_default=False))
        except (OSError, TimeoutError, ValueError) as error:
            raise ClusterError(
                f"No Dask scheduler answers at {scheduler}: {error}.", "Check the address and that it runs."
            ) from error
        yield Cluster(client, model)


@dataclass
class _Board:
    """What the tasks have told of their progress."""

    steps: Sequence[int]
    monitor: Monitor
    done: dict[int, float] = field(default_factory=dict)

    def hear(self, event: tuple[float, dict[str, Any]]) -> None:
        """Take a message of a worker; in a thread of the client's."""
        _, message = event
        if "text" in message:
            self.monitor.log(message["level"], message["text"])
        else:
            self.done[message["task"]] = max(message["share"], self.done.get(message["task"], 0.0))

    def finish(self, task: int) -> None:
        """Count a task as done."""
        self.done[task] = 1.0

    def tell(self) -> None:
        """Report."""
        done = sum(self.steps[task] * share for task, share in list(self.done.items()))
        self.monitor.report(round(done), sum(self.steps), f"{sum(s == 1 for s in self.done.values())} tasks done")


def _ask(client: Any, model: str) -> dict[str, dict[str, Any]]:
    """Return what each worker says of itself, by address."""
    answers: dict[str, Any] = client.run(identify, model, on_error="return")
    return {
        address: {"error": f"{type(answer).__name__}: {answer}"} if isinstance(answer, BaseException) else answer
        for address, answer in answers.items()
    }


def _cores_of(known: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return the cores of each host that its workers may use together: a queueing system may part them."""
    numbers: dict[str, set[int]] = {}
    for worker in known.values():
        numbers.setdefault(worker["host"], set()).update(worker["numbers"])
    return {
        worker["host"]: worker["cores"] * len(numbers[worker["host"]]) // len(worker["numbers"])
        for worker in known.values()
    }


def _result(future: Any) -> Any:
    """Return the result of a future that is done.

    Raises:
        ClusterError: if the workers died of it.
        LandCoverError: what the task failed with.
    """
    import distributed

    try:
        return future.result()
    except distributed.KilledWorker as error:
        raise ClusterError(
            f"Workers died while they computed the same task ({error}).",
            "Probably they ran out of memory: start fewer on each machine, or lower the window.",
        ) from error
    except distributed.CancelledError as error:
        raise RunCancelled("The cluster dropped the run.") from error
