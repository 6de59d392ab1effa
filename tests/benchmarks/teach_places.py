"""How much samples help at places that the model has not seen: simulated strokes on labelled images.

Two of the nine images of a tile of Dubai are taught, or half of 40 images of Ohio; the others are only measured. The
models are those of earlier versions in the history of the repository, which were trained without these tiles;
``dubai`` has not seen Ohio. Needs the shared data beside the repository.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from PIL import Image
from shapely.geometry import Point

from dubai_landcover_plugin.core.teaching.fit import Pixels, TaughtPixels, fit_head
from dubai_landcover_plugin.core.teaching.head import Head, features_at
from dubai_landcover_plugin.core.teaching.lesson import PlacedSample, anchor_pixels, taught_pixels
from dubai_landcover_plugin.core.teaching.samples import Sample
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import OpenSession
from tests.benchmarks.rasters import ROOT

DATA = ROOT.parent / "shared" / "data"
OHIO = DATA / "world" / "yinx111_naip_ohio"
UNSEEN = {"2": ("cda2bbe", "world"), "5": ("cda2bbe", "world"), "6": ("cda2bbe", "world"),
          "1": ("164825e", "dubai"), "3": ("164825e", "dubai")}  # fmt: skip
"""Tiles of Dubai with commit and name of a model that was trained without them."""
STROKES = (1, 5, 10, 30, 100)
WAYS = ("anywhere", "on errors", "mixed")
"""Where strokes are drawn: at random, where the map is wrong when they are drawn, or both in turn."""
REPEATS = 20
RADIUS = 8  # px, of a stroke
STEP = 6  # px between the pixels that are measured
_MEMORY = 4000  # MB, for all features of a tile
_MONITOR = SilentMonitor()


@dataclass(frozen=True)
class Scene:
    """Labelled images side by side.

    Args:
        path: The raster.
        labels: (H, W) class ids; 0 where unknown.
        images: (H, W) number of the image.
        taught: Number of images that are taught; 0 for the first half.
    """

    path: Path
    labels: np.ndarray
    images: np.ndarray
    taught: int


@dataclass(frozen=True)
class Gain:
    """Change of the mean IoU by a number of strokes, over all repeats.

    Args:
        strokes: Number of strokes.
        way: See :data:`WAYS`.
        taught: Mean change on the taught images.
        other: Mean change on the others.
        worst: Smallest change on the others.
    """

    strokes: int
    way: str
    taught: float
    other: float
    worst: float

    def __str__(self) -> str:
        return f"{self.strokes:4} {self.way:<10} {self.taught:+.3f} {self.other:+.3f} {self.worst:+.3f}"


def dubai_scene(tile: str, folder: Path) -> Scene:
    """Return the nine images of a tile of Dubai; those without labels count as unknown."""
    place = DATA / "dubai" / f"Tile {tile}"
    parts = [f"image_part_{number:03}" for number in range(1, 10)]
    pixels = [np.array(Image.open(place / "images" / f"{part}.jpg").convert("RGB")) for part in parts]
    labels = [_dubai_labels(place / "masks" / f"{part}.png", one) for part, one in zip(parts, pixels, strict=True)]
    numbers = [np.full(one.shape[:2], number, np.uint8) for number, one in enumerate(pixels)]
    path = _write(folder / f"tile{tile}.tif", _joined(pixels, 3), 1.0)
    return Scene(path, _joined(labels, 3), _joined(numbers, 3), 2)


def ohio_scene(folder: Path) -> Scene:
    """Return 40 images of rural Ohio; the first half is far from the second."""
    names = sorted((OHIO / "images").glob("*.jpg"))
    names = [*names[:20], *names[-20:]]
    pixels = [np.array(Image.open(name).convert("RGB")) for name in names]
    labels = [np.array(Image.open(OHIO / "labels" / f"{name.stem}.png")) for name in names]
    numbers = [np.full(one.shape, number, np.uint8) for number, one in enumerate(labels)]
    known = _joined(labels, 8)
    return Scene(_write(folder / "ohio.tif", _joined(pixels, 8), 0.6), known * (known <= 5), _joined(numbers, 8), 0)


def unseen_model(tile: str, folder: Path) -> str:
    """Return the file of a model that was trained without a tile, from the history of the repository."""
    commit, name = UNSEEN[tile]
    path = folder / f"{name}_{commit}.safetensors"
    if not path.exists():
        command = ["git", "show", f"{commit}:resources/models/{name}.safetensors"]
        path.write_bytes(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    return str(path)


class Place:
    """A scene with the features of all windows.

    Args:
        scene: The scene.
        model: Name or file of the model.
    """

    def __init__(self, scene: Scene, model: str) -> None:
        self.scene = scene
        self.session = TeachingSession(
            OpenSession(str(scene.path), SegmentOptions(model=model, memory=_MEMORY)), _MONITOR
        )
        self.head = self.session.history.states[0].head
        rows, cols = (
            axis.ravel() for axis in np.mgrid[tuple(slice(STEP // 2, side, STEP) for side in scene.labels.shape)]
        )
        self.labels, self.images = scene.labels[rows, cols], scene.images[rows, cols]
        self.cells = self._working(rows, cols)
        self.owners = self.session.features.weights.window_of(self.cells)
        self.features = self._gathered()
        self._placed: dict[tuple[int, int], PlacedSample] = {}

    def _working(self, rows: np.ndarray, cols: np.ndarray) -> np.ndarray:
        scale = self.session.job.plan.work.scale
        return np.column_stack([((rows + 0.5) / scale[0]).astype(np.intp), ((cols + 0.5) / scale[1]).astype(np.intp)])

    def _gathered(self) -> np.ndarray:
        """Return the features of the pixels that are measured, (N, C) float16; all windows are computed."""
        tiles, store = self.session.job.plan.tiles, self.session.features.store()
        found = np.zeros((len(self.labels), sum(part.shape[1] for part in self.head.weights)), np.float16)
        for index, window in enumerate(store.windows(range(len(tiles)), _MONITOR)):
            own = self.owners == index
            if own.any() and window.levels is not None:
                corner = window.window.row, window.window.col
                found[own] = features_at(window.levels, *(self.cells[own] - corner).T)
        return found

    def classes(self, head: Head, where: np.ndarray) -> np.ndarray:
        """Return class ids of pixels that are measured."""
        logits = head.of_pixels(self.features[where].astype(np.float32))
        return np.array(DUBAI.ids)[logits.argmax(axis=1)]

    def anchors(self, taught: np.ndarray, samples: dict[str, PlacedSample]) -> Pixels:
        """Return the anchors of someone who has seen the taught images: their windows, and those of the overview."""
        features = self.session.features
        seen = {*self.owners[taught].tolist(), *features.overview}
        return anchor_pixels(
            {index: one for index, one in features.anchors.items() if index in seen},
            samples,
            self.session.job.plan.tiles.width,
        )

    def stroke(self, pixel: int) -> PlacedSample:
        """Return the stroke around a pixel that is measured; it stays within its class and its image."""
        labels, images = self.scene.labels, self.scene.images
        columns = -(-(labels.shape[1] - STEP // 2) // STEP)
        row, col = (STEP // 2 + STEP * part for part in divmod(pixel, columns))
        key = row, col
        if key not in self._placed:
            radius = next(size for size in range(RADIUS, -1, -1) if _is_one(labels, images, row, col, size))
            sample = Sample(f"{row} {col}", int(labels[row, col]), Point(col + 0.5, row + 0.5), 2 * radius)
            self._placed[key] = self.session.features.place(sample, _MONITOR)
        return self._placed[key]


def measure(place: Place, repeats: int = REPEATS) -> tuple[tuple[float, float], list[Gain]]:
    """Return accuracy and mean IoU of the place before teaching, and the gains."""
    known = place.labels > 0
    start = score(place.classes(place.head, known), place.labels[known])
    gains = []
    for way in WAYS:
        changes = np.array([_changes(place, way, np.random.default_rng(number)) for number in range(repeats)])
        for number, strokes in enumerate(STROKES):
            taught, other = changes[:, number].T
            gains.append(Gain(strokes, way, taught.mean(), other.mean(), other.min()))
    return start, gains


def _changes(place: Place, way: str, draw: np.random.Generator) -> list[tuple[float, float]]:
    """Return the changes of the mean IoU on taught and other images after each number of strokes."""
    known = place.labels > 0
    numbers = [number for number in np.unique(place.images) if known[place.images == number].mean() > 0.2]
    chosen = draw.choice(numbers, place.scene.taught, False) if place.scene.taught else numbers[: len(numbers) // 2]
    inside = np.isin(place.images, chosen)
    parts = [np.flatnonzero(known & inside), np.flatnonzero(known & ~inside & np.isin(place.images, numbers))]
    start = [score(place.classes(place.head, part), place.labels[part])[1] for part in parts]
    head, samples, found = place.head, dict[str, PlacedSample](), []
    for strokes in STROKES:
        wrong = parts[0][place.classes(head, parts[0]) != place.labels[parts[0]]]
        while len(samples) < strokes:
            on_error = len(wrong) and (way == "on errors" or (way == "mixed" and len(samples) % 2 == 0))
            one = place.stroke(int(draw.choice(wrong if on_error else parts[0])))
            samples[one.sample.id] = one
        taught: list[TaughtPixels] = taught_pixels(samples, DUBAI.ids)
        anchors = place.anchors(inside, samples)
        head = fit_head(place.head, taught, anchors)
        ends = [score(place.classes(head, part), place.labels[part])[1] for part in parts]
        found.append((ends[0] - start[0], ends[1] - start[1]))
    return found


def score(classes: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return accuracy and mean IoU of the classes that the labels have."""
    table = np.bincount(labels.astype(np.intp) * 6 + classes, minlength=36).reshape(6, 6)[1:, 1:]
    hits, labelled = np.diag(table), table.sum(axis=1)
    iou = hits / np.maximum(labelled + table.sum(axis=0) - hits, 1)
    return float(hits.sum() / table.sum()), float(iou[labelled > 0].mean())


def _is_one(labels: np.ndarray, images: np.ndarray, row: int, col: int, radius: int) -> bool:
    """Return whether a disk lies within one class and one image."""
    if min(row, col, labels.shape[0] - 1 - row, labels.shape[1] - 1 - col) < radius:
        return False
    part = slice(row - radius, row + radius + 1), slice(col - radius, col + radius + 1)
    down, across = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = down**2 + across**2 <= radius**2
    same = (labels[part] == labels[row, col]) & (images[part] == images[row, col])
    return bool(same[disk].all())


def _dubai_labels(path: Path, pixels: np.ndarray) -> np.ndarray:
    """Return the class ids (H, W) of a mask; zeros where there is none."""
    found = np.zeros(pixels.shape[:2], np.uint8)
    if path.is_file():
        mask = np.array(Image.open(path).convert("RGB"))
        for entry in DUBAI.classes:
            colour = [int(entry.colour[at : at + 2], 16) for at in (1, 3, 5)]
            found[(mask == colour).all(axis=2)] = entry.id
    return found


def _joined(parts: list[np.ndarray], columns: int) -> np.ndarray:
    rows = [np.concatenate(parts[at : at + columns], axis=1) for at in range(0, len(parts), columns)]
    return np.concatenate(rows)


def _write(path: Path, pixels: np.ndarray, gsd: float) -> Path:
    transform = rasterio.transform.from_origin(300_000, 2_800_000, gsd, gsd)
    profile: dict[str, Any] = {"driver": "GTiff", "dtype": "uint8", "count": 3, "crs": "EPSG:32640", "tiled": True}
    with rasterio.open(
        path, "w", height=pixels.shape[0], width=pixels.shape[1], transform=transform, **profile
    ) as made:
        made.write(np.moveaxis(pixels, 2, 0))
    return path
