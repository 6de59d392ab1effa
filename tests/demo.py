"""The demo: Segment Land Cover in the packaged plugin, through ``qgis_process``, on a synthetic town or your raster.

Run it as ``make demo`` or ``make demo RASTER=own.tif``. It uses a QGIS profile of its own and leaves yours alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dubai_landcover_plugin.core.assessment.compare import compare_maps  # noqa: E402
from dubai_landcover_plugin.protocol.classes import DUBAI  # noqa: E402
from tests.demo_picture import draw_panels  # noqa: E402
from training.synthetic.scenes import write_scene  # noqa: E402

BUILD = ROOT / "build"
PLUGIN = "dubai_landcover_plugin"
SEED = 7


def qgis_environment(profile: Path) -> dict[str, str]:
    """Return an environment in which QGIS finds the packaged plugin, the engine and a profile of its own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "QGIS_", "VIRTUAL_ENV"))
    }
    return {
        **kept,
        "QT_QPA_PLATFORM": "offscreen",
        "QGIS_CUSTOM_CONFIG_PATH": str(profile),
        "QGIS_PLUGINPATH": str(BUILD),
        "DUBAI_LANDCOVER_PYTHON": str(ROOT / ".venv" / "bin" / "python"),
    }


def qgis_process(arguments: list[str], folder: Path, show: bool = True) -> None:
    """Run ``qgis_process``; its log goes to the terminal, Qt's chatter to a file that is shown on failure.

    Raises:
        SystemExit: if the run fails.
    """
    # Debian 12's wrapper script hands the program an option it does not know.
    program = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
    if program is None:
        raise SystemExit("qgis_process is missing: run 'make setup', or install QGIS 3.22 or newer.")
    chatter = folder / "qgis_process.log"
    sys.stdout.flush()
    with chatter.open("ab") as errors:
        done = subprocess.run(
            [program, *arguments],
            env=qgis_environment(folder / "profile"),
            stdin=subprocess.DEVNULL,
            stdout=None if show else errors,
            stderr=errors,
            check=False,
        )
    if done.returncode:
        raise SystemExit(
            f"qgis_process failed with code {done.returncode}:\n{chatter.read_text(errors='replace')[-4000:]}"
        )


def print_areas(record: dict[str, Any], truth: dict[str, Any] | None) -> None:
    """Print a line for each class: area and share, with a truth also its intersection over union."""
    result = record["result"]
    pixels, areas = result["pixels"], result["area_m2"]
    total = max(sum(pixels.values()), 1)
    heads = "IoU   precision  recall" if truth else ""
    print(f"\n{'Class':12}{'share':>8}{'area':>14}   {heads}")
    for name in sorted(pixels, key=_legend_order):
        count = pixels[name]
        area = f"{areas[name] / 10_000:,.2f} ha" if areas else f"{count:,} px"
        figures = truth["classes"].get(name) if truth else None
        cells = [figures[key] for key in ("iou", "precision", "recall")] if figures else []
        text = "  ".join(f"{value:8.3f}" if value is not None else "       –" for value in cells)
        print(f"{name:12}{count / total:8.1%}{area:>14}{text}")
    if truth:
        print(f"\nAgreement with the truth: accuracy {truth['accuracy']:.3f}, mean IoU {truth['miou']:.3f}")
        if record["model"]["name"] == "dubai":
            print("(The truth counts single roofs and trees; the labels that taught this model count whole plots.)")


def _legend_order(name: str) -> int:
    """Return the class id of a name of the default scheme; JSON has sorted the names, the legend goes by id."""
    return next((entry.id for entry in DUBAI.entries if entry.name == name), 0)


def segment(raster: Path, folder: Path) -> tuple[Path, float]:
    """Segment ``raster`` in QGIS, with all that a run can give; return the classified raster and seconds taken."""
    qgis_process(["plugins", "enable", PLUGIN], folder, show=False)
    result = folder / "landcover.tif"
    outputs = {
        "OUTPUT": result, "CONFIDENCE": folder / "confidence.tif", "POLYGONS": folder / "landcover.gpkg",
        "BUILDINGS": folder / "buildings.shp", "ROADS": folder / "roads.shp", "REPORT": folder / "report.html",
    }  # fmt: skip
    start = time.perf_counter()
    arguments = [f"INPUT={raster}", *(f"{key}={path}" for key, path in outputs.items())]
    qgis_process(["run", "dubailandcover:segmentlandcover", "--", *arguments], folder)
    seconds = time.perf_counter() - start
    return result, seconds


def main() -> None:
    """Draw or take a raster, segment it, compare, picture, and say where everything is."""
    parser = argparse.ArgumentParser(description="Segment a synthetic town, or your raster, through qgis_process.")
    parser.add_argument("--raster", type=Path, help="a raster of your own instead of the synthetic town")
    options = parser.parse_args()
    raster = options.raster.expanduser().resolve() if options.raster else None
    if raster is not None and not raster.is_file():
        raise SystemExit(f"There is no raster {raster}.")
    folder = BUILD / "demo" / (raster.stem if raster else "town")
    if raster is not None and folder in raster.parents:
        raise SystemExit(f"{raster} lies in the folder of the results, which is emptied first: copy it elsewhere.")
    shutil.rmtree(folder, ignore_errors=True)  # results of an earlier run would pass for this one's
    folder.mkdir(parents=True)
    truth_path = None
    if raster is None:
        print(f"==> Drawing a synthetic town (seed {SEED})")
        raster, truth_path = write_scene(folder / "town.tif", SEED)
    print(f"==> Segmenting {raster} in QGIS")
    result, seconds = segment(raster, folder)
    record = json.loads(result.with_name("landcover.run.json").read_text(encoding="utf-8"))
    print_areas(record, compare_maps(truth_path, result) if truth_path else None)
    size = record["result"]["height"] * record["result"]["width"] / 1e6
    print(
        f"Time: {seconds:.1f} s from starting QGIS to the results, {record['result']['seconds']:.1f} s of it the engine"
    )
    print(f"      ({size:.1f} Mpx on {record['result']['device']}, {record['result']['precision']})")
    picture = draw_panels(raster, result, truth_path, folder / "side_by_side.png")
    print(f"\nResults are in {folder}:")
    for path in sorted(folder.glob("*")):
        if path.suffix in {".tif", ".gpkg", ".shp", ".html", ".json", ".png"}:
            print(f"  {path.name}")
    print(f"Look at {picture}")


if __name__ == "__main__":
    main()
