"""Districts of the synthetic town: functions that fill one block of the street grid."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from .canvas import LAND, VEGETATION, WATER, Canvas, Colour, circle, rectangle, shaded
from .streets import Street, draw_car_park, draw_streets, tinted

LOCAL: Colour = (112, 106, 102)
VILLA_ROOFS: tuple[Colour, ...] = (
    (236, 232, 226),
    (224, 214, 202),
    (206, 194, 180),
    (178, 172, 172),
    (172, 118, 92),
    (242, 240, 238),
    (230, 226, 220),
    (214, 206, 196),
)
SHED_ROOFS: tuple[Colour, ...] = ((238, 238, 236), (222, 220, 214), (196, 200, 206), (170, 178, 190), (206, 196, 178))
TREE: Colour = (54, 64, 40)
GRASS: Colour = (92, 100, 74)
YARD: Colour = (186, 174, 162)


@dataclass(frozen=True)
class Block:
    """A rectangle between streets, plan metres."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        """Centre (u, v)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, m."""
        return self.right - self.left, self.bottom - self.top


def on_land(canvas: Canvas, u: float, v: float, width: float, height: float) -> bool:
    """Return whether a rectangle is in the picture and clear of the water."""
    corners = np.concatenate([rectangle(u, v, width, height), [[u, v]]])
    return canvas.visible(u, v, max(width, height) + 30) and bool((canvas.shore_distance(corners) > 6).all())


def plant(canvas: Canvas, u: float, v: float, width: float, height: float, count: int, radius: float = 2.4) -> None:
    """Scatter trees over a rectangle, none in the water."""
    for _ in range(count):
        at_u, at_v = u + canvas.rng.uniform(-0.5, 0.5) * width, v + canvas.rng.uniform(-0.5, 0.5) * height
        if canvas.shore_distance(np.array([[at_u, at_v]]))[0] > 3:
            canvas.crown(at_u, at_v, radius * canvas.rng.uniform(0.6, 1.3), tinted(canvas.rng, TREE, 0.12))


def draw_villas(canvas: Canvas, block: Block) -> None:
    """Draw rows of walled plots back to back along local streets."""
    rng = canvas.rng
    road = 8.0
    width, height = block.size
    rows = max(round((height - road) / rng.uniform(56, 72)), 1)
    pitch = (height - road) / rows
    depth = (pitch - road) / 2
    first = block.middle[1] - rows * pitch / 2
    streets = [
        Street((block.left, first + k * pitch), (block.right, first + k * pitch), road, 0, tinted(rng, LOCAL, 0.05))
        for k in range(rows + 1)
    ]
    streets += [
        Street((u, first), (u, first + rows * pitch), road, 0, streets[0].colour)
        for u in (block.left + 4, block.right - 4)
    ]
    draw_streets(canvas, streets)
    columns = int((width - 17) // rng.uniform(19, 26))
    plot = (width - 17) / columns
    for row in range(rows):
        for side in (0.25, 0.75):
            v = first + row * pitch + road / 2 + side * 2 * depth
            for column in range(columns):
                u = block.middle[0] + (column - (columns - 1) / 2) * plot
                if on_land(canvas, u, v, plot, depth):
                    _draw_plot(canvas, u, v, plot, depth - 3, 1 if side < 0.5 else -1)


def _draw_plot(canvas: Canvas, u: float, v: float, width: float, depth: float, garden_side: int) -> None:
    """Draw one walled plot: garden, house with an optional wing, optional pool.

    ``garden_side`` is 1 or -1, the direction along v away from the street.
    """
    rng = canvas.rng
    if rng.random() < 0.06:
        return
    canvas.fill(rectangle(u, v, width, depth), tinted(rng, (226, 220, 212), 0.03), LAND)
    canvas.fill(rectangle(u, v, width - 0.9, depth - 0.9), tinted(rng, YARD, 0.10), LAND)
    if rng.random() < 0.6:
        canvas.fill(
            rectangle(u, v + garden_side * 0.3 * depth, width - 3, 0.32 * depth), tinted(rng, GRASS, 0.1), VEGETATION
        )
    roof = tinted(rng, VILLA_ROOFS[rng.integers(len(VILLA_ROOFS))], 0.04)
    house_u, house_v = u + rng.uniform(-1.5, 1.5), v - garden_side * 0.08 * depth
    house_width, house_depth = width * rng.uniform(0.6, 0.78), depth * rng.uniform(0.46, 0.62)
    _draw_house(canvas, house_u, house_v, house_width, house_depth, roof)
    if rng.random() < 0.5:
        wing = rectangle(
            house_u + rng.choice([-1, 1]) * 0.3 * house_width, house_v + garden_side * 0.5 * house_depth, 7, 8
        )
        canvas.roof(wing, tinted(rng, roof, 0.03), 4, (206, 200, 192))
    if rng.random() < 0.3:
        pool = (u + rng.uniform(-0.25, 0.25) * width, v + garden_side * 0.38 * depth)
        canvas.fill(rectangle(*pool, 8.5, 5), (214, 208, 198), LAND)
        canvas.fill(rectangle(*pool, 7, 3.6), (92, 168, 186), WATER)
    plant(canvas, u, v + garden_side * 0.36 * depth, width - 5, 0.22 * depth, int(rng.integers(1, 5)), 1.9)
    plant(canvas, u, v - garden_side * 0.45 * depth, width - 4, 2.0, int(rng.integers(0, 3)), 1.7)


def _draw_house(canvas: Canvas, u: float, v: float, width: float, depth: float, roof: Colour) -> None:
    rng = canvas.rng
    red, green, blue = (min(value + 6, 252) for value in shaded(roof, 1.08))
    light = (red, green, blue)
    dark = shaded(roof, 0.84)
    outline = rectangle(u, v, width, depth)
    canvas.roof(outline, roof, rng.uniform(6, 9.5), light)
    if max(roof) - min(roof) > 60:  # tiles: a hipped roof, each slope lit differently
        ridge = rectangle(u, v, width * 0.45, 0.4)
        canvas.roof_detail(np.array([outline[0], outline[1], ridge[1], ridge[0]]), light)
        canvas.roof_detail(np.array([outline[3], outline[2], ridge[2], ridge[3]]), dark)
        return
    canvas.roof_detail(rectangle(u + 0.2 * width, v, 0.3 * width, 0.5 * depth), light, 2.6)
    for _ in range(int(rng.integers(1, 5))):
        at = rng.uniform(-0.4, 0.4, 2) * (width, depth)
        canvas.roof_detail(rectangle(u + at[0], v + at[1], 1.4, 1.4), (150, 148, 146), 1.0)


def draw_apartments(canvas: Canvas, block: Block) -> None:
    """Draw tall slabs around courts, with car parks between."""
    rng = canvas.rng
    width, height = block.size
    across, down = max(int(width // 82), 1), max(int(height // 76), 1)
    for u in block.left + (np.arange(across) + 0.5) * width / across:
        for v in block.top + (np.arange(down) + 0.5) * height / down:
            if not on_land(canvas, u, v, 70, 66):
                continue
            canvas.fill(rectangle(u, v, 78, 72), tinted(rng, (196, 188, 178), 0.04), LAND)
            if rng.random() < 0.7:
                draw_car_park(canvas, u, v + 27, 70, 17, tinted(rng, LOCAL, 0.05))
            canvas.fill(rectangle(u, v - 2, 30, 18), tinted(rng, GRASS, 0.1), VEGETATION)
            plant(canvas, u, v - 2, 32, 18, 7)
            roof, tall = tinted(rng, SHED_ROOFS[rng.integers(3)], 0.04), rng.uniform(16, 42)
            for du, dv, w, d in ((-25, -8, 15, 46), (25, -8, 15, 46), (0, -24, 36, 14)):
                if rng.random() < 0.9:
                    _draw_slab(canvas, u + du, v + dv, w, d, roof, tall)
    plant(canvas, *block.middle, width, height, int(width * height / 1500), 2.0)


def _draw_slab(canvas: Canvas, u: float, v: float, width: float, depth: float, roof: Colour, tall: float) -> None:
    canvas.roof(rectangle(u, v, width, depth), roof, tall, (236, 232, 228))
    canvas.roof_detail(rectangle(u, v, width - 2.4, depth - 2.4), shaded(roof, 0.9))
    for at in np.linspace(-0.35, 0.35, 4):
        along = (u, v + at * depth) if depth > width else (u + at * width, v)
        canvas.roof_detail(rectangle(along[0], along[1], 4.2, 4.2), (206, 202, 196), canvas.rng.uniform(1.5, 4))


def draw_sheds(canvas: Canvas, block: Block) -> None:
    """Draw halls and shopping centres: large flat roofs with technical equipment, each beside its car park."""
    rng = canvas.rng
    width, height = block.size
    if not on_land(canvas, *block.middle, 0.5 * width, 0.5 * height):
        draw_desert(canvas, block)
        return
    canvas.fill(rectangle(*block.middle, width - 14, height - 14), tinted(rng, (186, 178, 168), 0.04), LAND)
    parts = 1 if width < 170 else 2
    for part in range(parts):
        u = block.left + (part + 0.5) * width / parts
        hall = np.array([width / parts - 46, height * rng.uniform(0.42, 0.58)])
        v = block.top + 20 + hall[1] / 2
        if not on_land(canvas, u, v, *hall):
            continue
        _draw_hall(canvas, u, v, hall[0], hall[1])
        rest = block.bottom - 14 - (v + hall[1] / 2 + 8)
        if rest > 30:
            draw_car_park(
                canvas, u, block.bottom - 14 - rest / 2, hall[0] + 20, rest, tinted(rng, (120, 112, 104), 0.05)
            )
    lane = Street((block.left + 10, block.top + 9), (block.right - 10, block.top + 9), 8, 0, LOCAL)
    draw_streets(canvas, [lane])


def _draw_hall(canvas: Canvas, u: float, v: float, width: float, depth: float) -> None:
    rng = canvas.rng
    roof = tinted(rng, SHED_ROOFS[rng.integers(len(SHED_ROOFS))], 0.03)
    canvas.roof(rectangle(u, v, width, depth), roof, rng.uniform(9, 15), (246, 246, 244))
    darker = shaded(roof, 0.93)
    if rng.random() < 0.6:
        for at in np.arange(u - width / 2 + 4, u + width / 2 - 3, 8.0):
            canvas.roof_detail(rectangle(at, v, 0.9, depth - 3), darker)
            for along in np.arange(v - depth / 2 + 8, v + depth / 2 - 6, 16.0):
                canvas.roof_detail(rectangle(at + 4, along, 1.6, 6), (148, 158, 170))
        return
    canvas.roof_detail(rectangle(u, v, width - 3, depth - 3), darker)
    if min(width, depth) > 40:
        canvas.roof_detail(circle(u, v, 0.24 * min(width, depth)), (150, 172, 186), 4)
    for _ in range(int(width * depth / 260)):
        at = rng.uniform(-0.45, 0.45, 2) * (width, depth)
        across, down = rng.uniform(2, 6, 2)
        canvas.roof_detail(rectangle(u + at[0], v + at[1], across, down), tinted(rng, (168, 166, 164), 0.1), 1.8)


def draw_park(canvas: Canvas, block: Block) -> None:
    """Draw lawns with paths, groves and a pond."""
    rng = canvas.rng
    (u, v), (width, height) = block.middle, block.size
    if not on_land(canvas, u, v, 0.3 * width, 0.3 * height):
        return
    canvas.fill(rectangle(u, v, width - 16, height - 16), tinted(rng, GRASS, 0.05), VEGETATION)
    for _ in range(9):
        at = np.array([u, v]) + rng.uniform(-0.36, 0.36, 2) * (width, height)
        canvas.fill(circle(at[0], at[1], rng.uniform(8, 24)), tinted(rng, (100, 106, 76), 0.08), VEGETATION)
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = np.stack([u + 0.34 * width * np.cos(turn), v + 0.34 * height * np.sin(turn)], axis=1)
    for line in (
        ring,
        np.array([[block.left + 10, v], [block.right - 10, v]]),
        np.array([[u, block.top + 10], [u, block.bottom - 10]]),
    ):
        for first, last in pairwise(line):
            aside = np.array([last[1] - first[1], first[0] - last[0]]) / max(np.hypot(*(last - first)), 1e-9) * 1.6
            canvas.fill(np.array([first - aside, last - aside, last + aside, first + aside]), (202, 188, 168), LAND)
    canvas.fill(circle(u, v, 15), (202, 188, 168), LAND)
    canvas.fill(circle(u, v, 11), (58, 84, 76), WATER)
    plant(canvas, u, v, width - 26, height - 26, int(width * height / 260), 3.0)


def draw_desert(canvas: Canvas, block: Block) -> None:
    """Draw open ground with wheel tracks and sometimes a fenced site with cabins."""
    rng = canvas.rng
    for _ in range(int(rng.integers(3, 9))):
        start, end = (np.array(block.middle) + rng.uniform(-0.6, 0.6, 2) * block.size for _ in range(2))
        share = np.linspace(0, 1, 24)[:, None]
        sway = 14 * np.sin(share * rng.uniform(3, 8) + rng.uniform(0, 6)) * rng.standard_normal(2)
        line = start * (1 - share) + end * share + sway
        for shift in (-0.9, 0.9):
            canvas.stroke(line + shift, tinted(rng, (184, 172, 160), 0.06), 0.5)
    if rng.random() < 0.3 and on_land(canvas, *block.middle, 70, 60):
        u, v = block.middle
        canvas.fill(rectangle(u, v, 72, 58), tinted(rng, (186, 170, 148), 0.05), LAND)
        canvas.stroke(np.concatenate([rectangle(u, v, 72, 58), rectangle(u, v, 72, 58)[:1]]), (232, 228, 222), 0.6)
        canvas.fill(rectangle(u + 20, v, 24, 30), tinted(rng, (150, 134, 114), 0.05), LAND)
        for k in range(int(rng.integers(2, 6))):
            canvas.roof(rectangle(u - 26 + 6 * k, v - 22, 3, 9), tinted(rng, (230, 230, 232), 0.03), 2.8)


def plant_street_trees(canvas: Canvas, block: Block) -> None:
    """Plant trees along the streets around a block."""
    rng = canvas.rng
    corners = [
        (block.left, block.top),
        (block.right, block.top),
        (block.right, block.bottom),
        (block.left, block.bottom),
    ]
    for first, last in zip(corners, [*corners[1:], corners[0]]):
        line = Street(first, last, 2, 0, LOCAL).line(9.0)
        for u, v in line:
            if canvas.visible(u, v, 5) and canvas.shore_distance(np.array([[u, v]]))[0] > 5 and rng.random() < 0.75:
                canvas.crown(u, v, rng.uniform(1.2, 2.1), tinted(rng, TREE, 0.1))
