"""Ground of the synthetic town: fractal noise, sand, a lagoon. All arrays are (H, W) float32 unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]


def fractal(rng: np.random.Generator, size: int, wavelength: float, octaves: int = 4, gain: float = 0.55) -> Array:
    """Return smooth noise of about -1..1; ``wavelength`` of the coarsest octave in px."""
    total = np.zeros((size, size), np.float32)
    amplitude = 1.0
    for _ in range(octaves):
        cells = max(int(np.ceil(size / max(wavelength, 2.0))) + 3, 4)
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        left, top = rng.random(2)
        box = (left, top, left + size / max(wavelength, 2.0), top + size / max(wavelength, 2.0))
        total += amplitude * np.asarray(Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC, box=box))
        amplitude *= gain
        wavelength /= 2.3
    return total / 1.6


def smoothstep(values: Array, low: float, high: float) -> Array:
    """Return 0 below ``low``, 1 above ``high``, an S between."""
    part = np.clip((values - low) / (high - low), 0, 1)
    curve: Array = (part * part * (3 - 2 * part)).astype(np.float32)
    return curve


@dataclass(frozen=True)
class Terrain:
    """Sand and water below the town.

    Args:
        sand: (H, W, 3) reflectance 0..255 of the bare ground.
        shore: About the distance to the shore in metres; negative in water.
        water: (H, W, 3) reflectance 0..255 of water, meaningful where ``shore`` is negative.
    """

    sand: Array
    shore: Array
    water: Array


def draw_terrain(rng: np.random.Generator, size: int, gsd: float) -> Terrain:
    """Return the ground of a square of ``size`` px at ``gsd`` m/px."""
    shore = _shore(rng, size, gsd)
    return Terrain(_sand(rng, size, gsd, shore), shore, _water(rng, size, gsd, shore))


def _mix(first: Array, second: tuple[float, float, float], share: Array) -> Array:
    return first + (np.asarray(second, np.float32) - first) * share[..., None]


def _sand(rng: np.random.Generator, size: int, gsd: float, shore: Array) -> Array:
    """Return bright sand with pale crusts, greyish flats, dune ripples and a damp rim at the water."""
    base = np.array([[214, 198, 182], [222, 210, 202], [212, 206, 202]][rng.integers(3)], np.float32)
    broad = fractal(rng, size, 260 / gsd)
    fine = fractal(rng, size, 14 / gsd, 3)
    sand = base + (13 * broad + 7 * fine)[..., None] * np.array([1.0, 0.98, 0.94], np.float32)
    sand = _mix(sand, (240, 236, 232), 0.75 * smoothstep(fractal(rng, size, 150 / gsd, 5), 0.25, 1.1))
    sand = _mix(sand, (170, 164, 160), 0.6 * smoothstep(fractal(rng, size, 120 / gsd, 5), 0.45, 1.3))
    row, col = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(gsd)
    angle = rng.uniform(0, np.pi)
    phase = (col * np.cos(angle) + row * np.sin(angle)) / 11 + 2.2 * fractal(rng, size, 90 / gsd, 3)
    ripples = np.sin(phase) * smoothstep(fractal(rng, size, 220 / gsd, 2), 0.1, 0.9)
    sand += (9 * ripples)[..., None]
    creases = 1 - np.abs(fractal(rng, size, 34 / gsd, 4, 0.7))  # wind and wheels leave fine bright and dark lines
    sand += (11 * np.clip(creases, -0.5, 1) - 6)[..., None] * smoothstep(fractal(rng, size, 170 / gsd, 2), -0.6, 0.8)[
        ..., None
    ]
    scrub = smoothstep(fractal(rng, size, 9 / gsd, 2), 1.15, 1.5) * smoothstep(
        fractal(rng, size, 110 / gsd, 2), 0.2, 0.8
    )
    sand = _mix(sand, (112, 108, 96), 0.75 * scrub)
    damp = np.exp(-np.clip(shore, 0, None) / 6).astype(np.float32)
    return _mix(sand, (150, 142, 124), 0.7 * damp)


def _shore(rng: np.random.Generator, size: int, gsd: float) -> Array:
    """Return the shore of a lagoon with a ragged outline away from the centre."""
    extent = size * gsd
    row, col = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(gsd)
    angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(0.28, 0.42) * extent
    middle = extent / 2 + away * np.array([np.sin(angle), np.cos(angle)])
    radius = rng.uniform(0.17, 0.26) * extent
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(0.55, 0.95)
    down, right = row - middle[0], col - middle[1]
    along = right * np.cos(turn) + down * np.sin(turn)
    across = (down * np.cos(turn) - right * np.sin(turn)) / stretch
    ragged = 0.30 * fractal(rng, size, radius * 1.1 / gsd, 5, 0.5)
    distance: Array = (np.hypot(along, across) - radius * (1 + ragged)).astype(np.float32)
    return distance


def _water(rng: np.random.Generator, size: int, gsd: float, shore: Array) -> Array:
    """Return water: pale where shallow, dark where deep, with faint streaks of wind."""
    deep = np.array([[18, 46, 36], [24, 44, 52], [16, 40, 20]][rng.integers(3)], np.float32)
    shallow = np.array([[84, 98, 74], [74, 96, 92], [92, 92, 62]][rng.integers(3)], np.float32)
    shoals = 8 * fractal(rng, size, 40 / gsd, 4) + 22 * fractal(rng, size, 160 / gsd, 2)
    depth = smoothstep(-shore + np.minimum(shoals, 24), 0.0, 26.0)
    water = shallow + (deep - shallow) * depth[..., None]
    row, col = np.mgrid[0:size, 0:size].astype(np.float32) * np.float32(gsd)
    angle = rng.uniform(0, np.pi)
    waves = np.sin((col * np.cos(angle) + row * np.sin(angle)) / 2.1 + 3 * fractal(rng, size, 30 / gsd, 2))
    streaks = smoothstep(fractal(rng, size, 100 / gsd, 3), 0.0, 1.2)
    lit: Array = np.clip(water + (1.6 * waves * (0.3 + streaks) + 5 * streaks)[..., None], 2, 255).astype(np.float32)
    return lit
