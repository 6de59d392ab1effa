"""OpenVINO on the CPU, where it is a few times as fast as PyTorch.

A network is compiled for one shape of windows. That takes seconds, so the result is kept in the user's cache folder,
under a key of all that it depends on.
"""

from __future__ import annotations

import importlib.util
import io
import os
import platform
import queue
import sys
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from dubai_landcover_plugin.core.runtimes.cache import read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork
from dubai_landcover_plugin.core.runtimes.runtime import (
    Chips,
    Probabilities,
    RuntimeUnavailableError,
    join,
)

_TYPES = {"float32": "f32", "bfloat16": "bf16"}


def is_installed() -> bool:
    """Return whether the package is there, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def has_bfloat16() -> bool:
    """Return whether the CPU does bfloat16 in hardware, as OpenVINO sees it; not where OpenVINO cannot be loaded."""
    try:
        return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (RuntimeUnavailableError, RuntimeError):
        return False


class OpenVinoRuntime:
    """A network compiled for windows of one shape; several of them are computed at the same time.

    Args:
        network: From chips to probabilities.
        digest: What tells this network from any other, for the cache.
        shape: (C, H, W) of the windows.
        precision: ``float32`` or ``bfloat16``.
        threads: Cores to use; None for all that the process may use.

    Raises:
        RuntimeUnavailableError: if OpenVINO is missing, or cannot compute this network.
    """

    name = "openvino"
    device = "cpu"
    batch = 1

    def __init__(
        self,
        network: ProbabilityNetwork,
        digest: str,
        shape: tuple[int, int, int],
        precision: str,
        threads: int | None = None,
    ) -> None:
        if precision not in _TYPES:
            raise RuntimeUnavailableError(f"OpenVINO does not compute in {precision}.", "Use float32 or bfloat16.")
        self.precision = precision
        settings = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
            "INFERENCE_NUM_THREADS": threads or _cores(),
        }
        openvino = _openvino()
        try:
            compiled = _compile(openvino, network, digest, shape, settings)
            streams = int(compiled.get_property("NUM_STREAMS"))
        except Exception as error:  # its own classes, RuntimeError, and whatever tracing raises
            raise RuntimeUnavailableError(
                f"OpenVINO cannot compute this network: {type(error).__name__}: {error}", "Choose runtime torch."
            ) from error
        self.in_flight = streams + 1
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())
        self._threads = ThreadPoolExecutor(streams, "openvino")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Begin with (N, C, H, W) chips; see :class:`~.runtime.Runtime`."""
        return join([self._threads.submit(self._compute, chip[None]) for chip in chips])

    def close(self) -> None:
        """Give back threads and requests."""
        self._threads.shutdown(cancel_futures=True)

    def _compute(self, chip: Chips) -> Probabilities:
        request = self._idle.get()
        try:
            answer: Probabilities = request.infer({0: chip}, share_inputs=True)[0]
            return answer
        finally:
            self._idle.put(request)


def _openvino() -> Any:
    """Return the package, which without this would report its use to its makers over the network when imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except (ImportError, OSError) as error:
        raise RuntimeUnavailableError(f"OpenVINO cannot be loaded: {error}.", "Choose runtime torch.") from error
    return openvino


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compile(
    openvino: Any, network: ProbabilityNetwork, digest: str, shape: tuple[int, int, int], settings: dict[str, Any]
) -> Any:
    """Return the compiled network, from the cache if it is there and can be read."""
    core = openvino.Core()
    processor = core.get_property("CPU", "FULL_DEVICE_NAME")
    key = (digest, shape, sorted(settings.items()), openvino.__version__, processor, platform.machine())
    stored = read_cached("openvino", key)
    if stored is not None:
        try:
            return core.import_model(io.BytesIO(stored), "CPU", settings)
        except RuntimeError:  # damaged, or from another machine that shares the folder: made anew
            stored = None
    compiled = core.compile_model(_convert(openvino, network, shape), "CPU", settings)
    write_cached("openvino", key, compiled.export_model().getvalue())
    return compiled


def _convert(openvino: Any, network: ProbabilityNetwork, shape: tuple[int, int, int]) -> Any:
    example = torch.zeros((1, *shape), dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's, about shapes that become constants: they are meant to
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        model = openvino.convert_model(traced, example_input=example)
    model.reshape([1, *shape])
    return model
