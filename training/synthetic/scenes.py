"""Synthetic aerial images of a desert town with their land cover, for demo, tests and training.

``draw_scene`` is deterministic: a seed determines the town. It requires only NumPy and Pillow; ``write_scene`` also
requires rasterio.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import LAND, ROAD, VEGETATION, WATER, Canvas, band
from .districts import (
    Block,
    draw_apartments,
    draw_desert,
    draw_park,
    draw_sheds,
    draw_villas,
    plant_street_trees,
)
from .streets import Street, draw_junction, draw_roundabout, draw_streets, tinted
from .terrain import draw_terrain, fractal, smoothstep

CRS = "EPSG:32640"
# Upper-left corner, m east and north, in the open sea off Dubai: scenes are not mistaken for real places.
ORIGIN = (330_000.0, 2_780_000.0)
DISTRICTS = {
    "villas": draw_villas,
    "apartments": draw_apartments,
    "sheds": draw_sheds,
    "park": draw_park,
    "desert": draw_desert,
}


@dataclass(frozen=True)
class Scene:
    """An image and its ground truth.

    Args:
        image: (H, W, 3) uint8, red green blue.
        truth: (H, W) uint8, ids of :data:`dubai_landcover_plugin.protocol.classes.DUBAI`.
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def draw_scene(seed: int, size: int = 1024, gsd: float = 1.0) -> Scene:
    """Draw a town of ``size`` × ``size`` px at ``gsd`` m/px; equal arguments give equal scenes.

    Raises:
        ValueError: if the size or the ground sampling distance is out of range.
    """
    check_size(size, gsd)
    rng = np.random.default_rng([20, seed])
    terrain = draw_terrain(rng, size, gsd)
    canvas = Canvas(rng, size, gsd, terrain.sand, terrain.shore)
    columns, rows = _grid_lines(rng, canvas.extent), _grid_lines(rng, canvas.extent)
    plan = _plan_blocks(canvas, columns, rows)
    streets, highway = _plan_streets(canvas, columns, rows, plan)
    for block, kind in plan.values():
        if canvas.visible(*block.middle, margin=0.7 * max(block.size)):
            DISTRICTS[kind](canvas, block)
            if kind != "desert":
                plant_street_trees(canvas, block)
    draw_streets(canvas, streets)
    _draw_crossings(canvas, columns, rows, plan, highway)
    canvas.lay_water(terrain.water, causeway=canvas.mask([band(highway.line(), highway.width + 8)]))
    picture, truth = canvas.finish()
    return Scene(photograph(rng, picture, truth, gsd), truth)


def check_size(size: int, gsd: float) -> None:
    """Raise a ValueError for a size in px or a ground sampling distance in m that cannot be drawn."""
    if not 64 <= size <= 8192 or not 0.2 <= gsd <= 5:
        raise ValueError(f"size must be in 64..8192 px and gsd in 0.2..5 m, got {size} and {gsd}.")


def write_scene(path: str | Path, seed: int = 7, size: int = 1024, gsd: float = 1.0) -> tuple[Path, Path]:
    """Write the scene as GeoTIFF in UTM zone 40N and its truth beside it as ``NAME_truth.tif``; return both paths."""
    path = Path(path)
    truth_path = path.with_name(f"{path.stem}_truth.tif")
    scene = draw_scene(seed, size, gsd)
    write_image(path, scene.image, gsd)
    write_truth(truth_path, scene.truth, gsd)
    return path, truth_path


def write_image(path: str | Path, image: NDArray[np.uint8], gsd: float = 1.0) -> None:
    """Write the (H, W, 3) image of a scene as GeoTIFF at :data:`ORIGIN`."""
    with _new_raster(path, image.shape[:2], gsd, count=3, photometric="RGB") as file:
        file.write(np.moveaxis(image, -1, 0))


def write_truth(path: str | Path, truth: NDArray[np.uint8], gsd: float = 1.0) -> None:
    """Write the (H, W) class ids of a scene as GeoTIFF with names and colours of the classes."""
    from dubai_landcover_plugin.protocol.class_tags import class_tags
    from dubai_landcover_plugin.protocol.classes import DUBAI, NODATA_ID, coloured

    scheme = coloured(DUBAI)
    with _new_raster(path, truth.shape, gsd, count=1, nodata=NODATA_ID) as file:
        file.update_tags(**class_tags(scheme))
        file.write_colormap(1, {entry.id: (*entry.rgb, 255) for entry in scheme.entries})
        file.write(truth, 1)  # after the colours, which GDAL writes into the header


@contextmanager
def _new_raster(path: str | Path, shape: tuple[int, ...], gsd: float, **profile: Any) -> Iterator[Any]:
    """Yield a new GeoTIFF, which is at its path when the block ends.

    Raises:
        OutputError: if it cannot be written.
    """
    import rasterio
    from rasterio.transform import from_origin

    from dubai_landcover_plugin.core.io.files import DISK_REMEDY, atomic_path
    from dubai_landcover_plugin.protocol.errors import OutputError
    from dubai_landcover_plugin.protocol.translation import tr

    place = {"height": shape[0], "width": shape[1], "crs": CRS, "transform": from_origin(*ORIGIN, gsd, gsd)}
    kind = {"driver": "GTiff", "dtype": "uint8", "tiled": True, "compress": "deflate"}
    try:
        with atomic_path(path) as partial, rasterio.open(partial, "w", **kind, **place, **profile) as file:
            yield file
    except rasterio.errors.RasterioIOError as error:  # as of a full disk
        reason = str(error.__cause__ or error).rstrip(".")
        text = tr("{path} could not be written: {error}.", path=path, error=reason)
        raise OutputError(text, tr(DISK_REMEDY)) from error


def _grid_lines(rng: np.random.Generator, extent: float) -> list[float]:
    """Return the positions of the arterials along one axis of the plan, m."""
    reach, lines = 0.75 * extent + 160, []
    at = -reach + rng.uniform(0, 120)
    while at < reach:
        lines.append(at)
        at += rng.uniform(190, 310)
    return lines


def _plan_blocks(canvas: Canvas, columns: list[float], rows: list[float]) -> dict[tuple[int, int], tuple[Block, str]]:
    """Assign a district to every block of the grid: built up around a centre, desert further out."""
    rng = canvas.rng
    centre = rng.uniform(-0.15, 0.15, 2) * canvas.extent
    plan = {}
    for i, (left, right) in enumerate(pairwise(columns)):
        for j, (top, bottom) in enumerate(pairwise(rows)):
            block = Block(left + 16, top + 16, right - 16, bottom - 16)
            away = np.hypot(*(np.array(block.middle) - centre)) / (0.62 * max(canvas.extent, 600))
            weights = np.array([0.46, 0.15, 0.18, 0.12, 0.06 + 1.1 * max(away - 0.45, 0)])
            plan[i, j] = block, str(rng.choice(list(DISTRICTS), p=weights / weights.sum()))
    return plan


def _plan_streets(
    canvas: Canvas, columns: list[float], rows: list[float], plan: dict[tuple[int, int], tuple[Block, str]]
) -> tuple[list[Street], Street]:
    """Return the arterials, highway last; an arterial between two stretches of desert is mostly left out."""
    rng = canvas.rng
    asphalt = tinted(rng, (92, 85, 81), 0.06)
    main = int(np.argmin(np.abs(np.array(columns) + rng.uniform(-0.25, 0.25) * canvas.extent)))

    def needed(first: tuple[int, int], second: tuple[int, int]) -> bool:
        kinds = {plan[key][1] for key in (first, second) if key in plan}
        return kinds != {"desert"} or rng.random() < 0.25

    streets = []
    for i, u in enumerate(columns):
        for j, (top, bottom) in enumerate(pairwise(rows)):
            if i != main and needed((i - 1, j), (i, j)):
                streets.append(Street((u, top), (u, bottom), 7.4, 4.0, asphalt))
    for j, v in enumerate(rows):
        for i, (left, right) in enumerate(pairwise(columns)):
            if needed((i, j - 1), (i, j)):
                streets.append(Street((left, v), (right, v), 7.4, 4.0, asphalt))
    highway = Street(
        (columns[main], rows[0]), (columns[main], rows[-1]), 13.0, 5.0, tinted(rng, (84, 78, 76), 0.05), True
    )
    return [*streets, highway], highway


def _draw_crossings(
    canvas: Canvas,
    columns: list[float],
    rows: list[float],
    plan: dict[tuple[int, int], tuple[Block, str]],
    highway: Street,
) -> None:
    for i, u in enumerate(columns):
        for j, v in enumerate(rows):
            around = [plan[key][1] for key in ((i - 1, j - 1), (i, j - 1), (i - 1, j), (i, j)) if key in plan]
            if not canvas.visible(u, v) or all(kind == "desert" for kind in around):
                continue
            if u == highway.start[0]:
                draw_junction(canvas, u, v, highway.width, 19, highway.colour)
            elif canvas.rng.random() < 0.35:
                draw_roundabout(canvas, u, v, highway.colour)
            else:
                draw_junction(canvas, u, v, 19, 19, highway.colour)


def photograph(
    rng: np.random.Generator, picture: NDArray[np.float32], truth: NDArray[np.uint8], gsd: float
) -> NDArray[np.uint8]:
    """Add texture of each cover, haze, the lens and the sensor; return (H, W, 3) uint8."""
    size = len(truth)
    grain = fractal(rng, size, 3.2 / gsd, 2)
    stains = fractal(rng, size, 26 / gsd, 4)
    for class_id, fine, coarse in (
        (LAND, 0.030, 0.020),
        (ROAD, 0.050, 0.050),
        (VEGETATION, 0.150, 0.110),
        (WATER, 0.02, 0.0),
    ):
        where = truth == class_id
        picture[where] *= (1 + fine * grain + coarse * stains)[where][:, None]
    rolled = [np.roll(picture, shift, axis) for shift in (-1, 1) for axis in (0, 1)]
    around: NDArray[np.float32] = sum(rolled) / np.float32(4)  # type: ignore[assignment]
    sharpness = rng.uniform(-0.25, 0.45)  # from a soft lens to a sharpened product
    picture = picture + sharpness * (picture - around)
    picture = 0.8 * picture + 0.2 * picture.mean(axis=2, keepdims=True)
    picture = 255 * (np.clip(picture, 0, 255) / 255) ** rng.uniform(1.0, 1.5)  # type: ignore[assignment]
    contrast, warmth = rng.uniform(1.08, 1.3), rng.uniform(0.94, 1.03)
    light = np.array([warmth, 1.0, 2 - warmth], np.float32) * (1 + 0.03 * smoothstep(stains, -1, 1))[..., None]
    picture = (picture * light - 128) * contrast + 132
    picture += rng.normal(0, 2.6, picture.shape) + rng.normal(0, 1.6, picture.shape[:2])[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)
