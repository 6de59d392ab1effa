"""Backend on PyTorch: CPU, CUDA and Apple's Metal."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor

import torch

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Probabilities, is_out_of_memory, out_of_memory
from dubai_landcover_plugin.protocol.errors import DeviceError
from dubai_landcover_plugin.protocol.translation import tr

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_GPU_BATCH = 8


def has_device(name: str) -> bool:
    """Return whether PyTorch can compute on ``cuda``, ``mps`` or ``cpu``."""
    if name == "cuda":
        return bool(torch.cuda.is_available())
    return name == "cpu" or bool(torch.backends.mps.is_available())


def fast_precision(device: str) -> str:
    """Return the fastest precision that a device supports in hardware."""
    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if any(capabilities.get(feature, False) for feature in ("avx512_bf16", "amx_bf16", "bf16")):
            return "bfloat16"
    return "float32"


class TorchRuntime:
    """A network in PyTorch, computed in a background thread.

    Args:
        bundle: The model.
        tta: Test-time augmentation.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``float32``, ``bfloat16`` or, except on CPUs, ``float16``.
        threads: Number of cores to use on a CPU; set for the whole process.

    Raises:
        DeviceError: if the device does not support the precision.
        BundleError: if the weights cannot be read.
    """

    name = "torch"
    in_flight = 2

    def __init__(self, bundle: ModelBundle, tta: bool, device: str, precision: str, threads: int) -> None:
        if precision not in _TYPES or (precision == "float16" and device == "cpu"):
            raise DeviceError(
                tr("PyTorch does not compute in {precision} on {device}.", precision=precision, device=device),
                tr("Use float32, bfloat16 or auto."),
            )
        self.device, self.precision = device, precision
        self.batch = 1 if device == "cpu" else _GPU_BATCH
        if device == "cpu":
            torch.set_num_threads(threads)
        network = ProbabilityNetwork(bundle, tta).eval()
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._thread = ThreadPoolExecutor(1, "torch")

    def submit(self, chips: Chips) -> Future[Probabilities]:
        """Start computing (N, C, H, W) chips; see :meth:`.Runtime.submit`."""
        return self._thread.submit(self._compute, chips)

    def close(self) -> None:
        """Shut down the thread."""
        self._thread.shutdown(cancel_futures=True)

    def _compute(self, chips: Chips) -> Probabilities:
        try:
            with torch.inference_mode(), self._autocast():
                result: Probabilities = self._network(torch.from_numpy(chips).to(self.device)).cpu().numpy()
            return result
        except (RuntimeError, MemoryError) as error:
            if isinstance(error, torch.OutOfMemoryError) or is_out_of_memory(error):
                raise out_of_memory(chips, self.device) from error
            raise

    def _autocast(self) -> contextlib.AbstractContextManager[object]:
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.device, dtype=_TYPES[self.precision])
