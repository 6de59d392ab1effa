"""Bare forward passes of every runtime and precision on this machine: what a run is measured against."""

from __future__ import annotations

import statistics
import time
from collections import deque

import numpy as np

from dubai_landcover_plugin.core.bundle import ModelBundle
from dubai_landcover_plugin.core.errors import LandCoverError
from dubai_landcover_plugin.core.runtimes.choice import Candidate, Choice, list_candidates
from dubai_landcover_plugin.core.runtimes.runtime import Runtime

WINDOWS = (512, 768, 1024)
BATCHES = (1, 2, 4)
SECONDS = 6.0  # of each measurement


def measure_forward(bundle: ModelBundle, chip: np.ndarray, seconds: float = SECONDS) -> list[dict]:
    """Return speed and agreement of each runtime and precision at each window and batch.

    Args:
        bundle: The model.
        chip: (C, H, W) uint8 pixels of a real image, at least as large as the largest window.
        seconds: Length of each measurement.
    """
    rows = []
    wanted: dict[int, np.ndarray] = {}
    for candidate in reversed(list_candidates("auto", "auto", "auto", tried=True)):  # float32 of PyTorch comes first
        for window in WINDOWS:
            sample = np.ascontiguousarray(chip[None, :, :window, :window])
            runtime = _load(bundle, candidate, sample.shape[1:])
            if runtime is None:
                continue
            classes = runtime.submit(sample).result().argmax(axis=1)
            agreement = float((classes == wanted.setdefault(window, classes)).mean())
            for batch in BATCHES if candidate.runtime == "torch" else BATCHES[:1]:
                speed = _speed(runtime, np.repeat(sample, batch, axis=0), seconds)
                rows.append(
                    {"what": str(candidate), "window": window, "batch": batch, "mpx_s": speed, "agreement": agreement}
                )
            runtime.close()
    return rows


def best_of(rows: list[dict]) -> dict[str, dict]:
    """Return the fastest row of each runtime and precision."""
    best: dict[str, dict] = {}
    for row in sorted(rows, key=lambda row: row["mpx_s"]):
        best[row["what"]] = row
    return best


def _load(bundle: ModelBundle, candidate: Candidate, shape: tuple[int, ...]) -> Runtime | None:
    try:
        return Choice(bundle, [candidate], shape, False, lambda level, text: None).next()
    except LandCoverError as error:
        print(f"{candidate}: {error}")
        return None


def _speed(runtime: Runtime, chips: np.ndarray, seconds: float) -> float:
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
