"""PyTorch, on the CPU, CUDA or Apple's Metal."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from dubai_landcover_plugin.core.errors import DeviceError, OutOfMemoryError
from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Probabilities

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str = "auto") -> str:
    """Return ``cuda``, ``mps`` or ``cpu``: the one asked for, or the first that is there.

    Raises:
        DeviceError: if the one asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    available = [device for device, usable in there.items() if usable]
    if name == "auto":
        return available[0]
    if name not in available:
        raise DeviceError(f"The device '{name}' is not available; there is {', '.join(available)}.", "Use auto.")
    return name


def fast_precision(device: str) -> str:
    """Return the fastest arithmetic that a device does in hardware."""
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if any(capabilities.get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16")):
            return "bfloat16"
    return "float32"


class TorchRuntime:
    """A network in PyTorch, computed in a thread of its own.

    Args:
        network: From chips to probabilities.
        device: Where to compute.
        precision: Arithmetic of the network.

    Raises:
        DeviceError: if the device cannot do it.
    """

    name = "torch"
    in_flight = 2

    def __init__(self, network: ProbabilityNetwork, device: str, precision: str) -> None:
        if precision == "float16" and device == "cpu":
            raise DeviceError("float16 is not available on the CPU.", "Use float32, bfloat16 or auto.")
        self.device, self.precision = device, precision
        self.batch = 8 if device == "cuda" else 2
        self._network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self._thread = ThreadPoolExecutor(1, "torch")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Begin with (N, C, H, W) chips; see :class:`~.runtime.Runtime`."""
        return self._thread.submit(self._compute, chips)

    def close(self) -> None:
        """Give back the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _compute(self, chips: Chips) -> Probabilities:
        try:
            with torch.inference_mode(), self._arithmetic():
                answer: Probabilities = self._network(torch.from_numpy(chips).to(self.device)).cpu().numpy()
            return answer
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise _out_of_memory(chips, self.device) from error
        except RuntimeError as error:
            if "memory" in str(error).lower() and "alloc" in str(error).lower():
                raise _out_of_memory(chips, self.device) from error
            raise

    def _arithmetic(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=_TYPES[self.precision])


def _out_of_memory(chips: Chips, device: str) -> OutOfMemoryError:
    count, _, height, width = chips.shape
    return OutOfMemoryError(
        f"{count} windows of {height}×{width} px do not fit into the memory of {device}.",
        "Lower the batch, then the window; or choose device cpu.",
    )
