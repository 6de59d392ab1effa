"""Backend on OpenVINO, up to three times as fast as PyTorch on CPUs.

Converting a network takes seconds and needs PyTorch. Model files therefore hold graphs for windows of any size, see
:mod:`.graphs`; graphs of files without them, and networks compiled for windows of one size, are cached in the user's
cache folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import queue
import sys
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.bundle.graphs import AUGMENTED, FEATURES, FLOAT, INT8, pack_whole, unpack
from dubai_landcover_plugin.core.runtimes.cache import is_cached, map_cached, read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.hardware import may_have_intel_gpu, processor
from dubai_landcover_plugin.core.runtimes.onnx_runtime import OnnxAdapter
from dubai_landcover_plugin.core.runtimes.runtime import (
    Chips,
    Probabilities,
    RuntimeUnavailableError,
    is_out_of_memory,
    join,
    out_of_memory,
)
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.translation import tr

_TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16", "int8": "f32"}
_DEVICES = {"cpu": "CPU", "intel-gpu": "GPU"}
_CONVERTER = "openvino.tools.ovc"


def is_installed() -> bool:
    """Return whether the package is installed, without importing it."""
    return importlib.util.find_spec("openvino") is not None


def has_device(name: str) -> bool:
    """Return whether OpenVINO can be loaded and supports the device, ``cpu`` or ``intel-gpu``."""
    if name == "intel-gpu" and not may_have_intel_gpu():
        return False
    try:
        found = load_openvino().Core().available_devices
    except (RuntimeUnavailableError, RuntimeError):
        return False
    return any(device.split(".")[0] == _DEVICES.get(name) for device in found)


def has_bfloat16() -> bool:
    """Return whether OpenVINO can be loaded and reports hardware support of bfloat16 by the CPU."""
    try:
        return "BF16" in load_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    except (RuntimeUnavailableError, RuntimeError):
        return False


class OpenVinoRuntime:
    """A network compiled for windows of one shape; several windows are computed concurrently.

    Args:
        bundle: The model.
        tta: Test-time augmentation.
        shape: (C, H, W) of the windows; H and W are multiples of the model's stride.
        device: ``cpu`` or ``intel-gpu``.
        precision: ``float32``, ``bfloat16``, ``int8`` (if the model has an int8 graph) or, on a GPU, ``float16``.
        threads: Number of cores to use.
        lean: Compute one window at a time with all cores, which is slower but takes less memory.

    Raises:
        RuntimeUnavailableError: if OpenVINO is not installed or cannot compute this network.
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
                tr("OpenVINO does not compute in {precision} on {device}.", precision=precision, device=device),
                tr("Use float32, bfloat16 or auto."),
            )
        self.device, self.precision = device, precision
        # Precision of the layers that are not quantized.
        hint = "bf16" if precision == "int8" and has_bfloat16() else _TYPES[precision]
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY" if lean else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": hint,
        }
        if device == "cpu":
            # Pinned threads of several processes, such as workers of a cluster, would share the first cores.
            settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        self._openvino = load_openvino()
        try:
            graph = Graph(bundle, tta, precision == "int8")
            compiled = compile_graph(self._openvino, graph, shape, _DEVICES[device], settings)
            streams = int(compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        except LandCoverError:
            raise
        except Exception as error:  # OpenVINO and the tracer raise many types
            raise RuntimeUnavailableError(
                tr("OpenVINO cannot compute this network: {kind}: {error}", kind=type(error).__name__, error=error),
                tr("Choose runtime torch."),
            ) from error
        self.in_flight = streams + 1
        self._shape = tuple(compiled.output(0).shape)
        expected = (1, bundle.metadata.spec.classes, *shape[1:])
        if not bundle.is_onnx and self._shape != expected:  # a stored graph is part of the file, as its metadata are
            raise RuntimeUnavailableError(
                tr(
                    "The graph in {model} returns {shape}; expected {expected}.",
                    model=bundle.metadata.name,
                    shape=self._shape,
                    expected=expected,
                ),
                tr("Export the model again, or choose runtime torch."),
            )
        self._adapter: OnnxAdapter | None = None
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for _ in range(streams):
            self._idle.put(compiled.create_infer_request())
        if bundle.is_onnx:
            self._adapter = OnnxAdapter(bundle.metadata, self._run, shape)
        self._threads = ThreadPoolExecutor(streams, "openvino")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Start computing (N, C, H, W) chips; see :meth:`.Runtime.submit`."""
        return join([self._threads.submit(self._compute, chip[None]) for chip in chips])

    def close(self) -> None:
        """Shut down the threads."""
        self._threads.shutdown(cancel_futures=True)

    def _compute(self, chip: Chips) -> Probabilities:
        try:
            if self._adapter is not None:
                return self._adapter.postprocess(self._run(self._adapter.preprocess(chip)))
            return self._run(chip)
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise out_of_memory(chip, self.device) from error
            raise

    def _run(self, pixels: npt.NDArray[Any]) -> Probabilities:
        request = self._idle.get()
        try:
            result: Probabilities = np.empty(self._shape, np.float32)
            request.set_output_tensor(0, self._openvino.Tensor(result, shared_memory=True))
            request.infer({0: pixels}, share_inputs=True, share_outputs=True)
            return result
        finally:
            self._idle.put(request)


@contextlib.contextmanager
def _left_out(module: str) -> Iterator[None]:
    """Let imports of a module fail, unless it is already imported."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


def load_openvino() -> Any:
    """Import and return OpenVINO without its converter, which few runs need."""
    try:
        with _left_out(_CONVERTER):
            import openvino

        # Fills OpenVINO's table of data types. Threads that did it at the same time would wait for each other for ever:
        # one holds the table and waits for the interpreter's lock, the other holds the lock and waits for the table.
        openvino.Type.f32.to_dtype()
    except (ImportError, OSError) as error:
        raise RuntimeUnavailableError(
            tr("OpenVINO cannot be loaded: {error}.", error=error), tr("Choose runtime torch.")
        ) from error
    return openvino


@dataclass(frozen=True)
class Graph:
    """Identifies a graph of a model: with or without test-time augmentation, float or int8, or its features."""

    bundle: ModelBundle
    tta: bool = False
    int8: bool = False
    features: bool = False

    @property
    def name(self) -> str:
        """Name of the graph in model files."""
        if self.features:
            return FEATURES
        return INT8 if self.int8 else AUGMENTED if self.tta else FLOAT

    @property
    def key(self) -> tuple[object, ...]:
        """Key for the cache."""
        kind = ("features",) if self.features else ()
        return self.bundle.digest, self.tta, self.int8, *kind, version("openvino")

    @property
    def converted_key(self) -> tuple[object, ...]:
        """Key for a converted graph in the cache."""
        return *self.key, versions().get("torch")


def compile_graph(
    openvino: Any, source: Graph, shape: tuple[int, int, int], device: str, settings: dict[str, Any]
) -> Any:
    """Return the compiled network, from the cache if possible."""
    core = openvino.Core()
    key = (*source.key, shape, device, sorted(settings.items()), processor())
    stored = map_cached("compiled", key)
    if stored is not None:
        with contextlib.suppress(RuntimeError):  # written by another version: compile again
            # A copy in memory of OpenVINO, which the compiled network may go on using.
            return core.import_model(openvino.Tensor(stored), device, settings)
    graph = _read_graph(openvino, source)
    graph.reshape([1, *shape])
    compiled = core.compile_model(graph, device, settings)
    source.bundle.check_unchanged()  # before the network is cached under its digest
    write_cached("compiled", key, compiled.export_model().getvalue())
    return compiled


def has_graph(source: Graph) -> bool:
    """Return whether a float graph need not be converted: the model file or the cache has it."""
    return source.bundle.has_graph(source.name) or is_cached("graphs", source.converted_key)


def _read_graph(openvino: Any, source: Graph) -> Any:
    """Return the graph from chips to probabilities: that of the model file, a cached one, or a converted one."""
    bundle = source.bundle
    if bundle.is_onnx:
        return openvino.Core().read_model(bundle.path)
    if source.int8:
        return _read_int8(openvino, source)
    in_file = bundle.graph(source.name)
    if in_file is not None:
        with contextlib.suppress(RuntimeError, ValueError):  # damaged, or of a later version: convert
            return _unpack(openvino, in_file, bundle.path)
    key = source.converted_key
    stored = read_cached("graphs", key)
    if stored is not None:
        with contextlib.suppress(RuntimeError, ValueError):  # damaged: convert again
            return _unpack(openvino, stored)
    packed = pack_graph(convert_network(bundle, source.tta, source.features))
    write_cached("graphs", key, packed)
    # As it is read later: OpenVINO rounds a graph that has not been written differently, by one unit in the last place.
    return _unpack(openvino, packed)


def _read_int8(openvino: Any, source: Graph) -> Any:
    """Return the int8 graph stored in the model file.

    Raises:
        RuntimeUnavailableError: if the model has none, or with test-time augmentation.
    """
    bundle = source.bundle
    if source.tta:
        raise RuntimeUnavailableError(
            tr("Test-time augmentation is not available in int8."), tr("Choose another precision or switch it off.")
        )
    stored = bundle.graph(source.name)
    if stored is None:
        raise RuntimeUnavailableError(
            tr("The model {model} has no int8 graph.", model=bundle.metadata.name),
            tr("Add one with python -m training graphs MODEL --data FOLDER, or choose another precision."),
        )
    return _unpack(openvino, stored, bundle.path)


def convert_network(bundle: ModelBundle, tta: bool = False, features: bool = False) -> Any:
    """Return the OpenVINO graph from chips to probabilities, for sides that are multiples of the stride.

    Args:
        bundle: The model.
        tta: Test-time augmentation.
        features: Return the features of the decoder levels, see :class:`.FeatureNetwork`, instead of probabilities.
    """
    import torch

    load_openvino()
    from openvino.tools.ovc import convert_model

    from dubai_landcover_plugin.core.runtimes.network import FeatureNetwork, ProbabilityNetwork

    network = (FeatureNetwork(bundle) if features else ProbabilityNetwork(bundle, tta)).eval()
    stride = bundle.metadata.stride
    # sides differ from each other and from the positional grid, so that tracing cannot confuse them
    kind = torch.uint8 if bundle.metadata.scaling is None else torch.float32
    example = torch.zeros((1, len(bundle.metadata.bands), 3 * stride, 5 * stride), dtype=kind)
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of the tracer, about sizes treated as constants; tests compare other sizes
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
        return convert_model(traced, example_input=example)


def serialize_graph(graph: Any) -> tuple[bytes, bytes]:
    """Return XML and constants of a graph."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "graph.xml"
        load_openvino().save_model(graph, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def pack_graph(graph: Any) -> bytes:
    """Return a graph as bytes, with all of its constants."""
    return pack_whole(*serialize_graph(graph))


def _unpack(openvino: Any, stored: bytes, path: Path | None = None) -> Any:
    """Return a graph of a model file or of :func:`pack_graph`.

    Args:
        openvino: The package.
        stored: The graph.
        path: The model file with its weights.

    Raises:
        ValueError: if it is damaged.
        RuntimeError: if OpenVINO cannot read it.
    """
    text, constants = unpack(stored, path)
    # A copy in memory of OpenVINO, which the compiled network may go on using.
    return openvino.Core().read_model(text.decode(), openvino.Tensor(constants))
