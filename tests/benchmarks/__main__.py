"""``make bench``: how fast this machine could be, how fast a run is, and what it takes. About ten minutes."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from pathlib import Path

import numpy as np

from dubai_landcover_plugin.core.bundle import load_bundle
from tests.benchmarks.forward import best_of, measure_forward
from tests.benchmarks.segment import ROOT, TILE, run_engine, write_repeated
from tests.scenes import draw_scene

ROWS = (2, 14, 50)  # of two towns each: 4, 29 and 105 Mpx


def main() -> None:
    """Measure, print a table and write it to build/bench.json."""
    told = f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the first measurement"
    print(f"{told}\n\nBare forward passes, the model that ships\n")
    chip = np.moveaxis(draw_scene(7, TILE).image, -1, 0)
    rows = measure_forward(load_bundle("dubai"), chip)
    best = best_of(rows)
    print(f"{'':<30}{'Mpx/s':>8}{'window':>8}{'batch':>7}{'classes as float32':>20}")
    for what, row in best.items():
        print(f"{what:<30}{row['mpx_s']:8.2f}{row['window']:8}{row['batch']:7}{row['agreement']:20.2%}")
    print(
        f"\nWhole runs, from opening to the verified result\n\n{'Mpx':>7}{'wall s':>9}{'run s':>8}{'Mpx/s':>8}", end=""
    )
    print(f"{'of bare':>9}{'peak MB':>9}  computed by")
    runs = []
    with tempfile.TemporaryDirectory() as folder:
        for count in ROWS:
            source = Path(folder) / f"town_{count}.tif"
            mpx = write_repeated(source, count)
            wall, peak, result = run_engine(source, Path(folder) / f"landcover_{count}.tif")
            what = f"{result['runtime']} on {result['device']}, {result['precision']}"
            speed = mpx / result["seconds"]
            share = speed / best[what]["mpx_s"] if what in best else float("nan")
            print(
                f"{mpx:7.1f}{wall:9.1f}{result['seconds']:8.1f}{speed:8.2f}{share:9.0%}{peak:9.0f}  {what}", flush=True
            )
            runs.append({"mpx": mpx, "wall_s": wall, "run_s": result["seconds"], "peak_mb": peak, "what": what})
    target = ROOT / "build" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"machine": told, "forward": rows, "runs": runs}, indent=2) + "\n", encoding="utf-8")
    print(f"\nWritten to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
