"""Backend for third-party ONNX models, with their pre- and post-processing."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.runtime import (
    Chips,
    Probabilities,
    RuntimeUnavailableError,
    is_out_of_memory,
    join,
    out_of_memory,
)
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import tr

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
_TOLERANCE = 1e-2
_SEED = 1

Floats = npt.NDArray[np.float32]


def is_installed() -> bool:
    """Return whether the package is installed, without importing it."""
    return importlib.util.find_spec("onnxruntime") is not None


def has_device(name: str) -> bool:
    """Return whether ONNX Runtime is installed and supports a device."""
    try:
        return PROVIDERS.get(name) in _onnxruntime().get_available_providers()
    except RuntimeUnavailableError:
        return False


class OnnxAdapter:
    """Pre- and post-processing of an ONNX network: standardizes chips and converts the output to probabilities.

    The file does not say whether the output is probabilities or logits, before softmax or, with one channel, sigmoid.
    The network is therefore run once on noise: values in 0..1 that add up to 1 are taken as probabilities.

    Args:
        metadata: Metadata of the model.
        run: Runs the network on (1, C, H, W) float32 and returns (1, K, H, W).
        shape: (C, H, W) of the windows.

    Raises:
        RuntimeUnavailableError: if the output does not have the shape that classes and window require.
    """

    def __init__(self, metadata: BundleMetadata, run: Callable[[Floats], Floats], shape: tuple[int, int, int]) -> None:
        self._mean = np.array(metadata.mean, np.float32)[:, None, None] * 255
        self._std = np.array(metadata.std, np.float32)[:, None, None] * 255
        probe = np.random.default_rng(_SEED).integers(0, 256, (1, *shape), np.uint8)
        scores = run(self.preprocess(probe))
        classes = metadata.spec.classes
        channels = (classes, 1) if classes == 2 else (classes,)
        if scores.shape[0] != 1 or scores.shape[2:] != shape[1:] or scores.shape[1] not in channels:
            raise RuntimeUnavailableError(
                tr(
                    "{model} returns {shape} for an input of {input_shape}; expected {classes} classes on the same "
                    "pixels.",
                    model=metadata.name,
                    shape=scores.shape,
                    input_shape=probe.shape,
                    classes=classes,
                ),
                tr("Check the model and the class names in its metadata."),
            )
        total = scores.sum(axis=1) if scores.shape[1] > 1 else 1
        inside = scores.min() >= -_TOLERANCE and scores.max() <= 1 + _TOLERANCE
        self._are_probabilities = bool(inside and np.all(np.abs(total - 1) < _TOLERANCE))

    def preprocess(self, chips: Chips) -> Floats:
        """Return standardized pixels, (N, C, H, W) float32, for (N, C, H, W) chips."""
        standardized: Floats = (chips.astype(np.float32) - self._mean) / self._std
        return standardized

    def postprocess(self, scores: Floats) -> Probabilities:
        """Return (N, K, H, W) probabilities for the output of the network.

        A single channel becomes two: background and foreground.
        """
        scores = scores.astype(np.float32, copy=False)
        if scores.shape[1] == 1:
            foreground = scores if self._are_probabilities else 1 / (1 + np.exp(-scores))
            return np.concatenate([1 - foreground, foreground], axis=1)
        if self._are_probabilities:
            return scores
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: Probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities


class OnnxRuntime:
    """A network in ONNX Runtime, computed in a background thread.

    Args:
        bundle: The model, an ONNX file.
        shape: (C, H, W) of the windows; other shapes work if the network supports them.
        device: Device, a key of :data:`PROVIDERS`.
        threads: Number of cores to use.

    Raises:
        RuntimeUnavailableError: if ONNX Runtime is not installed or cannot compute this network on the device.
    """

    name = "onnxruntime"
    precision = "float32"
    batch = 1
    in_flight = 2

    def __init__(self, bundle: ModelBundle, shape: tuple[int, int, int], device: str, threads: int) -> None:
        self.device = device
        onnxruntime = _onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        provider = PROVIDERS.get(device)
        if provider not in onnxruntime.get_available_providers():
            raise RuntimeUnavailableError(
                tr("The installed ONNX Runtime does not support the device {device}.", device=device),
                tr("Install its build for that device (onnxruntime-gpu, onnxruntime-directml), or choose device cpu."),
            )
        try:
            self._session = onnxruntime.InferenceSession(str(bundle.path), options, providers=[provider])
            self._input = self._session.get_inputs()[0].name
            self._adapter = OnnxAdapter(bundle.metadata, self._run, shape)
            bundle.check_unchanged()
        except LandCoverError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            raise RuntimeUnavailableError(
                tr(
                    "ONNX Runtime cannot compute {model} on {device}: {error}",
                    model=bundle.metadata.name,
                    device=device,
                    error=error,
                ),
                tr("Choose another runtime."),
            ) from error
        self._thread = ThreadPoolExecutor(1, "onnxruntime")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Start computing (N, C, H, W) chips; see :meth:`.Runtime.submit`."""
        return join([self._thread.submit(self._compute, chip[None]) for chip in chips])

    def close(self) -> None:
        """Shut down the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self, pixels: Floats) -> Floats:
        scores: Floats = self._session.run(None, {self._input: pixels})[0]
        return scores

    def _compute(self, chip: Chips) -> Probabilities:
        try:
            return self._adapter.postprocess(self._run(self._adapter.preprocess(chip)))
        except Exception as error:  # ONNX Runtime's exceptions have no common base class
            if is_out_of_memory(error):
                raise out_of_memory(chip, self.device) from error
            raise RuntimeError(f"ONNX Runtime: {error}") from error


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except (ImportError, OSError) as error:
        raise RuntimeUnavailableError(
            tr("ONNX Runtime cannot be loaded: {error}.", error=error),
            tr("Set up the engine with more formats again, or choose the runtime openvino."),
        ) from error
