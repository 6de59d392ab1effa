"""Commands in processor seconds, relative to bare forward passes, and the comparison with those of the last release.

Processor seconds depend less than wall times on what else a machine does, and so does their ratio to forward passes
measured in the same minutes. It does depend on the processor and on the network, so that only equal ones are compared.
``python -m tests.benchmarks steps`` prints the table; with ``--store`` it also becomes the table of the release,
``release.json``.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import rasterio
from rasterio.windows import Window

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.runtimes.candidates import Candidate
from dubai_landcover_plugin.core.runtimes.hardware import processor
from tests.benchmarks.forward import open_runtime
from tests.benchmarks.rasters import ROOT, base_raster

STORED = Path(__file__).with_name("release.json")
REGRESSION = 0.05
"""Smallest rise of a ratio or of the memory that is named."""
PART = Window(1500, 1000, 3000, 2000)
SMALL, COUNT = 1000, 12  # px a side, rasters of a folder
WINDOW, WINDOWS, ROUNDS = 512, 16, 6  # of bare forward passes; the fastest round counts
HEAD = f"{'':<50}{'Mpx':>6}{'CPU s':>9}{'of bare':>9}{'peak MB':>9}{'last release':>14}"
_MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
sys.stdout.buffer.write(done.stdout)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
sys.exit(done.returncode)
"""


@dataclass(frozen=True)
class Step:
    """One command.

    Args:
        name: What it does.
        mpx: Size of its rasters.
        cpu_s: Processor seconds of the process, its start included.
        ratio: These divided by those of bare forward passes in float32 over as many pixels.
        peak_mb: Most resident memory of its largest process.
    """

    name: str
    mpx: float
    cpu_s: float
    ratio: float
    peak_mb: float

    def line(self, before: Mapping[str, float] | None) -> str:
        """Return a row of the table, with the ratio of the last release."""
        earlier = "" if before is None else f"{before['ratio']:14.2f}"
        return f"{self.name:<50}{self.mpx:6.1f}{self.cpu_s:9.1f}{self.ratio:9.2f}{self.peak_mb:9.0f}{earlier}"


def read_release(path: Path = STORED, conditions: str = "") -> dict[str, dict[str, float]]:
    """Return ratio and memory of each step of the last release; empty without a table of these conditions."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text(encoding="utf-8"))
    steps: dict[str, dict[str, float]] = stored["steps"]
    return steps if stored.get("conditions") == conditions else {}


def current_conditions() -> str:
    """Return a digest of the processor and of the weights, on which the ratios depend."""
    return hashlib.sha256(f"{processor()} {open_bundle('dubai').digest}".encode()).hexdigest()[:16]


def regressions(steps: list[Step], release: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return a line for each step that takes over 5 % more time or memory than in the last release."""
    lines = []
    for step in steps:
        before = release.get(step.name)
        if before is None:
            continue
        for what, now, then in (
            ("processor time", step.ratio, before["ratio"]),
            ("memory", step.peak_mb, before["peak_mb"]),
        ):
            if now > then * (1 + REGRESSION):
                lines.append(f"{step.name}: {now / then - 1:.0%} more {what} than in the last release")
    return lines


def measure_steps(folder: Path) -> list[Step]:
    """Measure all steps with the model ``dubai`` in float32; compiled networks go to a cache of their own."""
    part, small = folder / "part.tif", folder / "small"
    _cut(base_raster(folder), part, small)
    mpx = PART.width * PART.height / 1e6
    vectors = [f"{kind}={folder / kind}.gpkg" for kind in ("polygons", "buildings", "roads")]
    outputs = [word for one in vectors for word in (f"--{one.partition('=')[0]}", one.partition("=")[2])]
    target = str(folder / "classes.tif")
    batch = ["batch", "--redo", str(small), str(folder / "results")]
    one = ["segment", str(small / "0.tif"), target]
    plain = ["segment", str(part), target]
    bare = _bare_cpu()

    def measure(name: str, size: float, command: list[str], *options: str, warm: bool = False) -> Step:
        words = [*command, "--overwrite", "--model", "dubai", "--device", "cpu", *options]
        words += [] if "--precision" in options else ["--precision", "float32"]
        for _ in range(2 if warm else 1):
            cpu_s, peak = _run(words, folder / "cache")
        return Step(name, size, round(cpu_s, 2), round(cpu_s / (bare * size), 3), round(peak))

    return [
        measure("first run", mpx, plain),
        measure("second run", mpx, plain),
        measure("int8", mpx, plain, "--precision", "int8", warm=True),
        measure(
            "confidence, polygons, buildings and roads",
            mpx,
            [*plain, "--confidence", str(folder / "confidence.tif"), *outputs],
        ),
        measure("1 Mpx", 1.0, one, warm=True),
        measure(f"{COUNT} rasters of 1 Mpx in a folder", COUNT * 1.0, batch),
    ]


def print_steps(steps: list[Step]) -> None:
    """Print the table, and the steps that have become slower."""
    release = read_release(conditions=current_conditions())
    print(f"\nCommands with the model dubai in float32, relative to bare forward passes in float32\n\n{HEAD}")
    for step in steps:
        print(step.line(release.get(step.name)))
    for line in regressions(steps, release):
        print(f"REGRESSION {line}")
    if not release:
        print("The last release was measured on another processor or with other weights: nothing to compare with.")


def _cut(source: Path, part: Path, small: Path) -> None:
    """Write a part of a raster, and the rasters of a folder."""
    small.mkdir()
    with rasterio.open(source) as dataset:
        places = [Window(SMALL * (index % 6), SMALL * (index // 6), SMALL, SMALL) for index in range(COUNT)]
        for path, window in [(part, PART), *((small / f"{i}.tif", place) for i, place in enumerate(places))]:
            profile = {
                "driver": "GTiff", "count": 3, "dtype": "uint8", "crs": dataset.crs, "height": window.height,
                "width": window.width, "transform": dataset.window_transform(window), "tiled": True,
                "blockxsize": 512, "blockysize": 512, "compress": "deflate", "photometric": "RGB",
            }  # fmt: skip
            with rasterio.open(path, "w", **profile) as written:
                written.write(dataset.read([1, 2, 3], window=window))


def _bare_cpu() -> float:
    """Return the processor seconds of OpenVINO in float32 for each Mpx."""
    runtime = open_runtime(open_bundle("dubai"), Candidate("openvino", "cpu", "float32"), WINDOW)
    if runtime is None:
        raise SystemExit("OpenVINO is needed.")
    chips = np.random.default_rng(0).integers(0, 256, (1, 3, WINDOW, WINDOW), np.uint8)
    runtime.submit(chips).result()
    used = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for future in [runtime.submit(chips) for _ in range(WINDOWS)]:
            future.result()
        used.append(time.process_time() - started)
    runtime.close()
    return min(used) / (WINDOWS * WINDOW * WINDOW / 1e6)


def _run(words: list[str], cache: Path) -> tuple[float, float]:
    """Run a command; return processor seconds and memory, MB."""
    command = [sys.executable, "-c", _MEASURED, sys.executable, "-m", "dubai_landcover_plugin", *words]
    environment = {**os.environ, "DUBAI_LANDCOVER_CACHE": str(cache)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed with code {done.returncode}:\n{done.stderr[-2000:]}")
    cpu_s, peak = json.loads(done.stdout.splitlines()[-1])
    return cpu_s, peak


@click.command()
@click.option("--store", is_flag=True, help="Make the result the table of the release.")
def steps(store: bool) -> None:
    """Measure commands relative to forward passes, and compare with the last release."""
    with tempfile.TemporaryDirectory() as name:
        measured = measure_steps(Path(name))
    print_steps(measured)
    if store:
        table = {step.name: asdict(step) for step in measured}
        stored = {"version": __version__, "conditions": current_conditions(), "steps": table}
        STORED.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
