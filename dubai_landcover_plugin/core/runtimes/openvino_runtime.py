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
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.cache import read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.hardware import processor
from dubai_landcover_plugin.core.runtimes.onnx_runtime import OnnxFrame
from dubai_landcover_plugin.core.runtimes.runtime import (
    Chips,
    Probabilities,
    RuntimeUnavailableError,
    is_out_of_memory,
    join,
    out_of_memory,
)
from dubai_landcover_plugin.protocol.errors import LandCoverError

_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}
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
        precision: ``float32``, ``bfloat16``, ``int8`` (if the model has that form) or, on a GPU, ``float16``.
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
        rest = "bf16" if precision == "int8" and has_bfloat16() else _TYPES[precision]  # int8 has layers that are not
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY" if lean else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": rest,
        }
        if device == "cpu":
            # Pinned threads of two processes, such as workers of a cluster, would all sit on the first cores.
            settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        self._openvino = _openvino()
        try:
            graph = _Graph(bundle, tta, precision == "int8")
            compiled = _compile(self._openvino, graph, shape, _DEVICES[device], settings)
            streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        except LandCoverError:
            raise
        except Exception as error:  # its own classes, RuntimeError, and whatever tracing raises
            raise RuntimeUnavailableError(
                f"OpenVINO cannot compute this network: {type(error).__name__}: {error}", "Choose runtime torch."
            ) from error
        self.in_flight = streams + 1
        self._shape = tuple(compiled.output(0).shape)
        self._frame: OnnxFrame | None = None
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())
        if bundle.is_onnx:
            self._frame = OnnxFrame(bundle.metadata, self._run, shape)
        self._threads = ThreadPoolExecutor(streams, "openvino")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Begin with (N, C, H, W) chips; see :class:`~.runtime.Runtime`."""
        return join([self._threads.submit(self._compute, chip[None]) for chip in chips])

    def close(self) -> None:
        """Give back threads and requests."""
        self._threads.shutdown(cancel_futures=True)

    def _compute(self, chip: Chips) -> Probabilities:
        try:
            if self._frame is not None:
                return self._frame.after(self._run(self._frame.before(chip)))
            return self._run(chip)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise out_of_memory(chip, self.device) from error
            raise

    def _run(self, pixels: npt.NDArray[Any]) -> Probabilities:
        request = self._idle.get()
        try:
            answer: Probabilities = np.empty(self._shape, np.float32)
            request.set_output_tensor(0, self._openvino.Tensor(answer, shared_memory=True))
            request.infer({0: pixels}, share_inputs=True, share_outputs=True)
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


@dataclass(frozen=True)
class _Graph:
    """Which form of a network."""

    bundle: ModelBundle
    tta: bool
    int8: bool

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all others, for the cache."""
        return self.bundle.digest, self.tta, self.int8, version("openvino")


def _compile(openvino: Any, wanted: _Graph, shape: tuple[int, int, int], device: str, settings: dict[str, Any]) -> Any:
    """Return the compiled network, from the cache if it is there and can be read."""
    core = openvino.Core()
    key = (*wanted.key, shape, device, sorted(settings.items()), processor())
    stored = read_cached("compiled", key)
    if stored is not None:
        try:
            return core.import_model(io.BytesIO(stored), device, settings)
        except RuntimeError:  # not what this version wrote: made anew
            stored = None
    graph = _read_graph(openvino, wanted)
    graph.reshape([1, *shape])
    compiled = core.compile_model(graph, device, settings)
    write_cached("compiled", key, compiled.export_model().getvalue())
    return compiled


def _read_graph(openvino: Any, wanted: _Graph) -> Any:
    """Return the graph from chips to probabilities, from the cache if it is there and can be read."""
    bundle = wanted.bundle
    if bundle.is_onnx:
        return openvino.Core().read_model(bundle.path)
    if wanted.int8:
        return _read_int8(openvino, wanted)
    key = (*wanted.key, version("torch"))
    stored = read_cached("graphs", key)
    if stored is not None:
        try:
            return _unpack(openvino, stored)
        except (RuntimeError, ValueError):  # damaged: made anew
            stored = None
    graph = convert_network(bundle, wanted.tta)
    write_cached("graphs", key, pack_graph(graph))
    return graph


def _read_int8(openvino: Any, wanted: _Graph) -> Any:
    name = wanted.bundle.metadata.name
    if wanted.tta:
        raise RuntimeUnavailableError("Test-time augmentation is not there in int8.", "Switch one of them off.")
    stored = wanted.bundle.graph("int8")
    if stored is None:
        raise RuntimeUnavailableError(
            f"The model {name} has no int8 form.",
            "Make one with python -m training quantize, or choose another precision.",
        )
    return _unpack(openvino, stored)


def convert_network(bundle: ModelBundle, tta: bool = False) -> Any:
    """Return OpenVINO's graph from chips to probabilities.

    It fits windows of any size whose sides are multiples of the model's stride.
    """
    import torch

    openvino = _openvino()

    from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork

    network = ProbabilityNetwork(bundle, tta).eval()
    stride = bundle.metadata.stride
    # sides that differ from each other and from the positional grid, so that nothing in the graph can rest on them
    example = torch.zeros((1, len(bundle.metadata.bands), 3 * stride, 5 * stride), dtype=torch.uint8)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # the tracer's, about sizes that it takes for constants; tests compare
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        return openvino.convert_model(traced, example_input=example)


def pack_graph(graph: Any) -> bytes:
    """Return a graph as bytes: length of the description, description, weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        _openvino().save_model(graph, path, compress_to_fp16=False)
        text, weights = zlib.compress(path.read_bytes()), path.with_suffix(".bin").read_bytes()
    return len(text).to_bytes(8, "little") + text + weights


def _unpack(openvino: Any, stored: bytes) -> Any:
    start = 8 + int.from_bytes(stored[:8], "little")
    try:
        return openvino.Core().read_model(model=zlib.decompress(stored[8:start]), weights=stored[start:])
    except zlib.error as error:
        raise ValueError(f"The graph is damaged: {error}.") from error
