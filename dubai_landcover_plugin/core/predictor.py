"""Runs a network on chips: where arrays become tensors and back."""

from __future__ import annotations

import contextlib

import numpy as np
import numpy.typing as npt
import torch

from dubai_landcover_plugin.core.bundle import ModelBundle
from dubai_landcover_plugin.core.errors import DeviceError, OutOfMemoryError
from dubai_landcover_plugin.core.preprocessing import Standardize

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str = "auto") -> str:
    """Return ``cuda``, ``mps`` or ``cpu``: the one asked for, or the first that is there.

    Raises:
        DeviceError: if the one asked for is not there.
    """
    available = [
        device
        for device, there in (
            ("cuda", torch.cuda.is_available()),
            ("mps", torch.backends.mps.is_available()),
            ("cpu", True),
        )
        if there
    ]
    if name == "auto":
        return available[0]
    if name not in available:
        raise DeviceError(f"The device '{name}' is not available; there is {', '.join(available)}.", "Use auto.")
    return name


def choose_precision(name: str, device: str) -> str:
    """Return the arithmetic to use: the one asked for, or the fastest that the device does in hardware.

    Raises:
        DeviceError: if the device cannot do what was asked for.
    """
    if name == "auto":
        if device == "cuda":
            return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
        return "bfloat16" if device == "cpu" and _cpu_has_bfloat16() else "float32"
    if name == "float16" and device == "cpu":
        raise DeviceError("float16 is not available on the CPU.", "Use float32, bfloat16 or auto.")
    return name


def _cpu_has_bfloat16() -> bool:
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16"))


class Predictor:
    """A network on a device, ready for chips.

    Args:
        bundle: The model.
        device: Where to compute; see :func:`choose_device`.
        precision: Arithmetic; see :func:`choose_precision`.
    """

    def __init__(self, bundle: ModelBundle, device: str = "auto", precision: str = "auto") -> None:
        self.device = choose_device(device)
        self.precision = choose_precision(precision, self.device)
        metadata = bundle.metadata
        self._standardize = Standardize(metadata.mean, metadata.std)
        self._model = bundle.model.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def __call__(self, chips: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return class probabilities (N, K, H, W) float32 for chips (N, C, H, W) uint8.

        Raises:
            OutOfMemoryError: if the batch does not fit.
        """
        try:
            with torch.inference_mode(), self._arithmetic():
                batch = torch.from_numpy(chips).to(self.device)
                batch = self._standardize(batch).contiguous(memory_format=torch.channels_last)
                logits = self._model(batch)  # (N, K, H, W)
                probabilities = torch.softmax(logits.float(), dim=1)
            if not bool(probabilities.sum().isfinite()):
                raise DeviceError(
                    f"The network gave results that are no numbers, on {self.device} in {self.precision}.",
                    "Choose precision float32.",
                )
            return probabilities.cpu().numpy()
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._out_of_memory(chips) from error
        except RuntimeError as error:
            if "memory" in str(error).lower() and "alloc" in str(error).lower():
                raise self._out_of_memory(chips) from error
            raise

    def _arithmetic(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=_PRECISIONS[self.precision])

    def _out_of_memory(self, chips: npt.NDArray[np.uint8]) -> OutOfMemoryError:
        count, _, height, width = chips.shape
        return OutOfMemoryError(
            f"{count} windows of {height}×{width} px do not fit into the memory of {self.device}.",
            "Lower the batch, then the window; or choose device cpu.",
        )
