"""ONNX Runtime, for ONNX files of anybody's; and what stands around such a network in whatever computes it."""

from __future__ import annotations

import importlib
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
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata

PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "directml": "DmlExecutionProvider",
    "mps": "CoreMLExecutionProvider",
}
_TOLERANCE = 1e-2
_SEED = 1

Floats = npt.NDArray[np.float32]


def has_device(name: str) -> bool:
    """Return whether the installed ONNX Runtime computes there; not where it cannot be loaded."""
    try:
        return PROVIDERS.get(name) in _onnxruntime().get_available_providers()
    except RuntimeUnavailableError:
        return False


class OnnxFrame:
    """From chips to the input of an ONNX network, and from its output to probabilities.

    Files do not say whether they give probabilities or scores before softmax (or, with one channel, sigmoid). So the
    network is asked once, with noise: what lies in 0..1 and adds up to 1 are probabilities.

    Args:
        metadata: Of the model.
        run: The network: (1, C, H, W) float32 to (1, K, H, W).
        shape: (C, H, W) of the windows.
    """

    def __init__(self, metadata: BundleMetadata, run: Callable[[Floats], Floats], shape: tuple[int, int, int]) -> None:
        self._mean = np.array(metadata.mean, np.float32)[:, None, None] * 255
        self._std = np.array(metadata.std, np.float32)[:, None, None] * 255
        probe = np.random.default_rng(_SEED).integers(0, 256, (1, *shape), np.uint8)
        scores = run(self.before(probe))
        wanted = metadata.spec.classes
        channels = (wanted, 1) if wanted == 2 else (wanted,)
        if scores.shape[0] != 1 or scores.shape[2:] != shape[1:] or scores.shape[1] not in channels:
            raise RuntimeUnavailableError(
                f"{metadata.name} gives {scores.shape} for {probe.shape}; {wanted} classes on the same pixels are "
                "needed.",
                "Check the model and the class names in its metadata.",
            )
        total = scores.sum(axis=1) if scores.shape[1] > 1 else 1
        inside = scores.min() >= -_TOLERANCE and scores.max() <= 1 + _TOLERANCE
        self._are_probabilities = bool(inside and np.all(np.abs(total - 1) < _TOLERANCE))

    def before(self, chips: Chips) -> Floats:
        """Return standardized pixels, (N, C, H, W) float32."""
        standardized: Floats = (chips.astype(np.float32) - self._mean) / self._std
        return standardized

    def after(self, scores: Floats) -> Probabilities:
        """Return (N, K, H, W) probabilities; one channel becomes two, the rest and what it finds."""
        scores = scores.astype(np.float32, copy=False)
        if scores.shape[1] == 1:
            found = scores if self._are_probabilities else 1 / (1 + np.exp(-scores))
            return np.concatenate([1 - found, found], axis=1)
        if self._are_probabilities:
            return scores
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: Probabilities = powers / powers.sum(axis=1, keepdims=True)
        return probabilities


class OnnxRuntime:
    """A network in ONNX Runtime, computed in a thread of its own.

    Args:
        bundle: The model, an ONNX file.
        shape: (C, H, W) of the windows; other windows go too, where the network takes them.
        device: Where to compute.
        threads: Cores to use.

    Raises:
        RuntimeUnavailableError: if ONNX Runtime is missing, or cannot compute this network there.
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
                f"The installed ONNX Runtime does not compute on {device}.",
                "Install its build for it (onnxruntime-gpu, onnxruntime-directml), or choose device cpu.",
            )
        try:
            self._session = onnxruntime.InferenceSession(str(bundle.path), options, providers=[provider])
            self._input = self._session.get_inputs()[0].name
            self._frame = OnnxFrame(bundle.metadata, self._run, shape)
        except RuntimeUnavailableError:
            raise
        except Exception as error:  # its own classes, which share no parent but this
            raise RuntimeUnavailableError(
                f"ONNX Runtime cannot compute {bundle.metadata.name} on {device}: {error}", "Choose another runtime."
            ) from error
        self._thread = ThreadPoolExecutor(1, "onnxruntime")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Begin with (N, C, H, W) chips; see :class:`~.runtime.Runtime`."""
        return join([self._thread.submit(self._compute, chip[None]) for chip in chips])

    def close(self) -> None:
        """Give back the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _run(self, pixels: Floats) -> Floats:
        scores: Floats = self._session.run(None, {self._input: pixels})[0]
        return scores

    def _compute(self, chip: Chips) -> Probabilities:
        try:
            return self._frame.after(self._run(self._frame.before(chip)))
        except Exception as error:  # its own classes, which share no parent but this
            if is_out_of_memory(error):
                raise out_of_memory(chip, self.device) from error
            raise RuntimeError(f"ONNX Runtime: {error}") from error


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except (ImportError, OSError) as error:
        raise RuntimeUnavailableError(
            f"ONNX Runtime cannot be loaded: {error}.", "Install the package onnxruntime, or choose another model."
        ) from error
