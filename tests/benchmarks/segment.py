"""Whole runs: each is a process of its own through the command line, so the peak is that of the whole engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from tests.scenes import CRS, ORIGIN, draw_scene

ROOT = Path(__file__).resolve().parents[2]
TILE = 1024
COLUMNS = 2


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
