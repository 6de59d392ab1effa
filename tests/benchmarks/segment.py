"""Speed and memory of one run on this machine, at two heights: ``make bench``.

Each run is a process of its own through the command line, so the peak is that of the whole engine. The raster is the
synthetic town, repeated.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from tests.scenes import CRS, ORIGIN, draw_scene

ROOT = Path(__file__).resolve().parents[2]
TILE = 1024
COLUMNS = 2
ROWS = (2, 8)  # the second raster is four times as tall: memory should not be


def write_repeated(path: Path, rows: int) -> float:
    """Write ``rows`` × ``COLUMNS`` copies of the town, each flipped differently; return Mpx."""
    image = np.moveaxis(draw_scene(7, TILE).image, -1, 0)
    profile = {
        "driver": "GTiff", "width": COLUMNS * TILE, "height": rows * TILE, "count": 3, "dtype": "uint8", "crs": CRS,
        "transform": from_origin(*ORIGIN, 1, 1), "tiled": True, "photometric": "RGB", "compress": "deflate",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        for row in range(rows):
            for column in range(COLUMNS):
                turned = image[:, :: 1 - 2 * (row % 2), :: 1 - 2 * (column % 2)]
                file.write(turned, window=rasterio.windows.Window(column * TILE, row * TILE, TILE, TILE))
    return rows * COLUMNS * TILE * TILE / 1e6


def run_engine(source: Path, target: Path) -> tuple[float, float, dict]:
    """Segment through the command line; return wall seconds, peak resident memory in MB and the result."""
    command = [sys.executable, "-m", "dubai_landcover_plugin", "segment", "--json", str(source), str(target)]
    start = time.perf_counter()
    log = source.with_suffix(".log")
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"The run failed with code {process.returncode}:\n{log.read_text()[-2000:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024, json.loads(text)


def main() -> None:
    """Run every size, print a table and write it as JSON to build/bench.json."""
    table = []
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first run\n")
    print(f"{'Mpx':>7}{'wall s':>9}{'engine s':>10}{'Mpx/s':>8}{'peak MB':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for rows in ROWS:
            source = Path(folder) / f"town_{rows}.tif"
            size = write_repeated(source, rows)
            wall, peak, result = run_engine(source, Path(folder) / f"landcover_{rows}.tif")
            engine = result["seconds"]
            print(f"{size:7.1f}{wall:9.1f}{engine:10.1f}{size / engine:8.2f}{peak:9.0f}", flush=True)
            table.append({"mpx": size, "wall_s": wall, "engine_s": engine, "peak_mb": peak, "device": result["device"]})
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    print(f"\nWritten to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
