"""What a network can run on: runtimes with their devices and precisions."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.bundle.graphs import FLOAT
from dubai_landcover_plugin.core.runtimes import hardware, onnx_runtime, openvino_runtime
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.protocol.errors import DeviceError
from dubai_landcover_plugin.protocol.translation import joined, tr


@dataclass(frozen=True, slots=True)
class Candidate:
    """A runtime with device and precision."""

    runtime: str
    device: str
    precision: str

    def __str__(self) -> str:
        return tr(
            "{runtime} on {device}, {precision}", runtime=self.runtime, device=self.device, precision=self.precision
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Resources of a runtime.

    Args:
        threads: Number of cores to use.
        lean: Save memory at the cost of speed.
    """

    threads: int
    lean: bool = False


def reference(bundle: ModelBundle, runtime: str = "auto") -> Candidate:
    """Return the reference that other candidates are compared with: float32 on the CPU.

    Args:
        bundle: The model.
        runtime: The requested runtime.
    """
    if bundle.is_onnx:
        return Candidate("onnxruntime" if onnx_runtime.is_installed() else "openvino", "cpu", "float32")
    return Candidate("openvino" if runtime != "torch" and needs_no_torch(bundle) else "torch", "cpu", "float32")


def needs_no_torch(bundle: ModelBundle) -> bool:
    """Return whether OpenVINO reads the network from the model file, so that PyTorch need not be loaded."""
    return openvino_runtime.is_installed() and bundle.has_graph(FLOAT)


def list_candidates(
    requested: Candidate,
    tried: bool,
    onnx: bool = False,
    without_torch: bool = False,
    accurate: Set[str] = frozenset(),
) -> list[Candidate]:
    """Return the candidates for a run, by expected speed, the fastest first.

    Args:
        requested: The requested runtime, device and precision; each may be ``auto``.
        tried: Whether the candidates will be compared with the reference; only then ``auto`` includes precisions below
            float32 on CPUs.
        onnx: Whether the model is an ONNX file. PyTorch does not support those, ONNX Runtime only those.
        without_torch: Whether ``auto`` leaves PyTorch out on CPUs in the precisions that OpenVINO computes there.
        accurate: See :attr:`.BundleMetadata.accurate_precisions`; if known, ``auto`` takes these on CPUs, and float32.

    Raises:
        DeviceError: if the device is not available.
        RuntimeUnavailableError: if the runtime is not installed, or does not support model, device or precision.
    """
    known = ("openvino", "onnxruntime") if onnx else ("openvino", "torch")
    if requested.runtime not in ("auto", *known):
        raise RuntimeUnavailableError(
            tr("{runtime} does not support ONNX models.", runtime=requested.runtime)
            if onnx
            else tr("{runtime} does not support models of this project.", runtime=requested.runtime),
            tr("Choose one of: {names}.", names=joined(("auto", *known))),
        )
    names = [name for name in known if requested.runtime in ("auto", name)]
    if "openvino" in names and not openvino_runtime.is_installed():
        if requested.runtime == "openvino":
            raise RuntimeUnavailableError(
                tr("The package openvino is not installed."), tr("Install it, or choose auto.")
            )
        names.remove("openvino")
    if "onnxruntime" in names and not onnx_runtime.is_installed():
        if names == ["onnxruntime"]:
            raise RuntimeUnavailableError(
                tr("ONNX Runtime is not installed."),
                tr("Add more formats in Set up the engine… (or pip install onnxruntime), or choose the runtime auto."),
            )
        names.remove("onnxruntime")
    if "torch" in names and not hardware.has_torch():
        if names == ["torch"]:
            raise RuntimeUnavailableError(
                tr("PyTorch is not installed."), tr("Add it in Set up the engine…, or choose the runtime auto.")
            )
        names.remove("torch")
    if requested.precision == "int8":  # only on request; if it fails, the candidates of auto follow
        if "openvino" not in names or requested.device not in ("auto", "cpu"):
            raise RuntimeUnavailableError(tr("Only OpenVINO supports int8, on CPUs."), tr("Choose another precision."))
        own = Candidate("openvino", "cpu", "int8")
        further = list_candidates(replace(requested, precision="auto"), tried, onnx, without_torch, accurate)
        return [own, *further]
    found = [
        Candidate(name, device, precision)
        for device in _devices(requested.device, onnx)
        for precision in _precisions(requested.precision, device, tried, accurate)
        for name in names
        if not (without_torch and (name, device) == ("torch", "cpu") and precision != "float16")
        and _is_supported(name, device, precision, requested)
    ]
    if not found:
        raise RuntimeUnavailableError(
            tr(
                "{runtime} does not support {precision} on {device}.",
                runtime=requested.runtime,
                precision=requested.precision,
                device=requested.device,
            ),
            tr("Choose auto."),
        )
    return found


def _devices(requested: str, onnx: bool) -> list[str]:
    """Return the devices, the fastest first; the CPU is last, as a fallback if a GPU fails.

    Raises:
        DeviceError: if the requested device is not available.
    """
    if requested == "cpu":
        return ["cpu"]
    available = ["cpu"]
    if openvino_runtime.is_installed() and openvino_runtime.has_device("intel-gpu"):
        available.insert(0, "intel-gpu")
    if onnx:
        available = [device for device in ("cuda", "directml", "mps") if onnx_runtime.has_device(device)] + available
    elif hardware.has_torch() and (requested in ("cuda", "mps") or hardware.may_have_gpu()):
        from dubai_landcover_plugin.core.runtimes import torch_runtime

        available = [device for device in ("cuda", "mps") if torch_runtime.has_device(device)] + available
    if requested == "auto":
        return available
    if requested not in available:
        raise DeviceError(
            tr(
                "The device '{requested}' is not available; available: {names}.",
                requested=requested,
                names=joined(available),
            ),
            tr("Choose one of them or auto."),
        )
    return [requested, "cpu"]


def _precisions(requested: str, device: str, tried: bool, accurate: Set[str]) -> Sequence[str]:
    """Return the precisions to consider on a device, the fastest first."""
    if requested != "auto":
        return (requested,)
    if device == "cpu":
        return ("bfloat16", "float32") if ("bfloat16" in accurate if accurate else tried) else ("float32",)
    return ("bfloat16", "float16", "float32")


def _is_supported(runtime: str, device: str, precision: str, requested: Candidate) -> bool:
    """Return whether a runtime supports a device and a precision.

    A precision that was requested explicitly is not checked against the hardware; loading it fails if unsupported.
    """
    if runtime == "openvino":
        if device not in ("cpu", "intel-gpu") or (device == "intel-gpu" and precision == "bfloat16"):
            return False
        if requested.precision == "auto" and precision == "bfloat16":
            return openvino_runtime.has_bfloat16()
        return True
    if runtime == "onnxruntime":
        return precision == "float32" and device in onnx_runtime.PROVIDERS
    if device not in ("cpu", "cuda", "mps"):
        return False
    if requested.precision == "auto" and precision != "float32":
        from dubai_landcover_plugin.core.runtimes import torch_runtime

        return torch_runtime.fast_precision(device) == precision
    return True
