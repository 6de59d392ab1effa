"""``make bench``: how fast this machine could be, how fast a run is, and what it takes. A quarter of an hour.

``python -m tests.benchmarks robustness MODEL --data FOLDER``: how the metrics change with the radiometry of images.

``python -m tests.benchmarks contact PLACES.csv SHEET.png --data FOLDER``: images of many places beside their classes.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click
import rasterio
from rasterio.windows import Window

from dubai_landcover_plugin.cli.program import Program
from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.runtimes.hardware import processor
from tests.benchmarks.contact import contact
from tests.benchmarks.forward import WINDOWS, best_of, measure_forward
from tests.benchmarks.parts import measure_parts
from tests.benchmarks.polygons import HEAD as HEAD_OF_POLYGONS
from tests.benchmarks.polygons import measure_polygons
from tests.benchmarks.rasters import ROOT, base_raster, repeated
from tests.benchmarks.robustness import robustness
from tests.benchmarks.segment import HEAD, Run, run_beside_bare, run_engine
from tests.benchmarks.steps import measure_steps, print_steps, steps
from tests.benchmarks.teach import measure_session
from tests.benchmarks.vectors import HEAD as HEAD_OF_VECTORS
from tests.benchmarks.vectors import measure_vectors

LARGER = ((2, 2), (4, 4))  # copies: 114 and 458 Mpx


@click.group(invoke_without_command=True)
@click.pass_context
def benchmarks(context: click.Context) -> None:
    """Measure speed and memory, or what a command names."""
    if context.invoked_subcommand is None:
        measure_speed()


benchmarks.add_command(contact)
benchmarks.add_command(robustness)
benchmarks.add_command(steps)


def measure_speed() -> None:
    """Measure, print tables and write them to build/bench.json."""
    load = os.getloadavg()[0]
    told = f"{processor().split(' fpu ')[0]}, {os.cpu_count()} cores, {platform.system()}, load {load:.1f} at the start"
    print(f"{told}\n\nBare forward passes, the model that ships, median of three\n")
    bundle = open_bundle("dubai")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = base_raster(folder)
        with rasterio.open(source) as dataset:
            chip = dataset.read([1, 2, 3], window=Window(2000, 1000, max(WINDOWS), max(WINDOWS)))
            mpx = dataset.height * dataset.width / 1e6
        forward = measure_forward(bundle, chip)
        own_onnx = _as_onnx(bundle, folder)
        if own_onnx is not None:
            forward += [row for row in measure_forward(own_onnx, chip) if row.what.startswith("onnxruntime")]
        print(f"{'':<34}{'Mpx/s':>8}{'window':>8}{'batch':>7}{'classes as float32':>20}")
        best = best_of(forward)
        for row in best.values():
            print(f"{row.what:<34}{row.mpx_s:8.2f}{row.window:8}{row.batch:7}{row.agreement:20.2%}")
        print(f"\nWhole runs through the command line, from opening to the verified result, {source.name}\n\n{HEAD}")
        runs = []

        def tell(run: Run) -> None:
            runs.append(run)
            print(run, flush=True)

        target = folder / "landcover.tif"
        for label, options in (
            ("auto", ()), ("int8", ("--precision", "int8")), ("float32", ("--precision", "float32")),
        ):  # fmt: skip
            tell(run_beside_bare(label, mpx, source, target, bundle, best, *options))
        tell(run_engine("least memory", mpx, source, target, "--memory", "256"))
        classified = {target: mpx}
        for rows, columns in LARGER:
            target = folder / f"{rows * columns}.tif"
            larger = folder / f"{rows * columns}.vrt"
            larger_mpx = repeated(source, larger, rows, columns)
            tell(run_engine(f"{rows * columns} copies", larger_mpx, larger, target))
            if (rows, columns) == LARGER[-1]:
                run_engine("", mpx, source, target, "--workers", "2")  # tries what has not been tried with one core
                tell(run_engine(f"{rows * columns} copies, two workers", larger_mpx, larger, target, "--workers", "2"))
            classified[target] = larger_mpx
        print(f"\nFrom a classified raster to polygons in a GeoPackage\n\n{HEAD_OF_POLYGONS}")
        polygons = []
        for raster, size in list(classified.items())[:2]:
            for run in measure_polygons(raster, size, folder):
                polygons.append(run)
                print(run, flush=True)
        print(f"\nPolygons, buildings and roads of a classified raster\n\n{HEAD_OF_VECTORS}")
        vectors = measure_vectors(folder / "landcover.tif", mpx, folder)
        print(*vectors, sep="\n", flush=True)
        print("\nA teaching session, views of 1 Mpx\n")
        session = measure_session(source, folder)
        for message in session:
            print(message)
        target = folder / "landcover.tif"
        print("\nBesides the network, one thread, CPU s for each 100 Mpx\n")
        parts = measure_parts(source, target)
        for part, seconds in parts.items():
            print(f"{part:<34}{100 * seconds:8.2f}")
        commands = measure_steps(folder)
        print_steps(commands)
    report = ROOT / "build" / "bench.json"
    report.parent.mkdir(exist_ok=True)
    content = {
        "machine": told,
        "forward": [row.to_json() for row in forward],
        "runs": [run.to_json() for run in runs],
        "polygons": [run.to_json() for run in polygons],
        "vectors": [run.to_json() for run in vectors],
        "teaching": [message.to_json() for message in session],
        "parts": parts,
        "commands": [asdict(step) for step in commands],
    }
    report.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"\nWritten to {report.relative_to(ROOT)}")


def _as_onnx(bundle: ModelBundle, folder: Path) -> ModelBundle | None:
    """Return the model as an ONNX file, for ONNX Runtime; None where the package for it is missing."""
    try:
        from training.exports.onnx_file import export_onnx
    except ImportError:
        return None
    export_onnx(folder / "dubai.onnx", bundle.metadata, bundle.model)
    return open_bundle(folder / "dubai.onnx")


if __name__ == "__main__":
    sys.exit(Program("python -m tests.benchmarks", "error", benchmarks).run())
