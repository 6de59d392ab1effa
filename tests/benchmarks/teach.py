"""A teaching session: how long each message takes, and how much samples help at a place that the model does not know.

``python -m tests.benchmarks.teach`` measures both; ``make bench`` includes the times. Simulated strokes need the shared
data beside the repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image

from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.messages import PROTOCOL
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import OpenSession, TeachSamples, ViewRequest
from tests.benchmarks.rasters import ROOT, base_raster

SIDE = 1000  # px, of a view of 1 Mpx
OHIO = ROOT.parent / "shared" / "data" / "world" / "yinx111_naip_ohio"
GSD = 0.6  # m, of these images
IMAGES, CELL, COLUMNS = 40, 256, 8  # the upper half is taught, the lower half is measured only
STROKES = (1, 5, 10, 30, 100)
REPEATS = 5
RADIUS = 8  # px, of a stroke
_MONITOR = SilentMonitor()


@dataclass(frozen=True)
class Message:
    """Time of one message of a session."""

    what: str
    seconds: float
    computed: int = 0

    def __str__(self) -> str:
        windows = f"{self.computed:4} windows computed" if self.computed else ""
        return f"{self.what:<44}{self.seconds:7.2f} s  {windows}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)


class Worker:
    """A worker process with a session."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dubai_landcover_plugin.core.worker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self._number = 0
        self._write({"protocol": PROTOCOL, "task": "teach_session", "request": {}})

    def ask(self, message: str, **request: Any) -> dict[str, Any]:
        """Send a message and return the value of its result."""
        self._number += 1
        self._write({"id": self._number, "message": message, "request": request})
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, ""):
            found = json.loads(line)
            if found["type"] == "result" and found.get("id") == self._number:
                return dict(found["value"])
            if found["type"] == "error":
                raise RuntimeError(found["message"])
        raise RuntimeError("The worker has ended.")

    def close(self) -> None:
        """End the session."""
        self.ask("close")
        self._process.wait()

    def _write(self, value: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()


def measure_session(raster: Path, folder: Path) -> list[Message]:
    """Return the times of views of 1 Mpx and of teaching, in a worker whose network was compiled before."""
    first = Worker()  # compiles the network, which later workers take from the cache
    opened = first.ask("open", input=str(raster), options={"model": "dubai"})
    a, _, west, _, e, north = opened["transform"]
    output = str(folder / "view.tif")

    def extent(row: int, col: int) -> list[float]:
        return [west + col * a, north + (row + SIDE) * e, west + (col + SIDE) * a, north + row * e]

    first.ask("view", extent=extent(1000, 1000), output=output)
    first.close()
    found = []
    started = time.perf_counter()
    worker = Worker()

    def view(what: str, row: int, col: int, since: float | None = None) -> None:
        began = time.perf_counter() if since is None else since
        value = worker.ask("view", extent=extent(row, col), output=output)
        found.append(Message(what, round(time.perf_counter() - began, 2), value["computed"]))

    worker.ask("open", input=str(raster), options={"model": "dubai"})
    view("first view, from the start of the process", 1000, 1000, started)
    view("the same view again", 1000, 1000)
    view("panned by a quarter", 1000, 1000 + SIDE // 4)
    view("a view elsewhere", 3000, 4000)
    draw, count = np.random.default_rng(0), 0
    for total in (1, 5, 10, 20, 50):
        samples = []
        while count < total:
            count += 1
            row, col = draw.integers(1000, 1000 + SIDE, 2)
            point = f"POINT ({west + (col + 0.5) * a} {north + (row + 0.5) * e})"
            samples.append({"id": str(count), "class_id": int(draw.integers(1, 6)), "geometry": point, "brush": 9})
        began = time.perf_counter()
        worker.ask("teach", samples=samples)
        found.append(Message(f"teach, {total} samples", round(time.perf_counter() - began, 2)))
        view("  and the view", 1000, 1000, began)
    began = time.perf_counter()
    worker.ask("agreement")
    found.append(Message("agreement of 50 samples, ten fits", round(time.perf_counter() - began, 2)))
    worker.close()
    return found


@dataclass(frozen=True)
class Gain:
    """Accuracy and mean IoU at a place, before or after a number of strokes; means of the repeats."""

    strokes: int
    where: str
    taught: tuple[float, float]
    other: tuple[float, float]
    worst_other: float

    def __str__(self) -> str:
        values = "  ".join(f"{accuracy:.3f} {miou:.3f}" for accuracy, miou in (self.taught, self.other))
        return f"{self.strokes:4} {self.where:<14}{values}  {self.worst_other:.3f}"


def write_place(folder: Path) -> tuple[Path, np.ndarray]:
    """Write images of the place side by side as one raster; return it and the labels (H, W), 0 where unknown."""
    names = sorted((OHIO / "images").glob("*.jpg"))
    names = [*names[: IMAGES // 2], *names[-IMAGES // 2 :]]  # far from each other
    rows = IMAGES // COLUMNS
    pixels = np.zeros((3, rows * CELL, COLUMNS * CELL), np.uint8)
    labels = np.zeros(pixels.shape[1:], np.uint8)
    for number, name in enumerate(names):
        row, col = (CELL * part for part in divmod(number, COLUMNS))
        pixels[:, row : row + CELL, col : col + CELL] = np.moveaxis(np.array(Image.open(name)), 2, 0)
        own = np.array(Image.open(OHIO / "labels" / f"{name.stem}.png"))
        labels[row : row + CELL, col : col + CELL] = np.where(own <= 5, own, 0)
    path = folder / "place.tif"
    transform = rasterio.transform.from_origin(270_000, 4_300_000, GSD, GSD)
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:26917", "transform": transform}
    with rasterio.open(path, "w", height=labels.shape[0], width=labels.shape[1], **profile) as dataset:
        dataset.write(pixels)
    return path, labels


def score(classes: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return accuracy and mean IoU of the classes that the labels have."""
    known = (labels > 0) & (classes > 0)
    table = np.bincount(labels[known] * 6 + classes[known], minlength=36).reshape(6, 6)[1:, 1:]
    hits, labelled = np.diag(table), table.sum(axis=1)
    iou = hits / np.maximum(labelled + table.sum(axis=0) - hits, 1)
    return float(hits.sum() / table.sum()), float(iou[labelled > 0].mean())


def draw_strokes(
    labels: np.ndarray, allowed: np.ndarray, count: int, raster: Any, draw: np.random.Generator
) -> list[dict[str, Any]]:
    """Return strokes around random pixels as samples; a stroke stays within its class and its image."""
    rows, cols = np.nonzero(allowed & (labels > 0))
    samples = []
    for number, index in enumerate(draw.integers(0, len(rows), count)):
        row, col = rows[index], cols[index]
        # The largest disk around the pixel that has one class.
        radius = RADIUS
        while radius and _several(labels, row, col, radius):
            radius -= 1
        x, y = raster.transform @ (col + 0.5, row + 0.5)
        samples.append(
            {"id": str(number), "class_id": int(labels[row, col]), "geometry": f"POINT ({x} {y})", "brush": 2 * radius}
        )
    return samples


def _several(labels: np.ndarray, row: int, col: int, radius: int) -> bool:
    top, left = row // CELL * CELL, col // CELL * CELL
    if min(row - top, top + CELL - 1 - row, col - left, left + CELL - 1 - col) < radius:
        return True
    part = labels[row - radius : row + radius + 1, col - radius : col + radius + 1]
    down, across = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return bool((part[down**2 + across**2 <= radius**2] != labels[row, col]).any())


def measure_place(folder: Path, repeats: int = REPEATS) -> list[Gain]:
    """Return accuracy and mean IoU on the taught and on other images of the place, before and after strokes."""
    path, labels = write_place(folder)
    upper = np.zeros(labels.shape, bool)
    upper[: labels.shape[0] // 2] = True
    halves = np.where(upper, labels, 0), np.where(upper, 0, labels)
    gains = []
    with (
        rasterio.open(path) as raster,
        TeachingSession(OpenSession(str(path), SegmentOptions(model="dubai")), _MONITOR) as session,
    ):

        def look() -> np.ndarray:
            session.view(ViewRequest(tuple(raster.bounds), str(folder / "view.tif")), _MONITOR)
            with rasterio.open(folder / "view.tif") as dataset:
                return np.asarray(dataset.read(1))

        before = look()
        start = [score(before, half) for half in halves]
        gains.append(Gain(0, "", start[0], start[1], start[1][1]))
        for where, allowed in (("anywhere", upper), ("on errors", upper & (before != labels))):
            for count in STROKES:
                scores = []
                for repeat in range(repeats):
                    strokes = draw_strokes(labels, allowed, count, raster, np.random.default_rng(repeat))
                    remove = tuple(session.history.current.samples)
                    session.teach(
                        TeachSamples(tuple(strokes), tuple(set(remove) - {one["id"] for one in strokes})), _MONITOR
                    )
                    after = look()
                    scores.append([score(after, half) for half in halves])
                means = np.mean(scores, axis=0)
                worst = min(found[1][1] for found in scores)
                gains.append(Gain(count, where, tuple(means[0]), tuple(means[1]), worst))
    return gains


def main() -> None:
    """Print times and gains."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\nA view of 1 Mpx, the model that ships\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for message in measure_session(base_raster(folder), folder):
            print(message, flush=True)
        if OHIO.is_dir():
            print("\nStrokes at a place that the model does not know: accuracy and mIoU on taught and other images\n")
            for gain in measure_place(folder):
                print(gain, flush=True)


if __name__ == "__main__":
    main()
