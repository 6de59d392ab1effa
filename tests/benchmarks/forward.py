"""Bare forward passes of every runtime and precision on this machine: what a run is measured against."""

from __future__ import annotations

import statistics
import time
from collections import deque
from dataclasses import asdict, dataclass

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.candidates import Candidate, Limits, list_candidates, reference
from dubai_landcover_plugin.core.runtimes.hardware import cores
from dubai_landcover_plugin.core.runtimes.runtime import Runtime
from dubai_landcover_plugin.core.runtimes.selection import RuntimeSelector
from dubai_landcover_plugin.protocol.errors import LandCoverError

WINDOWS = (384, 512, 768)
SECONDS = 3.0  # of each measurement


@dataclass(frozen=True)
class Forward:
    """Speed of one runtime in one arithmetic on windows of one size."""

    what: str
    window: int
    batch: int
    mpx_s: float
    agreement: float

    def to_json(self) -> dict:
        """Return a JSON-ready description."""
        return asdict(self)


def candidates(bundle: ModelBundle) -> list[Candidate]:
    """Return everything that can compute the model here, 8 bit included; the reference first."""
    first = reference(bundle)
    found = list_candidates(Candidate("auto", "auto", "auto"), tried=True, onnx=bundle.is_onnx)
    if not bundle.is_onnx and bundle.graph("int8") is not None:
        found.append(Candidate("openvino", "cpu", "int8"))
    return [first, *(candidate for candidate in found if candidate != first)]


def measure_forward(bundle: ModelBundle, chip: np.ndarray) -> list[Forward]:
    """Return speed and agreement of each runtime and precision at each window.

    Args:
        bundle: The model.
        chip: (C, H, W) uint8 pixels of a real image, at least as large as the largest window.
    """
    rows = []
    wanted: dict[int, np.ndarray] = {}
    for candidate in candidates(bundle):
        for window in WINDOWS:
            runtime = open_runtime(bundle, candidate, window)
            if runtime is None:
                continue
            sample = np.ascontiguousarray(chip[None, :, :window, :window])
            classes = runtime.submit(sample).result().argmax(axis=1)
            agreement = float((classes == wanted.setdefault(window, classes)).mean())
            for batch in (1, 4) if candidate.runtime == "torch" else (1,):
                speed = measure_speed(runtime, np.repeat(sample, batch, axis=0))
                rows.append(Forward(str(candidate), window, batch, speed, agreement))
            runtime.close()
    return rows


def best_of(rows: list[Forward]) -> dict[str, Forward]:
    """Return the fastest row of each runtime and precision, the fastest of all last."""
    return {row.what: row for row in sorted(rows, key=lambda row: row.mpx_s)}


def open_runtime(bundle: ModelBundle, candidate: Candidate, window: int) -> Runtime | None:
    """Return a runtime for square windows; None where it does not go."""
    shape = (len(bundle.metadata.bands), window, window)
    choice = RuntimeSelector(bundle, candidate, shape, False, Limits(cores()), lambda level, text: None)
    try:
        choice.list_all()
        return choice.next()
    except LandCoverError as error:
        print(f"{candidate}: {error}")
        return None


def measure_speed(runtime: Runtime, chips: np.ndarray, seconds: float = SECONDS) -> float:
    """Return Mpx/s, the median of three thirds of the time, with as many batches on the way as keep it busy."""
    pixels = chips.shape[0] * chips.shape[2] * chips.shape[3]
    runtime.submit(chips).result()  # warm
    rates = []
    for _ in range(3):
        waiting, done, started = deque(), 0, time.perf_counter()
        while time.perf_counter() - started < seconds / 3 or waiting:
            while len(waiting) < runtime.in_flight and time.perf_counter() - started < seconds / 3:
                waiting.append(runtime.submit(chips))
            if waiting:
                waiting.popleft().result()
                done += pixels
        rates.append(done / (time.perf_counter() - started) / 1e6)
    return statistics.median(rates)
