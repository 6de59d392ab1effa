"""Synthetic aerial images of countryside with their land cover: forest, fields, bare soil, lakes, lanes and farms.

They show what towns lack: closed canopy in all seasons and lights, crops in rows, ploughed soil and dark water beside
dark shadow. ``draw_landscape`` alternates them with the towns of :mod:`.scenes`. Drawing is deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import BUILDING, LAND, ROAD, VEGETATION, WATER
from .scenes import Scene, check_size, draw_scene, photograph
from .terrain import Array, fractal, smoothstep

_FINER = 2  # pixels are drawn this many times smaller in each direction, then averaged
_COVERS = ("forest", "meadow", "crop", "soil", "scrub")
# red, green, blue of crowns in full sun, by season or region; a scene uses one of these palettes
_CROWNS = {
    "summer": [(88, 118, 62), (74, 104, 58), (104, 128, 70)],
    "conifer": [(52, 82, 66), (46, 74, 58), (64, 92, 70)],
    "bluish": [(66, 108, 112), (58, 96, 104), (76, 116, 112)],
    "autumn": [(178, 148, 70), (172, 110, 66), (120, 126, 70), (150, 84, 70), (148, 132, 108), (78, 98, 62)],
    "leafless": [(150, 136, 122), (136, 122, 112), (160, 148, 130), (96, 104, 80)],
    "tropical": [(70, 122, 52), (96, 148, 60), (58, 104, 60), (122, 150, 78)],
    "dry": [(120, 116, 78), (104, 106, 72), (136, 128, 90)],
}
_GRASS = [(134, 158, 96), (112, 142, 84), (158, 164, 112), (122, 158, 116), (170, 162, 120), (98, 124, 80)]
_CROP = [(92, 130, 70), (120, 150, 82), (74, 112, 72), (148, 158, 92), (84, 120, 88)]
_SOIL = [(150, 124, 100), (126, 104, 88), (176, 152, 124), (108, 92, 82), (190, 172, 150), (146, 112, 86)]
_WATER = [(26, 34, 34), (40, 52, 44), (62, 76, 54), (30, 50, 66), (74, 88, 84), (84, 78, 60), (100, 126, 100)]
_LANE = [(160, 158, 154), (128, 128, 130), (196, 188, 174), (108, 110, 114)]
_ROOF = [(150, 88, 72), (120, 118, 118), (196, 196, 194), (104, 86, 76), (88, 96, 110), (170, 150, 130)]


@dataclass
class _Ground:
    """Layers of a scene at the fine resolution: colours (H, W, 3), class ids (H, W) and heights, m (H, W)."""

    colours: Array
    truth: NDArray[np.uint8]
    height: Array

    def fill(self, mask: NDArray[np.bool_], colours: Array, class_id: int, height: float = 0.0) -> None:
        """Cover ``mask`` with a colour (3,) or an image of colours (H, W, 3)."""
        self.colours[mask] = colours[mask] if colours.ndim == 3 else colours
        self.truth[mask], self.height[mask] = class_id, height


def draw_landscape(seed: int, size: int = 1024, gsd: float = 1.0) -> Scene:
    """Draw a town for every third seed, else countryside; the arguments are those of :func:`.scenes.draw_scene`."""
    return draw_countryside(seed, size, gsd) if seed % 3 else draw_scene(seed, size, gsd)


def draw_countryside(seed: int, size: int = 1024, gsd: float = 1.0) -> Scene:
    """Draw ``size`` × ``size`` px of countryside at ``gsd`` m/px; equal arguments give equal scenes.

    Raises:
        ValueError: if the size or the ground sampling distance is out of range.
    """
    check_size(size, gsd)
    rng = np.random.default_rng([21, seed])
    fine, pixel = size * _FINER, gsd / _FINER
    ground = _draw_parcels(rng, fine, pixel)
    _draw_lanes(rng, ground, pixel)
    _draw_water(rng, ground, pixel)
    picture = ground.colours * _light(rng, ground, pixel)[..., None]
    # average to the final resolution; the class of a pixel is that of one of its parts
    picture = picture.reshape(size, _FINER, size, _FINER, 3).mean(axis=(1, 3), dtype=np.float32)
    truth = ground.truth[::_FINER, ::_FINER].copy()
    return Scene(photograph(rng, _tint(rng, picture), truth, gsd), truth)


def _draw_parcels(rng: np.random.Generator, fine: int, pixel: float) -> _Ground:
    """Divide the ground into parcels, each with one cover."""
    parcel, edge = _parcels(rng, fine, pixel)
    count = int(parcel.max()) + 1
    covers = rng.choice(len(_COVERS), count, p=(0.42, 0.2, 0.16, 0.14, 0.08))
    ground = _Ground(
        np.zeros((fine, fine, 3), np.float32),
        np.full((fine, fine), VEGETATION, np.uint8),
        np.zeros((fine, fine), np.float32),
    )
    broad, rough = fractal(rng, fine, 60 / pixel, 4), fractal(rng, fine, 2.5 / pixel, 2)
    # one colour for each parcel, by its cover
    base = np.zeros((count, 3), np.float32)
    for cover, colours in ((1, _GRASS), (2, _CROP), (3, _SOIL), (4, _GRASS)):
        chosen = covers == cover
        base[chosen] = np.array(colours, np.float32)[rng.integers(len(colours), size=int(chosen.sum()))]
    base *= rng.uniform(0.85, 1.15, (count, 1)).astype(np.float32)
    ground.colours[:] = base[parcel] * (1 + 0.07 * broad + 0.05 * rough)[..., None]
    cover_of = covers[parcel]
    rows = _rows(rng, parcel, count, pixel)
    ground.colours *= 1 + (0.16 * rows * (cover_of == 2) + 0.06 * rows * (cover_of == 3))[..., None]
    ground.truth[cover_of == 3] = LAND
    # forest, and single trees in scrub and along some borders of parcels
    hedges = (edge < 4) & (rng.random(count) < 0.3)[parcel]
    _plant(rng, ground, pixel, (cover_of == 0) | hedges, sparse=cover_of == 4)
    return ground


def _parcels(rng: np.random.Generator, fine: int, pixel: float) -> tuple[NDArray[np.int64], Array]:
    """Return the parcel of each pixel (H, W) and about the distance to the next parcel, m (H, W)."""
    extent = fine * pixel
    side = rng.uniform(90, 260)
    row, col = _positions(fine, pixel)
    # borders are straight between fields and ragged where a scene is wild
    wild = rng.uniform(0, 22)
    row = row + wild * fractal(rng, fine, 70 / pixel, 4)
    col = col + wild * fractal(rng, fine, 70 / pixel, 4)
    count = max(int(((extent + 2 * side) / side) ** 2), 4)
    seeds = rng.uniform(-side, extent + side, (count, 2)).astype(np.float32)
    first: Array = np.full((fine, fine), np.inf, np.float32)
    second, parcel = first.copy(), np.zeros((fine, fine), np.int64)
    for index, (top, left) in enumerate(seeds):
        distance: Array = np.hypot(row - top, col - left)
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance)).astype(np.float32)
        parcel[nearer], first = index, np.minimum(first, distance)
    return parcel, (0.5 * (second - first)).astype(np.float32)


def _rows(rng: np.random.Generator, parcel: NDArray[np.int64], count: int, pixel: float) -> Array:
    """Return stripes of crops and furrows in -1..1 (H, W), with a direction and a distance for each parcel."""
    row, col = _positions(len(parcel), pixel)
    angle, distance = rng.uniform(0, np.pi, count), rng.uniform(2.5, 9, count)
    phase = (col * np.cos(angle)[parcel] + row * np.sin(angle)[parcel]) * (2 * np.pi / distance)[parcel]
    stripes: Array = np.sin(phase).astype(np.float32)
    return stripes


def _plant(
    rng: np.random.Generator, ground: _Ground, pixel: float, closed: NDArray[np.bool_], sparse: NDArray[np.bool_]
) -> None:
    """Plant crowns in ``closed`` (H, W), and one in five of them in ``sparse``."""
    palette = np.array(list(_CROWNS.values())[rng.integers(len(_CROWNS))], np.float32)
    spacing = rng.uniform(3.5, 11)
    distance, crown = _nearest_crown(rng, len(closed), spacing / pixel)
    number = crown % 4096  # crowns share their looks with others far away
    radius = spacing * rng.uniform(0.5, 0.85, 4096).astype(np.float32)[number]
    ragged = 1 + 0.3 * fractal(rng, len(closed), max(0.35 * spacing / pixel, 2), 2)
    dome = 1 - (distance * pixel / radius) ** 2 * ragged
    grown = (dome > 0) & (closed | (sparse & (rng.random(4096) < 0.2)[number]))
    # forest floor between the crowns of closed forest counts as vegetation, and is dark
    floor = np.array((74, 70, 58), np.float32) * rng.uniform(0.7, 1.3)
    ground.fill(closed, floor, VEGETATION)
    looks = palette[rng.integers(len(palette), size=4096)] * rng.uniform(0.75, 1.25, (4096, 1)).astype(np.float32)
    drift = 1 + 0.12 * fractal(rng, len(closed), 120 / pixel, 3)  # stands differ
    leaves = 1 + 0.10 * fractal(rng, len(closed), max(1.2 / pixel, 2), 2)
    ground.fill(grown, looks[number] * (drift * leaves)[..., None], VEGETATION)
    tall = rng.uniform(6, 24) * rng.uniform(0.7, 1.2, 4096).astype(np.float32)[number]
    ground.height[grown] = (tall * (0.55 + 0.45 * np.sqrt(np.maximum(dome, 0))))[grown]


def _nearest_crown(rng: np.random.Generator, fine: int, spacing: float) -> tuple[Array, NDArray[np.int64]]:
    """Return the distance in px to the nearest point of a jittered grid and the number of that point, both (H, W)."""
    cells = int(np.ceil(fine / spacing)) + 2
    jitter = rng.uniform(0, 1, (cells, cells, 2)).astype(np.float32)
    row, col = _positions(fine, 1.0)
    cell_row, cell_col = (row // spacing).astype(int) + 1, (col // spacing).astype(int) + 1
    best = np.full((fine, fine), np.inf, np.float32)
    number = np.zeros((fine, fine), np.int64)
    # the nearest point is in the pixel's cell or one of its eight neighbours, but for rare cases that nobody sees
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            near_row = np.clip(cell_row + down, 0, cells - 1)
            near_col = np.clip(cell_col + right, 0, cells - 1)
            point = jitter[near_row, near_col]
            distance = np.hypot(
                row - (near_row - 1 + point[..., 0]) * spacing, col - (near_col - 1 + point[..., 1]) * spacing
            )
            nearer = distance < best
            best[nearer], number[nearer] = distance[nearer], (near_row * cells + near_col)[nearer]
    return best, number


def _draw_lanes(rng: np.random.Generator, ground: _Ground, pixel: float) -> None:
    """Draw up to three bent lanes with farms beside them."""
    fine = len(ground.truth)
    row, col = _positions(fine, pixel)
    for _ in range(int(rng.integers(0, 4))):
        angle, away = rng.uniform(0, np.pi), rng.uniform(-0.4, 0.4) * fine * pixel
        along = (col - fine * pixel / 2) * np.cos(angle) + (row - fine * pixel / 2) * np.sin(angle)
        across = (row - fine * pixel / 2) * np.cos(angle) - (col - fine * pixel / 2) * np.sin(angle) - away
        across = across + 14 * np.sin(along / rng.uniform(60, 200) + rng.uniform(0, 6))
        width = rng.uniform(3, 9)
        grass = np.array(_GRASS[rng.integers(len(_GRASS))], np.float32)
        ground.fill(np.abs(across) < width / 2 + rng.uniform(1, 5), grass, VEGETATION)
        grain = 1 + 0.05 * fractal(rng, fine, 5 / pixel, 2)
        lane = np.array(_LANE[rng.integers(len(_LANE))], np.float32)
        ground.fill(np.abs(across) < width / 2, lane * grain[..., None], ROAD)
        for _ in range(int(rng.integers(0, 7))):
            start, gap = rng.uniform(-0.5, 0.5) * fine * pixel, rng.uniform(9, 40) * rng.choice((-1, 1))
            _draw_farm(rng, ground, along - start, across - gap)


def _draw_farm(rng: np.random.Generator, ground: _Ground, along: Array, across: Array) -> None:
    """Draw a yard with one building whose axes are those of the lane; ``along`` and ``across`` in m from its middle."""
    long, wide = rng.uniform(8, 34), rng.uniform(6, 14)
    yard = np.hypot(along, across) < rng.uniform(0.6, 1.3) * long
    if rng.random() < 0.5:
        soil = np.array(_SOIL[rng.integers(len(_SOIL))], np.float32)
        ground.fill(yard & (ground.truth != ROAD), soil, LAND)
    roof = (np.abs(along) < long / 2) & (np.abs(across) < wide / 2)
    colour = np.array(_ROOF[rng.integers(len(_ROOF))], np.float32)
    # two sides of a roof are lit differently
    sides = np.where(across > 0, 1.0, rng.uniform(0.65, 0.95)).astype(np.float32)
    ground.fill(roof, colour * sides[..., None], BUILDING, height=rng.uniform(4, 9))


def _draw_water(rng: np.random.Generator, ground: _Ground, pixel: float) -> None:
    """Draw lakes and ponds of one colour, away from lanes and buildings, in three of four scenes."""
    fine = len(ground.truth)
    level = fractal(rng, fine, rng.uniform(80, 300) / pixel, 4, 0.45)
    share = rng.choice((0.0, 0.06, 0.18, 0.45))
    water = (level > np.quantile(level, 1 - share)) & (ground.truth != ROAD) & (ground.truth != BUILDING)
    colour = np.array(_WATER[rng.integers(len(_WATER))], np.float32)
    depth = smoothstep(level - np.float32(np.quantile(level, 1 - share)), 0.0, 0.25)
    shallow = 1.0 + rng.uniform(0, 0.6) * (1 - depth)
    ground.fill(water, colour * (shallow + 0.02 * fractal(rng, fine, 12 / pixel, 3))[..., None], WATER)


def _light(rng: np.random.Generator, ground: _Ground, pixel: float) -> Array:
    """Return the light on each pixel (H, W), about 0.3 in shadow to 1.3."""
    height, fine = ground.height, len(ground.height)
    # a hilly scene has broad dark slopes
    relief = rng.choice((0.0, 12.0, 40.0)) * fractal(rng, fine, 220 / pixel, 3)
    azimuth, slope = rng.uniform(0, 2 * np.pi), np.tan(np.deg2rad(rng.uniform(35, 65)))  # towards the sun; its height
    down, right = np.gradient(relief + 0.6 * height, pixel)
    toward = -(down * np.sin(azimuth) + right * np.cos(azimuth))
    # Lambert's law for surfaces (-dz/dx, -dz/dy, 1); slopes steeper than 2 are cut off
    normal = np.sqrt(1 + np.minimum(down**2 + right**2, 4))
    lit = np.where(ground.truth == WATER, 1.0, (np.clip(toward, -2, 2) / slope + 1) / normal)
    # a pixel is in cast shadow when something towards the sun is higher than the ray to it
    step = max(1.5 * pixel, 1.0)
    reach = int(np.ceil(float(height.max()) / slope / step))
    shadow = np.zeros(height.shape, bool)
    for index in range(1, reach + 1):
        offset = index * step / pixel
        shift = (round(-offset * np.sin(azimuth)), round(-offset * np.cos(azimuth)))
        shadow |= np.roll(height, shift, (0, 1)) - index * step * slope > height
    ambient = rng.uniform(0.3, 0.65)
    light: Array = np.where(shadow, ambient, ambient + (1 - ambient) * np.clip(lit, 0, 1.4)).astype(np.float32)
    return light


def _tint(rng: np.random.Generator, picture: Array) -> Array:
    """Give a picture (H, W, 3) the colour cast, exposure and haze of its flight."""
    cast = rng.uniform(0.88, 1.12, 3).astype(np.float32)
    haze = (rng.uniform(0, 0.25) * rng.uniform(110, 190, 3) / 160).astype(np.float32)
    tinted: Array = (picture * cast * rng.uniform(0.9, 1.5) * (1 - haze) + 160 * haze).astype(np.float32)
    return tinted


def _positions(fine: int, pixel: float) -> tuple[Array, Array]:
    """Return the distance of each pixel from the upper edge and from the left edge, m, both (H, W)."""
    row, col = np.mgrid[0:fine, 0:fine].astype(np.float32) * np.float32(pixel)
    return row, col
