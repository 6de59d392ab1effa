"""OpenVINO, on CPUs a few times as fast as PyTorch.

A network is converted once; that takes a second and PyTorch, which takes longer to load. So the converted graph, which
fits windows of any size, is kept in the user's cache folder, and what was compiled of it for windows of one size too.
"""

from __future__ import annotations

import importlib.util
import io
import queue
import sys
import tempfile
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dubai_landcover_plugin.core.bundle import ModelBundle
from dubai_landcover_plugin.core.errors import LandCoverError
from dubai_landcover_plugin.core.runtimes.cache import read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.hardware import processor
from dubai_landcover_plugin.core.runtimes.runtime import (
    Chips,
    Probabilities,
    RuntimeUnavailableError,
    is_out_of_memory,
    join,
    out_of_memory,
)

_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_DEVICES = {"cpu": "CPU", "intel-gpu": "GPU"}


def is_installed() -> bool:
    """Return whether the package is there, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def has_device(name: str) -> bool:
    """Return whether OpenVINO can compute on ``cpu`` or ``intel-gpu``; not where it cannot be loaded."""
    try:
        found = _openvino().Core().available_devices
    except (RuntimeUnavailableError, RuntimeError):
        return False
    return any(device.split(".")[0] == _DEVICES.get(name) for device in found)


def has_bfloat16() -> bool:
    """Return whether the CPU does bfloat16 in hardware, as OpenVINO sees it; not where OpenVINO cannot be loaded."""
    try:
        return "BF16" in _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (RuntimeUnavailableError, RuntimeError):
        return False


class OpenVinoRuntime:
    """A network compiled for windows of one shape; several of them are computed at the same time.

    Args:
        bundle: The model.
        tta: Test-time augmentation.
        shape: (C, H, W) of the windows; H and W are multiples of the model's stride.
        device: ``cpu`` or ``intel-gpu``.
        precision: ``float32``, ``bfloat16`` or, on a GPU, ``float16``.
        threads: Cores to use.
        lean: Compute one window at a time, with all cores: slower and in less memory.

    Raises:
        RuntimeUnavailableError: if OpenVINO is missing, or cannot compute this network.
        BundleError: if the weights cannot be read.
    """

    name = "openvino"
    batch = 1

    def __init__(
        self,
        bundle: ModelBundle,
        tta: bool,
        shape: tuple[int, int, int],
        device: str,
        precision: str,
        threads: int,
        lean: bool = False,
    ) -> None:
        if precision not in _TYPES or (precision == "float16" and device == "cpu"):
            raise RuntimeUnavailableError(
                f"OpenVINO does not compute in {precision} on {device}.", "Use float32, bfloat16 or auto."
            )
        self.device, self.precision = device, precision
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY" if lean else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _TYPES[precision],
        }
        if device == "cpu":
            settings["INFERENCE_NUM_THREADS"] = threads
        self._openvino = _openvino()
        try:
            compiled = _compile(self._openvino, bundle, tta, shape, _DEVICES[device], settings)
            streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        except LandCoverError:
            raise
        except Exception as error:  # its own classes, RuntimeError, and whatever tracing raises
            raise RuntimeUnavailableError(
                f"OpenVINO cannot compute this network: {type(error).__name__}: {error}", "Choose runtime torch."
            ) from error
        self.in_flight = streams + 1
        self._shape = tuple(compiled.output(0).shape)
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
            answer: Probabilities = np.empty(self._shape, np.float32)
            request.set_output_tensor(0, self._openvino.Tensor(answer, shared_memory=True))
            request.infer({0: chip}, share_inputs=True, share_outputs=True)
            return answer
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise out_of_memory(chip, self.device) from error
            raise
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


def _compile(
    openvino: Any, bundle: ModelBundle, tta: bool, shape: tuple[int, int, int], device: str, settings: dict[str, Any]
) -> Any:
    """Return the compiled network, from the cache if it is there and can be read."""
    core = openvino.Core()
    key = (bundle.digest, tta, shape, device, sorted(settings.items()), version("openvino"), processor())
    stored = read_cached("compiled", key)
    if stored is not None:
        try:
            return core.import_model(io.BytesIO(stored), device, settings)
        except RuntimeError:  # not what this version wrote: made anew
            stored = None
    graph = _read_graph(openvino, bundle, tta)
    graph.reshape([1, *shape])
    compiled = core.compile_model(graph, device, settings)
    write_cached("compiled", key, compiled.export_model().getvalue())
    return compiled


def _read_graph(openvino: Any, bundle: ModelBundle, tta: bool) -> Any:
    """Return the graph from chips to probabilities, from the cache if it is there and can be read."""
    key = (bundle.digest, tta, version("openvino"), version("torch"))
    stored = read_cached("graphs", key)
    if stored is not None:
        try:
            return _unpack(openvino, stored)
        except (RuntimeError, ValueError):  # damaged: made anew
            stored = None
    graph = _convert(openvino, bundle, tta)
    write_cached("graphs", key, _pack(openvino, graph))
    return graph


def _convert(openvino: Any, bundle: ModelBundle, tta: bool) -> Any:
    """Return the graph for windows of any size whose sides are multiples of the model's stride."""
    import torch

    from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork

    network = ProbabilityNetwork(bundle, tta).eval()
    stride = bundle.metadata.stride
    # sides that differ from each other and from the positional grid, so that nothing in the graph can rest on them
    example = torch.zeros((1, len(bundle.metadata.bands), 3 * stride, 5 * stride), dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's, about sizes that it takes for constants; tests compare
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced, example_input=example)


def _pack(openvino: Any, graph: Any) -> bytes:
    """Return a graph as bytes: length of the description, description, weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        openvino.save_model(graph, path, compress_to_fp16=False)
        text, weights = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(text).to_bytes(8, "little") + text + weights


def _unpack(openvino: Any, stored: bytes) -> Any:
    start = 8 + int.from_bytes(stored[:8], "little")
    return openvino.Core().read_model(model=stored[8:start], weights=stored[start:])
