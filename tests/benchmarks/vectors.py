"""Polygons, buildings and roads of a finished classified raster: each alone, and all in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.benchmarks.rasters import ROOT

_RUN = """
import json, resource, sys, time
from dubai_landcover_plugin.core.segmentation.vector_outputs import write_extras
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
raster, folder, *kinds = sys.argv[1:]
outputs = {kind: f"{folder}/{kind}.gpkg" for kind in kinds}
started = time.perf_counter()
write_extras(SegmentationRequest("-", raster, SegmentOptions(overwrite=True), **outputs), DUBAI, None, SilentMonitor())
wall = time.perf_counter() - started
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(json.dumps({
    "wall_s": wall, "cpu_s": sum(u.ru_utime + u.ru_stime for u in used),
    "peak_mb": sum(u.ru_maxrss for u in used) / 1024,
}))
"""
KINDS = ("polygons", "buildings", "roads")
TOGETHER = "all in one run"
HEAD = f"{'':<26}{'Mpx':>7}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'of the sum of each alone':>26}"


@dataclass(frozen=True)
class VectorRun:
    """One run that makes vectors.

    Args:
        name: What it makes.
        mpx: Size of the raster.
        wall_s: Time without the start of Python.
        cpu_s: Processor time of the process and of the one that it starts, with the start of Python.
        peak_mb: Most resident memory of both, added.
        share: CPU seconds divided by the sum of those of each alone, measured in the same round; None for these.
    """

    name: str
    mpx: float
    wall_s: float
    cpu_s: float
    peak_mb: float
    share: float | None = None

    def to_json(self) -> dict:
        """Return a JSON-ready description."""
        return asdict(self)

    def __str__(self) -> str:
        share = "" if self.share is None else f"{self.share:26.0%}"
        return f"{self.name:<26}{self.mpx:7.1f}{self.wall_s:9.1f}{self.cpu_s:9.1f}{self.peak_mb:9.0f}{share}"


def measure_vectors(classified: Path, mpx: float, folder: Path) -> list[VectorRun]:
    """Return the runs of each kind alone, and of all together."""
    alone = [_run(kind, mpx, classified, folder, (kind,)) for kind in KINDS]
    share = 1 / sum(run.cpu_s for run in alone)
    return [*alone, _run(TOGETHER, mpx, classified, folder, KINDS, share)]


def _run(
    name: str, mpx: float, classified: Path, folder: Path, kinds: tuple[str, ...], share: float | None = None
) -> VectorRun:
    command = [sys.executable, "-c", _RUN, str(classified), str(folder), *kinds]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed with code {done.returncode}:\n{done.stderr[-2000:]}")
    measured = json.loads(done.stdout.splitlines()[-1])
    return VectorRun(name, mpx, **measured, share=None if share is None else share * measured["cpu_s"])
