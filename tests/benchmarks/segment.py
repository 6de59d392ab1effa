"""Whole runs: each is a process of its own through the command line, so the peak is that of the whole engine."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.candidates import Candidate
from tests.benchmarks.forward import Forward, measure_speed, open_runtime
from tests.benchmarks.rasters import ROOT

ROUNDS = 3
MEASURED = (
    "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]);"
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"
)
"""Runs a command from a small process: the peak of a child counts what its parent had when it was forked."""


@dataclass(frozen=True)
class Run:
    """One whole run.

    Args:
        name: What was run.
        mpx: Size of the raster.
        wall_s: From the start of the process to its end.
        run_s: From opening the raster to the verified result.
        peak_mb: Most resident memory of the process.
        what: Runtime, device and precision.
        of_bare: Mpx/s of the run, divided by that of the bare forward pass measured right before and after; or None.
    """

    name: str
    mpx: float
    wall_s: float
    run_s: float
    peak_mb: float
    what: str
    of_bare: float | None = None

    def to_json(self) -> dict:
        """Return a JSON-ready description."""
        return asdict(self)

    def __str__(self) -> str:
        share = "" if self.of_bare is None else f"{self.of_bare:9.0%}"
        speed = self.mpx / self.run_s
        return (
            f"{self.name:<34}{self.mpx:7.1f}{self.wall_s:9.1f}{self.run_s:8.1f}{speed:8.2f}{self.peak_mb:9.0f}"
            f"  {self.what:<32}{share}"
        )


HEAD = f"{'':<34}{'Mpx':>7}{'wall s':>9}{'run s':>8}{'Mpx/s':>8}{'peak MB':>9}  {'computed by':<32}{'of bare':>9}"


def run_engine(name: str, mpx: float, source: Path, target: Path, *options: str) -> Run:
    """Segment through the command line."""
    command = [sys.executable, "-m", "dubai_landcover_plugin", "segment", "--json", "--overwrite"]
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *command, str(source), str(target), *options],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(f"The run failed with code {done.returncode}:\n{done.stderr[-2000:]}")
    *lines, peak = done.stdout.splitlines()
    result = json.loads("".join(lines))
    what = Candidate(result["runtime"], result["device"], result["precision"])
    return Run(name, mpx, wall, result["seconds"], int(peak) / 1024, str(what))


def run_beside_bare(
    name: str, mpx: float, source: Path, target: Path, bundle: ModelBundle, best: dict[str, Forward], *options: str
) -> Run:
    """Return the median of some runs, each between two bare forward passes of the same kind.

    Machines change their speed within minutes; the ratio to what was measured right before and after does not.

    Args:
        name: What is run.
        mpx: Size of the raster.
        source: The raster.
        target: The result.
        bundle: The model.
        best: The best window of each runtime and precision.
        options: Of the command line.
    """
    first = run_engine(name, mpx, source, target, *options)  # compiles what is not compiled yet
    bare = best[first.what]
    candidate = Candidate(*bare.what.replace(" on ", " ").replace(",", "").split())
    runtime = open_runtime(bundle, candidate, bare.window)
    chips = np.random.default_rng(0).integers(0, 256, (bare.batch, 3, bare.window, bare.window), np.uint8)
    speeds, runs = [measure_speed(runtime, chips)], []
    for _ in range(ROUNDS):
        runs.append(run_engine(name, mpx, source, target, *options))
        speeds.append(measure_speed(runtime, chips))
    runtime.close()
    shares = [run.mpx / run.run_s / statistics.mean(speeds[index : index + 2]) for index, run in enumerate(runs)]
    median = sorted(runs, key=lambda run: run.run_s)[ROUNDS // 2]
    return Run(**{**median.to_json(), "of_bare": statistics.median(shares)})
