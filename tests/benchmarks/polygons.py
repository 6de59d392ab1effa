"""Polygons of a classified raster beside GDAL's, each in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pyogrio

from tests.benchmarks.rasters import ROOT
from tests.benchmarks.segment import MEASURED

_GDAL = "gdal_polygonize.py"
_LIBRARIES = """
import sys, rasterio.features, shapely, shapely.geometry, numpy, pyogrio.raw
with rasterio.open(sys.argv[1]) as dataset:
    shapes = list(rasterio.features.shapes(dataset.read(1), transform=dataset.transform))
    pyogrio.raw.write(
        sys.argv[2], geometry=shapely.to_wkb(numpy.array([shapely.geometry.shape(s) for s, _ in shapes])),
        field_data=[numpy.array([v for _, v in shapes], "int32")], fields=["class_id"], geometry_type="Polygon",
        crs=dataset.crs.to_wkt(), driver="GPKG",
    )
"""
HEAD = f"{'':<46}{'Mpx':>7}{'wall s':>9}{'peak MB':>9}{'polygons':>10}"


@dataclass(frozen=True)
class PolygonRun:
    """One way from a classified raster to a GeoPackage; ``polygons`` tells how many came out."""

    name: str
    mpx: float
    wall_s: float
    peak_mb: float
    polygons: int

    def to_json(self) -> dict:
        """Return a JSON-ready description."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.name:<46}{self.mpx:7.1f}{self.wall_s:9.1f}{self.peak_mb:9.0f}{self.polygons:10,}"


def measure_polygons(classified: Path, mpx: float, folder: Path) -> list[PolygonRun]:
    """Return GDAL's bare polygons along pixel edges, and ours: merged, simplified, with attributes, and along edges."""
    ours = [sys.executable, "-m", "dubai_landcover_plugin", "polygons", str(classified)]
    target = folder / "polygons.gpkg"
    ways = {
        "ours: 20 m² merged, 2 m simplified, attributes": [*ours, str(target)],
        "ours: pixel edges, attributes": [*ours, str(target), "--min-area", "0", "--simplify", "0"],
        "rasterio.features, shapely, pyogrio: bare": [sys.executable, "-c", _LIBRARIES, str(classified), str(target)],
    }
    gdal = shutil.which(_GDAL, path="/usr/bin:/usr/local/bin")
    if gdal:
        ways[f"{_GDAL}: bare"] = ["/usr/bin/python3", gdal, "-q", str(classified), "-f", "GPKG", str(target)]
    runs = []
    for name, command in ways.items():
        target.unlink(missing_ok=True)
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        wall = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(f"{name} failed with code {done.returncode}:\n{done.stderr[-2000:]}")
        layer = pyogrio.list_layers(target)[0][0]
        count = pyogrio.read_info(target, layer=layer, force_feature_count=True)["features"]
        runs.append(PolygonRun(name, mpx, wall, int(done.stdout.splitlines()[-1]) / 1024, count))
    return runs
