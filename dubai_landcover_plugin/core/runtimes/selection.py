"""Which runtime computes a run: the fastest whose classes are those of a reference in float32."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes import hardware, onnx_runtime, openvino_runtime
from dubai_landcover_plugin.core.runtimes.cache import read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Runtime, RuntimeUnavailableError
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.errors import DeviceError, LandCoverError

LEAST_AGREEMENT = 0.995
WORTH_TRYING = 2_000_000  # px; fewer are done before other runtimes have been tried
_ROUNDS = 2  # of a trial

Log = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A runtime, where and in which arithmetic."""

    runtime: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.runtime} on {self.device}, {self.precision}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a runtime may take.

    Args:
        threads: Cores to use.
        lean: Trade speed for memory.
    """

    threads: int
    lean: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a candidate gave.

    Args:
        candidate: What was tried.
        speed: Mpx/s.
        agreement: Share of pixels with the class that the reference gives.
    """

    candidate: Candidate
    speed: float
    agreement: float

    def __str__(self) -> str:
        return f"{self.candidate}: {self.speed:.2f} Mpx/s, {self.agreement:.2%} of the classes as float32"


def reference(bundle: ModelBundle) -> Candidate:
    """Return what gives the classes that all others are compared with."""
    return Candidate("onnxruntime" if bundle.is_onnx else "torch", "cpu", "float32")


def list_candidates(wish: Candidate, tried: bool, onnx: bool = False) -> list[Candidate]:
    """Return what may compute a run, by the speed to expect, the fastest first.

    Args:
        wish: What was asked for; each part may be ``auto``.
        tried: Whether they will be tried before one is taken: only then does ``auto`` mean less than float32 on a CPU.
        onnx: Whether the model is an ONNX file, which PyTorch does not compute; ONNX Runtime computes nothing else.

    Raises:
        DeviceError: if the device is not there.
        RuntimeUnavailableError: if the runtime is not there, or not for this model on the device.
    """
    known = ("openvino", "onnxruntime") if onnx else ("openvino", "torch")
    if wish.runtime not in ("auto", *known):
        what = "an ONNX model" if onnx else "a model of this project"
        raise RuntimeUnavailableError(f"{wish.runtime} does not compute {what}.", f"Choose auto, {' or '.join(known)}.")
    names = [name for name in known if wish.runtime in ("auto", name)]
    if "openvino" in names and not openvino_runtime.is_installed():
        if wish.runtime == "openvino":
            raise RuntimeUnavailableError("The package openvino is not installed.", "Install it, or choose auto.")
        names.remove("openvino")
    if wish.precision == "int8":  # only when asked for; where it does not go, what auto takes
        if "openvino" not in names or wish.device not in ("auto", "cpu"):
            raise RuntimeUnavailableError("Only OpenVINO computes in int8, on CPUs.", "Choose another precision.")
        own = Candidate("openvino", "cpu", "int8")
        return [own, *list_candidates(replace(wish, precision="auto"), tried, onnx)]
    found = [
        Candidate(name, device, precision)
        for device in _devices(wish.device, onnx)
        for precision in _precisions(wish.precision, device, tried)
        for name in names
        if _can(name, device, precision, wish)
    ]
    if not found:
        raise RuntimeUnavailableError(
            f"{wish.runtime} does not compute on {wish.device} in {wish.precision}.", "Choose auto."
        )
    return found


def _devices(wanted: str, onnx: bool) -> list[str]:
    """Return where to compute, the fastest first; the CPU comes last, to go on there if a GPU fails.

    Raises:
        DeviceError: if the device is not there.
    """
    if wanted == "cpu":
        return ["cpu"]
    there = ["cpu"]
    if openvino_runtime.is_installed() and openvino_runtime.has_device("intel-gpu"):
        there.insert(0, "intel-gpu")
    if onnx:
        there = [device for device in ("cuda", "directml", "mps") if onnx_runtime.has_device(device)] + there
    elif wanted in ("cuda", "mps") or hardware.may_have_gpu():
        from dubai_landcover_plugin.core.runtimes import torch_runtime

        there = [device for device in ("cuda", "mps") if torch_runtime.has_device(device)] + there
    if wanted == "auto":
        return there
    if wanted not in there:
        raise DeviceError(f"The device '{wanted}' is not available; there is {', '.join(there)}.", "Use auto.")
    return [wanted, "cpu"]


def _precisions(wanted: str, device: str, tried: bool) -> Sequence[str]:
    if wanted != "auto":
        return (wanted,)
    if device == "cpu":
        return ("bfloat16", "float32") if tried else ("float32",)
    return ("bfloat16", "float16", "float32")


def _can(runtime: str, device: str, precision: str, wish: Candidate) -> bool:
    """Return whether a runtime computes there in that arithmetic; what was asked for by name may fail by itself."""
    if runtime == "openvino":
        if device not in ("cpu", "intel-gpu") or (device == "intel-gpu" and precision == "bfloat16"):
            return False
        if wish.precision == "auto" and precision == "bfloat16":
            return openvino_runtime.has_bfloat16()
        return True
    if runtime == "onnxruntime":
        return precision == "float32" and device in onnx_runtime.PROVIDERS
    if device not in ("cpu", "cuda", "mps"):
        return False
    if wish.precision == "auto" and precision != "float32":
        from dubai_landcover_plugin.core.runtimes import torch_runtime

        return torch_runtime.fast_precision(device) == precision
    return True


class Choice:
    """Loads one candidate after the other, as long as they fail.

    Args:
        bundle: The model.
        wish: What was asked for; each part may be ``auto``.
        shape: (C, H, W) of the windows; None where they may differ, which OpenVINO does not take.
        tta: Test-time augmentation.
        limits: What a runtime may take.
        log: Receives a level and a line.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        wish: Candidate,
        shape: tuple[int, int, int] | None,
        tta: bool,
        limits: Limits,
        log: Log,
    ) -> None:
        self._bundle, self._wish, self._shape, self._tta = bundle, wish, shape, tta
        self._limits, self._log = limits, log
        if tta and bundle.is_onnx:
            raise RuntimeUnavailableError(
                "Test-time augmentation is not there for ONNX models.", "Switch it off, or use a model of this project."
            )
        self._left: list[Candidate] = []
        self.speed: float | None = None

    def list_all(self) -> None:
        """Take all candidates in the order of the speed to expect.

        Raises:
            LandCoverError: as :func:`list_candidates`.
        """
        found = list_candidates(self._wish, tried=False, onnx=self._bundle.is_onnx)
        self._left = [one for one in found if self._shape is not None or one.runtime != "openvino"]
        if not self._left:
            raise RuntimeUnavailableError("OpenVINO needs windows of one shape.", "Choose another runtime.")

    def list_by_trial(self, chips: Chips) -> None:
        """Try all candidates on (N, C, H, W) chips and order them by speed; drop those with other classes.

        What was found out is kept in the cache folder, for the next run of this model on windows of whatever shape.

        Raises:
            LandCoverError: as :func:`list_candidates`.
        """
        what = (self._bundle.digest, self._tta, self._wish, self._limits.threads)
        key = (*what, hardware.processor(), *versions().values())
        trials, when = _stored_trials(read_cached("trials", key)), ", as measured earlier"
        if not trials:
            trials, when = sorted(self._try_all(chips), key=self._rank), ""
            write_cached("trials", key, json.dumps([asdict(trial) for trial in trials]).encode())
        for trial in trials:
            self._log("info", f"{trial}{when}")
        self._left = [trial.candidate for trial in trials]
        self.speed = trials[0].speed

    def next(self) -> Runtime:
        """Return the next candidate that can be loaded; tell of those that cannot.

        Raises:
            LandCoverError: what the last one failed with.
        """
        while True:
            candidate = self._left.pop(0)
            try:
                return self._load(candidate)
            except LandCoverError as error:
                if not self._left:
                    raise
                self._log("warning", f"{candidate} cannot be used: {error} {self._left[0]} is used instead.")

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is left to try."""
        return not self._left

    def _rank(self, trial: Trial) -> tuple[bool, bool, float]:
        """Order by speed, but what was asked for by name comes before what stands in for it."""
        candidate, wish = trial.candidate, self._wish
        return candidate.device != wish.device != "auto", candidate.precision != wish.precision != "auto", -trial.speed

    def _try_all(self, chips: Chips) -> list[Trial]:
        exact = reference(self._bundle)
        runtime = self._load(exact)
        wanted = _classes(runtime, chips)
        runtime.close()
        trials = []
        for candidate in list_candidates(self._wish, tried=True, onnx=self._bundle.is_onnx):
            try:
                trial = _try(candidate, self._load(candidate), chips, wanted)
            except (LandCoverError, RuntimeError) as error:
                self._log("warning", f"{candidate} cannot be used: {error}")
                continue
            asked = candidate.precision == self._wish.precision
            if trial.agreement >= LEAST_AGREEMENT or asked or candidate == exact:
                trials.append(trial)
            if trial.agreement < LEAST_AGREEMENT:
                told = "used because it was asked for" if asked else "not used"
                self._log("warning", f"{trial}: {told}; at least {LEAST_AGREEMENT:.1%} would be wanted.")
        if not trials:
            raise RuntimeUnavailableError(
                f"Nothing that was asked for ({self._wish}) can compute this model.", "Choose auto."
            )
        return trials

    def _load(self, candidate: Candidate) -> Runtime:
        bundle, limits = self._bundle, self._limits
        if candidate.runtime == "torch":
            from dubai_landcover_plugin.core.runtimes.torch_runtime import TorchRuntime

            return TorchRuntime(bundle, self._tta, candidate.device, candidate.precision, limits.threads)
        side = bundle.metadata.window
        if candidate.runtime == "onnxruntime":
            shape = self._shape or (len(bundle.metadata.bands), side, side)
            return onnx_runtime.OnnxRuntime(bundle, shape, candidate.device, limits.threads)
        if self._shape is None:
            raise RuntimeUnavailableError("OpenVINO needs windows of one shape.", "Choose another runtime.")
        return openvino_runtime.OpenVinoRuntime(
            bundle, self._tta, self._shape, candidate.device, candidate.precision, limits.threads, limits.lean
        )


def _try(candidate: Candidate, runtime: Runtime, chips: Chips, wanted: Any) -> Trial:
    try:
        agreement = float((_classes(runtime, chips) == wanted).mean())
        batches = [np.repeat(chips[:1], runtime.batch, axis=0)] * (runtime.in_flight * _ROUNDS)
        started = time.perf_counter()
        for future in [runtime.submit(batch) for batch in batches]:
            future.result()
        seconds = time.perf_counter() - started
    finally:
        runtime.close()
    pixels = sum(batch.shape[0] * batch.shape[2] * batch.shape[3] for batch in batches)
    return Trial(candidate, pixels / seconds / 1e6, agreement)


def _classes(runtime: Runtime, chips: Chips) -> Any:
    return runtime.submit(chips).result().argmax(axis=1)


def _stored_trials(stored: bytes | None) -> list[Trial]:
    try:
        return [Trial(Candidate(**trial.pop("candidate")), **trial) for trial in json.loads(stored or b"[]")]
    except (ValueError, TypeError, KeyError):
        return []
