"""Canvas of the synthetic town: image, class ids and shadows at three times the final resolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from dubai_landcover_plugin.protocol.classes import DUBAI

FINER = 3  # odd, so that every final pixel has a middle one
WATER, LAND, ROAD, BUILDING, VEGETATION = DUBAI.ids
Colour = tuple[int, int, int]
Points = NDArray[np.float64]


def shaded(colour: Colour, factor: float) -> Colour:
    """Return a colour ``factor`` times as bright."""
    red, green, blue = (int(factor * value) for value in colour)
    return red, green, blue


def rectangle(u: float, v: float, width: float, height: float) -> Points:
    """Return the corners of an upright rectangle around (u, v), plan metres."""
    return np.array([u, v]) + 0.5 * np.array([[-width, -height], [width, -height], [width, height], [-width, height]])


def circle(u: float, v: float, radius: float, corners: int = 28) -> Points:
    """Return a regular polygon around (u, v), plan metres."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.array([u, v]) + radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def band(line: Points, width: float, offset: float = 0.0) -> Points:
    """Return the outline of a strip of ``width`` along ``line``, shifted sideways by ``offset``, plan metres."""
    ahead = np.gradient(line, axis=0)
    aside = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    return np.concatenate([line + (offset - width / 2) * aside, (line + (offset + width / 2) * aside)[::-1]])


class Canvas:
    """Draws in plan metres: a plan that is turned and gently bent before it meets the pixels.

    Args:
        rng: Source of every random choice.
        size: Side of the final picture, px.
        gsd: Metres per final pixel.
        ground: (size, size, 3) picture of the bare ground, 0..255.
        shore: (size, size) about the distance to water in metres, negative in water.
    """

    def __init__(
        self, rng: np.random.Generator, size: int, gsd: float, ground: NDArray[np.float32], shore: NDArray[np.float32]
    ) -> None:
        self.rng, self.size, self.gsd, self.shore = rng, size, gsd, shore
        self.extent = size * gsd
        fine = (size * FINER, size * FINER)
        picture = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
        self.picture = picture.resize(fine, Image.Resampling.BILINEAR)
        self.truth = Image.new("L", fine, LAND)
        self.shade = Image.new("L", fine, 0)
        self._pen, self._truth_pen = ImageDraw.Draw(self.picture), ImageDraw.Draw(self.truth)
        self._shade_pen = ImageDraw.Draw(self.shade)
        self._roofs: list[Callable[[], None]] = []
        self._crowns: list[Callable[[], None]] = []
        turn = rng.uniform(0, 2 * np.pi)
        self._turn = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        self._bend = rng.uniform(18, 42, 2), rng.uniform(520, 900, 2), rng.uniform(0, 2 * np.pi, 2)
        sun = np.deg2rad(rng.uniform(200, 250))  # shadows point up and left, as in a morning pass
        self._shadow = rng.uniform(0.45, 0.75) * np.array([np.cos(sun), np.sin(sun)])  # metres per metre of height

    def to_metres(self, points: Points) -> Points:
        """Return plan points (N, 2) as metres right of and below the picture's corner."""
        amplitude, wavelength, phase = self._bend
        bend = amplitude * np.sin(2 * np.pi * points[:, ::-1] / wavelength + phase)
        metres: Points = (points + bend) @ self._turn.T + self.extent / 2
        return metres

    def shore_distance(self, points: Points) -> NDArray[np.float32]:
        """Return about how far plan points (N, 2) are from water, m; negative in it."""
        col, row = np.clip((self.to_metres(points) / self.gsd).astype(int), 0, self.size - 1).T
        distances: NDArray[np.float32] = self.shore[row, col]
        return distances

    def visible(self, u: float, v: float, margin: float = 60.0) -> bool:
        """Return whether a plan point is inside the picture or within a margin."""
        x, y = self.to_metres(np.array([[u, v]]))[0]
        return bool(-margin < x < self.extent + margin and -margin < y < self.extent + margin)

    def fill(self, points: Points, colour: Colour, class_id: int | None = None) -> None:
        """Fill a polygon on the ground; the truth stays where ``class_id`` is None."""
        outline = self._pixels(self.to_metres(points))
        self._pen.polygon(outline, fill=colour)
        if class_id is not None:
            self._truth_pen.polygon(outline, fill=class_id)

    def stroke(self, points: Points, colour: Colour, width: float) -> None:
        """Draw an open line of ``width`` metres on the ground; the truth stays."""
        self._pen.line(self._pixels(self.to_metres(points)), fill=colour, width=self._width(width), joint="curve")

    def roof(self, points: Points, colour: Colour, height: float, edge: Colour | None = None) -> None:
        """Raise a building of ``height`` metres over a convex outline; it casts its shadow at once."""
        metres = self.to_metres(points)
        self._cast(metres, height)
        outline = self._pixels(metres)

        def draw() -> None:
            self._pen.polygon(outline, fill=colour, outline=edge or colour)
            self._truth_pen.polygon(outline, fill=BUILDING)

        self._roofs.append(draw)

    def roof_detail(self, points: Points, colour: Colour, height: float = 0.0) -> None:
        """Put something on a roof: a patch, or with ``height`` a box with a shadow on the roof."""
        metres = self.to_metres(points)
        outline = self._pixels(metres)
        dark = self._pixels(metres + height * self._shadow)

        def draw() -> None:
            if height:
                self._pen.polygon(dark, fill=(84, 80, 82))
            self._pen.polygon(outline, fill=colour)

        self._roofs.append(draw)

    def crown(self, u: float, v: float, radius: float, colour: Colour) -> None:
        """Plant a tree: a dark disk with a lit side; it casts its shadow at once."""
        middle = self.to_metres(np.array([[u, v]]))[0]
        shadow = self._box(middle + self._shadow * radius * 1.8, radius * 0.95)
        self._shade_pen.ellipse(shadow, fill=255)
        lit = tuple(min(int(1.45 * value) + 6, 255) for value in colour)
        disk = self._box(middle, radius)
        light = self._box(middle - 0.5 * radius * self._shadow / np.hypot(*self._shadow), radius * 0.5)

        def draw() -> None:
            self._pen.ellipse(disk, fill=colour)
            self._truth_pen.ellipse(disk, fill=VEGETATION)
            self._pen.ellipse(light, fill=lit)

        self._crowns.append(draw)

    def lay_water(self, water: NDArray[np.float32], causeway: Image.Image) -> None:
        """Cover the area below the shore with water, except for the bridge or dam of ``causeway`` (fine mask, L)."""
        fine = Image.fromarray(self.shore).resize(self.truth.size, Image.Resampling.BICUBIC)
        wet = Image.fromarray(((np.asarray(fine) < 0) * 255).astype(np.uint8))
        wet = ImageChops.multiply(wet, ImageChops.invert(causeway))
        colours = Image.fromarray(np.clip(water, 0, 255).astype(np.uint8)).resize(
            self.truth.size, Image.Resampling.BILINEAR
        )
        self.picture.paste(colours, mask=wet)
        self.truth.paste(WATER, mask=wet)

    def mask(self, outlines: list[Points]) -> Image.Image:
        """Return a fine mask (L, 255 inside) of plan polygons."""
        image = Image.new("L", self.truth.size, 0)
        pen = ImageDraw.Draw(image)
        for points in outlines:
            pen.polygon(self._pixels(self.to_metres(points)), fill=255)
        return image

    def finish(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return picture (H, W, 3) 0..255 and truth (H, W): shadows first, then roofs, then crowns."""
        dark = self.picture.point(lambda value: 0.42 * value)
        self.picture.paste(dark, mask=self.shade)
        for draw in [*self._roofs, *self._crowns]:
            draw()
        picture = np.asarray(self.picture.reduce(FINER), np.float32)
        return picture, np.asarray(self.truth)[FINER // 2 :: FINER, FINER // 2 :: FINER].copy()

    def _cast(self, metres: Points, height: float) -> None:
        far = metres + height * self._shadow
        after, far_after = np.roll(metres, -1, axis=0), np.roll(far, -1, axis=0)
        for corners in zip(metres, after, far_after, far):
            self._shade_pen.polygon(self._pixels(np.array(corners)), fill=255)
        self._shade_pen.polygon(self._pixels(far), fill=255)

    def _pixels(self, metres: Points) -> list[tuple[float, float]]:
        return [(x, y) for x, y in (metres * (FINER / self.gsd)).tolist()]

    def _box(self, middle: Points, radius: float) -> list[float]:
        return [*((middle - radius) * (FINER / self.gsd)), *((middle + radius) * (FINER / self.gsd))]

    def _width(self, metres: float) -> int:
        return max(round(metres * FINER / self.gsd), 1)
