"""Runs a network up to its last layer: the features of its decoder levels, with OpenVINO or PyTorch."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.openvino_runtime import (
    Graph,
    compile_graph,
    has_bfloat16,
    is_installed,
    load_openvino,
)
from dubai_landcover_plugin.core.runtimes.runtime import (
    Chips,
    RuntimeUnavailableError,
    is_out_of_memory,
    out_of_memory,
)
from dubai_landcover_plugin.core.runtimes.selection import Log
from dubai_landcover_plugin.protocol.failures import one_line
from dubai_landcover_plugin.protocol.translation import tr

Floats = npt.NDArray[np.float32]
Levels = list[Floats]
"""Features of a window: (C, h, w) float32 of each decoder level, each at half the stride of the one before it."""

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


class FeatureRuntime(Protocol):
    """A network that computes features of windows of one shape.

    Attributes:
        name: ``openvino`` or ``torch``.
        precision: ``float32`` or ``bfloat16``.
        in_flight: Number of concurrent windows that keep it busy.
    """

    name: str
    precision: str
    in_flight: int

    def submit(self, chip: Chips) -> Future[Levels]:
        """Start computing a (C, H, W) uint8 chip whose sides are multiples of the network's stride."""
        ...

    def close(self) -> None:
        """Release threads and memory."""
        ...


def open_features(
    bundle: ModelBundle, shape: tuple[int, int, int], runtime: str, precision: str, threads: int, log: Log
) -> FeatureRuntime:
    """Return the network of a model, compiled for windows of one shape, on the CPU.

    Args:
        bundle: A model that can be taught.
        shape: (C, H, W) of the windows; H and W are multiples of the model's stride.
        runtime: ``auto``, ``openvino`` or ``torch``.
        precision: ``auto`` for the fastest that the processor computes well, ``float32`` or ``bfloat16``.
        threads: Number of cores to use.
        log: Receives messages as level and text.

    Raises:
        RuntimeUnavailableError: if the requested runtime cannot compute the network.
        BundleError: if the weights cannot be read.
    """
    if runtime == "openvino" or (runtime == "auto" and is_installed()):
        try:
            return OpenVinoFeatures(bundle, shape, precision, threads)
        except RuntimeUnavailableError as error:
            if runtime == "openvino":
                raise
            log("warning", tr("{error} PyTorch is used instead.", error=error))
    return TorchFeatures(bundle, "float32" if precision == "auto" else precision, threads)


class OpenVinoFeatures:
    """Features with OpenVINO; see :func:`open_features`.

    Raises:
        RuntimeUnavailableError: if OpenVINO is not installed or cannot compute this network.
    """

    name = "openvino"

    def __init__(self, bundle: ModelBundle, shape: tuple[int, int, int], precision: str, threads: int) -> None:
        openvino = load_openvino()
        self.precision = precision
        if precision == "auto":
            self.precision = "bfloat16" if has_bfloat16() else "float32"
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        try:
            compiled = compile_graph(openvino, Graph(bundle, features=True), shape, "CPU", settings)
            streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        except (RuntimeError, TypeError, ValueError) as error:
            raise RuntimeUnavailableError(tr("OpenVINO cannot compute this network: {error}.", error=error)) from error
        self.in_flight = streams + 1
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())
        self._levels = len(compiled.outputs)
        self._threads = ThreadPoolExecutor(streams, "features")

    def submit(self, chip: Chips) -> Future[Levels]:
        """See :meth:`FeatureRuntime.submit`."""
        return self._threads.submit(self._run, chip)

    def close(self) -> None:
        """See :meth:`FeatureRuntime.close`."""
        self._threads.shutdown(cancel_futures=True)

    def _run(self, chip: Chips) -> Levels:
        request = self._idle.get()
        try:
            request.infer({0: chip[None]}, share_inputs=True, share_outputs=True)
            return [np.array(request.get_output_tensor(index).data[0]) for index in range(self._levels)]
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                raise out_of_memory(chip[None], "cpu") from error
            raise RuntimeUnavailableError(
                tr("OpenVINO failed: {error}.", error=one_line(error)), tr("Choose runtime torch.")
            ) from error
        finally:
            self._idle.put(request)


class TorchFeatures:
    """Features with PyTorch; see :func:`open_features`."""

    name = "torch"
    in_flight = 2

    def __init__(self, bundle: ModelBundle, precision: str, threads: int) -> None:
        import torch  # takes seconds; OpenVINO does not need it once its graph is cached

        from dubai_landcover_plugin.core.runtimes.network import FeatureNetwork

        self.precision = precision
        torch.set_num_threads(threads)
        self._network = FeatureNetwork(bundle).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._thread = ThreadPoolExecutor(1, "features")

    def submit(self, chip: Chips) -> Future[Levels]:
        """See :meth:`FeatureRuntime.submit`."""
        return self._thread.submit(self._run, chip)

    def close(self) -> None:
        """See :meth:`FeatureRuntime.close`."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self, chip: Chips) -> Levels:
        import torch

        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            levels = self._network(torch.from_numpy(chip[None]))
        return [np.ascontiguousarray(level[0].float().numpy()) for level in levels]
