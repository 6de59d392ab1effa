"""Which runtime computes a run: the fastest whose classes are those of PyTorch in float32."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dubai_landcover_plugin.core.bundle import ModelBundle
from dubai_landcover_plugin.core.errors import LandCoverError
from dubai_landcover_plugin.core.runtimes import openvino_runtime
from dubai_landcover_plugin.core.runtimes.cache import read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork
from dubai_landcover_plugin.core.runtimes.openvino_runtime import OpenVinoRuntime
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Runtime, RuntimeUnavailableError
from dubai_landcover_plugin.core.runtimes.torch_runtime import TorchRuntime, choose_device, fast_precision

LEAST_AGREEMENT = 0.995
WORTH_TRYING = 2_000_000  # px; fewer are done in PyTorch before another runtime is compiled

Log = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A runtime, where and in which arithmetic."""

    runtime: str
    device: str
    precision: str

    def __str__(self) -> str:
        return f"{self.runtime} on {self.device}, {self.precision}"


def list_candidates(runtime: str, device: str, precision: str, tried: bool) -> list[Candidate]:
    """Return what may compute a run, by the speed to expect, the fastest first.

    Args:
        runtime: ``auto``, ``torch`` or ``openvino``.
        device: ``auto`` or a device.
        precision: ``auto`` or an arithmetic.
        tried: Whether they will be tried before one is taken: only then does ``auto`` mean less than float32 on a CPU.

    Raises:
        DeviceError: if the device is not there.
        RuntimeUnavailableError: if the runtime cannot do it.
    """
    if runtime == "openvino":
        if not openvino_runtime.is_installed():
            raise RuntimeUnavailableError("The package openvino is not installed.", "Install it, or choose auto.")
        if device not in ("auto", "cpu"):
            raise RuntimeUnavailableError(f"OpenVINO computes on the CPU here, not on {device}.", "Choose device cpu.")
        device = "cpu"
    device = choose_device(device)
    if device != "cpu":
        return [Candidate("torch", device, fast_precision(device) if precision == "auto" else precision)]
    names = [name for name in ("openvino", "torch") if runtime in ("auto", name)]
    if "openvino" in names and not openvino_runtime.is_installed():
        names.remove("openvino")
    found = []
    arithmetics = (precision,) if precision != "auto" else ("bfloat16", "float32") if tried else ("float32",)
    for arithmetic in arithmetics:
        for name in names:
            if precision != "auto" or arithmetic == "float32" or _does_bfloat16(name):
                found.append(Candidate(name, device, arithmetic))
    return found


def _does_bfloat16(runtime: str) -> bool:
    if runtime == "openvino":
        return openvino_runtime.has_bfloat16()
    return fast_precision("cpu") == "bfloat16"


class Choice:
    """Loads one candidate after the other, as long as they fail.

    Args:
        bundle: The model.
        candidates: In the order in which they are tried.
        shape: (C, H, W) of the windows; None where they may differ, which only PyTorch takes.
        tta: Test-time augmentation.
        log: Receives a level and a line.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        candidates: Sequence[Candidate],
        shape: tuple[int, int, int] | None,
        tta: bool,
        log: Log,
    ) -> None:
        self._bundle, self._shape, self._tta, self._log = bundle, shape, tta, log
        self._left = [one for one in candidates if shape is not None or one.runtime == "torch"]

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

    def sort_by_trial(self, chips: Chips) -> None:
        """Try all candidates on (N, C, H, W) chips and order them by speed; drop those with other classes.

        What was found out is kept in the cache folder, for the next run of this model on windows of this shape.
        """
        if len(self._left) < 2:
            return
        key = ("trial", self._bundle.digest, self._shape, self._tta, *map(str, self._left), torch.__version__)
        stored = read_cached("trials", key)
        order = _stored_order(stored, self._left)
        if order is None:
            trials = self._try_all(chips)
            order = [trial.candidate for trial in sorted(trials, key=lambda trial: -trial.speed)]
            write_cached("trials", key, json.dumps([str(candidate) for candidate in order]).encode())
            for trial in trials:
                self._log("info", str(trial))
        self._left = order

    def _try_all(self, chips: Chips) -> list[Trial]:
        reference = Candidate("torch", "cpu", "float32")
        runtime = self._load(reference)
        wanted = _classes(runtime, chips)
        runtime.close()
        trials = []
        for candidate in self._left:
            try:
                trial = _try(candidate, self._load(candidate), chips, wanted)
            except (LandCoverError, RuntimeError) as error:
                self._log("warning", f"{candidate} cannot be used: {error}")
                continue
            if trial.agreement >= LEAST_AGREEMENT or candidate == reference:
                trials.append(trial)
            else:
                self._log("warning", f"{trial}: not used, at least {LEAST_AGREEMENT:.1%} is wanted.")
        return trials

    def _load(self, candidate: Candidate) -> Runtime:
        network = ProbabilityNetwork(self._bundle, self._tta).eval()
        if candidate.runtime == "torch":
            return TorchRuntime(network, candidate.device, candidate.precision)
        if self._shape is None:
            raise RuntimeUnavailableError("OpenVINO needs windows of one shape.", "Choose runtime torch.")
        return OpenVinoRuntime(network, f"{self._bundle.digest} {self._tta}", self._shape, candidate.precision)


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a candidate gave.

    Args:
        candidate: What was tried.
        speed: Mpx/s.
        agreement: Share of pixels with the class that PyTorch gives in float32.
    """

    candidate: Candidate
    speed: float
    agreement: float

    def __str__(self) -> str:
        return f"{self.candidate}: {self.speed:.2f} Mpx/s, {self.agreement:.2%} of the classes as float32"


def _try(candidate: Candidate, runtime: Runtime, chips: Chips, wanted: Any) -> Trial:
    try:
        agreement = float((_classes(runtime, chips) == wanted).mean())
        batches = [np.repeat(chips[:1], runtime.batch, axis=0)] * runtime.in_flight
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


def _stored_order(stored: bytes | None, known: Sequence[Candidate]) -> list[Candidate] | None:
    if stored is None:
        return None
    try:
        names = json.loads(stored)
        return [candidate for name in names for candidate in known if str(candidate) == name] or None
    except (ValueError, TypeError):
        return None
