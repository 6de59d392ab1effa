"""A teaching session: how long each message takes, and how much samples help at a place that the model does not know.

``python -m tests.benchmarks.teach`` measures both; ``make bench`` includes the times. For simulated strokes see
:mod:`.teach_places`.
"""

from __future__ import annotations

import argparse
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

from dubai_landcover_plugin.protocol.messages import PROTOCOL
from tests.benchmarks.rasters import ROOT, base_raster
from tests.benchmarks.teach_places import OHIO, REPEATS, UNSEEN, Place, dubai_scene, measure, ohio_scene, unseen_model

SIDE = 1000  # px, of a view of 1 Mpx


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


def print_gains(folder: Path, places: list[str], repeats: int) -> None:
    """Print the gains at places; a tile of Dubai by its number, or Ohio."""
    for name in places:
        scene = ohio_scene(folder) if name == "ohio" else dubai_scene(name, folder)
        place = Place(scene, "dubai" if name == "ohio" else unseen_model(name, folder))
        (accuracy, miou), gains = measure(place, repeats)
        place.session.close()
        print(f"{name}: accuracy {accuracy:.3f}, mIoU {miou:.3f}; change of mIoU on taught images, on others, worst")
        for gain in gains:
            print(gain, flush=True)


def main() -> None:
    """Print times and gains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", nargs="*", default=[*UNSEEN, "ohio"], help="tiles of Dubai, ohio")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of each number of strokes")
    parser.add_argument("--no-times", action="store_true", help="measure gains only")
    chosen = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if not chosen.no_times:
            print("A view of 1 Mpx, the model dubai\n")
            for message in measure_session(base_raster(folder), folder):
                print(message, flush=True)
        if OHIO.is_dir():
            print_gains(folder, chosen.places, chosen.repeats)


if __name__ == "__main__":
    main()
