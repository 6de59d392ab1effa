"""Selects the runtime of a run: the fastest whose classes agree with a float32 reference."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Set
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes import hardware, onnx_runtime, openvino_runtime
from dubai_landcover_plugin.core.runtimes.cache import read_cached, write_cached
from dubai_landcover_plugin.core.runtimes.candidates import (
    Candidate,
    Limits,
    list_candidates,
    reference,
)
from dubai_landcover_plugin.core.runtimes.runtime import Chips, Runtime, RuntimeUnavailableError
from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.translation import tr

MIN_AGREEMENT = 0.995
"""Minimum share of pixels with the class of the reference."""
WORTH_TRYING = 2_000_000
"""Working pixels from which a trial of the runtimes pays off."""
_ROUNDS = 2  # of a trial

Log = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of the trial of a candidate.

    Args:
        candidate: The candidate.
        speed: Speed, Mpx/s.
        agreement: Share of pixels with the class of the reference, 0..1.
    """

    candidate: Candidate
    speed: float
    agreement: float

    def __str__(self) -> str:
        return tr(
            "{candidate}: {speed:.2f} Mpx/s, {agreement:.2%} agreement with float32",
            candidate=self.candidate,
            speed=self.speed,
            agreement=self.agreement,
        )


class RuntimeSelector:
    """Lists candidates and loads the next one whenever a runtime fails.

    Attributes:
        speed: Speed of the first candidate in the trial, Mpx/s; None without a trial.

    Args:
        bundle: The model.
        requested: The requested runtime, device and precision; each may be ``auto``.
        shape: (C, H, W) of the windows; None if it varies, which OpenVINO does not support.
        tta: Test-time augmentation.
        limits: Resources of a runtime.
        log: Receives messages as level and text.

    Raises:
        RuntimeUnavailableError: for test-time augmentation with an ONNX model.
    """

    def __init__(
        self,
        bundle: ModelBundle,
        requested: Candidate,
        shape: tuple[int, int, int] | None,
        tta: bool,
        limits: Limits,
        log: Log,
    ) -> None:
        self._bundle, self._requested, self._shape, self._tta = bundle, requested, shape, tta
        self._limits, self._log = limits, log
        if tta and bundle.is_onnx:
            raise RuntimeUnavailableError(
                tr("Test-time augmentation is not available for ONNX models."),
                tr("Switch it off, or use a model of this project."),
            )
        self._exact = reference(bundle, requested.runtime)
        self._left: list[Candidate] = []
        self.speed: float | None = None

    def log_to(self, log: Log) -> None:
        """Send further messages elsewhere."""
        self._log = log

    def list_all(self) -> None:
        """List all candidates by expected speed.

        Raises:
            LandCoverError: see :func:`list_candidates`.
        """
        found = self._candidates(tried=False)
        if self._without_torch:
            found = [*found, Candidate("torch", "cpu", "float32")]  # if all others fail
        self._left = [one for one in found if self._shape is not None or one.runtime != "openvino"]
        if not self._left:
            raise RuntimeUnavailableError(tr("OpenVINO needs windows of one shape."), tr("Choose another runtime."))

    def list_at_once(self) -> None:
        """List the candidates by expected speed, without those that would first have to convert the network."""
        self.list_all()
        requested = self._requested
        if requested.runtime == "auto" and requested.precision != "int8" and not self._is_converted:
            self._left = [one for one in self._left if one.runtime != "openvino"] or self._left

    @property
    def _is_converted(self) -> bool:
        """Whether OpenVINO can read the network as it is stored, in the file or in the cache."""
        if self._bundle.is_onnx or not openvino_runtime.is_installed():
            return False
        return openvino_runtime.has_graph(openvino_runtime.Graph(self._bundle, self._tta))

    @property
    def has_choice(self) -> bool:
        """Whether there are several candidates of which a trial would have to find the fastest accurate one.

        On CPUs OpenVINO is the faster the lower the precision; its precisions need no trial if their accuracy is known.

        Raises:
            LandCoverError: see :func:`list_candidates`.
        """
        found = self._candidates(tried=True)
        known = self._accurate | {"float32", self._requested.precision} if self._accurate else set()
        is_known = all((one.runtime, one.device) == ("openvino", "cpu") and one.precision in known for one in found)
        return len(found) > 1 and not is_known

    @property
    def _accurate(self) -> Set[str]:
        return self._bundle.metadata.accurate_precisions

    def _candidates(self, tried: bool) -> list[Candidate]:
        return list_candidates(self._requested, tried, self._bundle.is_onnx, self._without_torch, self._accurate)

    def list_stored(self) -> bool:
        """List the candidates of an earlier trial of this model; return whether there was one.

        The results hold for windows of any shape.
        """
        return self._take(_stored_trials(read_cached("trials", self._key)), tr(", as measured earlier"))

    def list_by_trial(self, chips: Chips) -> None:
        """Try all candidates on (N, C, H, W) chips, drop inaccurate ones and list the others by speed.

        The results are stored for later runs.

        Raises:
            LandCoverError: see :func:`list_candidates`.
        """
        key = self._key  # the trial may replace the reference
        trials = sorted(self._try_all(chips), key=self._rank)
        write_cached("trials", key, json.dumps([asdict(trial) for trial in trials]).encode())
        self._take(trials, "")

    @property
    def _key(self) -> tuple[object, ...]:
        """Key of the trials in the cache."""
        model = (self._bundle.digest, self._tta, self._requested, self._exact, self._limits.threads)
        return (*model, hardware.processor(), *versions().values())

    def _take(self, trials: list[Trial], suffix: str) -> bool:
        """List the candidates of trials; return whether there are any."""
        if not trials:
            return False
        for trial in trials:
            self._log("info", f"{trial}{suffix}")
        self._left = [trial.candidate for trial in trials]
        if self._without_torch:
            self._left.append(Candidate("torch", "cpu", "float32"))  # if all others fail
        self.speed = trials[0].speed
        return True

    def next(self) -> Runtime:
        """Return the next candidate that can be loaded; log those that cannot.

        Raises:
            LandCoverError: the error of the last candidate.
        """
        while True:
            candidate = self._left.pop(0)
            try:
                return self._load(candidate)
            except LandCoverError as error:
                if not self._left:
                    raise
                self._log(
                    "warning",
                    tr(
                        "{candidate} cannot be used: {error} {other} is used instead.",
                        candidate=candidate,
                        error=error,
                        other=self._left[0],
                    ),
                )

    @property
    def _without_torch(self) -> bool:
        """Whether PyTorch is only used if all other runtimes fail."""
        is_fallback = self._requested.runtime == "auto" and self._exact.runtime == "openvino"
        return is_fallback and not self._bundle.is_onnx  # which PyTorch cannot compute

    @property
    def is_exhausted(self) -> bool:
        """Whether no candidate is left."""
        return not self._left

    def _rank(self, trial: Trial) -> tuple[bool, bool, float]:
        """Return the sort key of a trial: the requested device and precision first, then by speed."""
        candidate, requested = trial.candidate, self._requested
        return (
            candidate.device != requested.device != "auto",
            candidate.precision != requested.precision != "auto",
            -trial.speed,
        )

    def _try_all(self, chips: Chips) -> list[Trial]:
        """Compute the classes of the reference, then try each candidate against them."""
        expected, measured = self._try_reference(chips)
        trials = []
        for candidate in self._candidates(tried=True):
            try:
                if candidate == self._exact:
                    trial = measured
                else:
                    trial = _try(candidate, self._load(candidate), chips, expected)
            except (LandCoverError, RuntimeError) as error:
                self._log("warning", tr("{candidate} cannot be used: {error}", candidate=candidate, error=error))
                continue
            is_requested = candidate.precision == self._requested.precision
            if trial.agreement >= MIN_AGREEMENT or is_requested or candidate == self._exact:
                trials.append(trial)
            if trial.agreement < MIN_AGREEMENT:
                use = tr("used because it was requested") if is_requested else tr("not used")
                self._log(
                    "warning",
                    tr("{trial}, below the minimum of {limit:.1%}: {use}.", trial=trial, limit=MIN_AGREEMENT, use=use),
                )
        if not trials:
            raise RuntimeUnavailableError(
                tr("No runtime for {requested} can compute this model.", requested=self._requested), tr("Choose auto.")
            )
        return trials

    def _try_reference(self, chips: Chips) -> tuple[Any, Trial]:
        """Return classes, (N, H, W), and speed of the reference."""
        runtime = self._load_reference()
        try:
            return _classes(runtime, chips), Trial(self._exact, _speed(runtime, chips), 1.0)
        finally:
            runtime.close()

    def _load_reference(self) -> Runtime:
        """Load the reference; PyTorch if OpenVINO cannot compute the network."""
        try:
            return self._load(self._exact)
        except LandCoverError as error:
            if self._exact.runtime != "openvino" or self._bundle.is_onnx:
                raise
            self._log("warning", tr("{candidate} cannot be used: {error}", candidate=self._exact, error=error))
            self._exact = replace(self._exact, runtime="torch")
            return self._load(self._exact)

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
            raise RuntimeUnavailableError(tr("OpenVINO needs windows of one shape."), tr("Choose another runtime."))
        return openvino_runtime.OpenVinoRuntime(
            bundle, self._tta, self._shape, candidate.device, candidate.precision, limits.threads, limits.lean
        )


def _try(candidate: Candidate, runtime: Runtime, chips: Chips, expected: Any) -> Trial:
    """Measure agreement on all chips, then speed, and close the runtime."""
    try:
        agreement = float((_classes(runtime, chips) == expected).mean())
        return Trial(candidate, _speed(runtime, chips), agreement)
    finally:
        runtime.close()


def _speed(runtime: Runtime, chips: Chips) -> float:
    """Return the speed on copies of the first chip, with all batches in flight, Mpx/s."""
    batches = [np.repeat(chips[:1], runtime.batch, axis=0)] * (runtime.in_flight * _ROUNDS)
    started = time.perf_counter()
    for future in [runtime.submit(batch) for batch in batches]:
        future.result()
    seconds = time.perf_counter() - started
    pixels = sum(batch.shape[0] * batch.shape[2] * batch.shape[3] for batch in batches)
    return float(pixels / seconds / 1e6)


def _classes(runtime: Runtime, chips: Chips) -> Any:
    """Return the channel of highest probability, (N, H, W)."""
    return runtime.submit(chips).result().argmax(axis=1)


def _stored_trials(stored: bytes | None) -> list[Trial]:
    """Return cached trials; an empty list if there are none or they are damaged."""
    try:
        return [Trial(Candidate(**trial.pop("candidate")), **trial) for trial in json.loads(stored or b"[]")]
    except (ValueError, TypeError, KeyError):
        return []
