"""Streets of the synthetic town: a grid of arterials that bends, one of them a highway, with junctions and cars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import ROAD, VEGETATION, Canvas, Colour, Points, band, circle, rectangle

KERB: Colour = (196, 190, 182)
MARKING: Colour = (214, 212, 206)
CARS: tuple[Colour, ...] = (
    (236, 236, 238),
    (225, 225, 226),
    (60, 58, 60),
    (150, 152, 156),
    (120, 40, 36),
    (48, 62, 96),
)


def tinted(rng: np.random.Generator, colour: Colour, spread: float) -> Colour:
    """Return ``colour`` a little lighter or darker, warmer or colder."""
    value = np.array(colour) * rng.normal(1, spread) + rng.normal(0, 60 * spread, 3)
    red, green, blue = np.clip(value, 4, 250).astype(int).tolist()
    return red, green, blue


@dataclass(frozen=True)
class Street:
    """One straight run in the plan.

    Args:
        start: First point (u, v), m.
        end: Last point (u, v), m.
        lanes: Width of one carriageway, m.
        median: Width of the strip between two carriageways, m; 0 for a single one.
        colour: Asphalt.
        bridge: Whether it goes on over water.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    lanes: float
    median: float
    colour: Colour
    bridge: bool = False

    @property
    def width(self) -> float:
        """Width from kerb to kerb, m."""
        return self.lanes if self.median == 0 else 2 * self.lanes + self.median

    @property
    def centres(self) -> tuple[float, ...]:
        """Sideways offset of the middle of each carriageway, m."""
        return (0.0,) if self.median == 0 else (-(self.lanes + self.median) / 2, (self.lanes + self.median) / 2)

    def line(self, step: float = 8.0) -> Points:
        """Return the middle line, (N, 2) plan metres."""
        length = float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1]))
        share = np.linspace(0, 1, max(int(length / step), 1) + 1)[:, None]
        return np.array(self.start) * (1 - share) + np.array(self.end) * share


def dry_pieces(canvas: Canvas, street: Street) -> list[Points]:
    """Return the parts of the middle line that are on land, or all of it for a bridge."""
    line = street.line()
    if street.bridge:
        return [line]
    dry = canvas.shore_distance(line) > street.width / 2 + 4
    breaks = np.flatnonzero(np.diff(dry.astype(int))) + 1
    return [piece for piece, keep in zip(np.split(line, breaks), dry[np.r_[0, breaks]]) if keep and len(piece) > 2]


def draw_streets(canvas: Canvas, streets: list[Street]) -> None:
    """Draw kerbs, then asphalt, then medians and markings, then cars."""
    laid = [(street, piece) for street in streets for piece in dry_pieces(canvas, street)]
    for street, line in laid:
        canvas.fill(band(line, street.width + 3.0), tinted(canvas.rng, KERB, 0.03))
    for street, line in laid:
        canvas.fill(band(line, street.width), street.colour, ROAD)
    for street, line in laid:
        if street.median > 0 and len(line) > 6:
            _draw_median(canvas, street, line[2:-2])
        _draw_markings(canvas, street, line)
        _park_cars(canvas, street, line, 0.012 if street.median else 0.006)


def _draw_median(canvas: Canvas, street: Street, line: Points) -> None:
    green = canvas.rng.random() < 0.55
    colour = (92, 102, 66) if green else (188, 178, 164)
    canvas.fill(band(line, street.median), tinted(canvas.rng, colour, 0.05), VEGETATION if green else None)
    for point in line:
        if canvas.rng.random() < 0.7:
            canvas.crown(point[0], point[1], canvas.rng.uniform(1.3, 2.2), tinted(canvas.rng, (52, 60, 40), 0.1))


def _draw_markings(canvas: Canvas, street: Street, line: Points) -> None:
    for centre in street.centres:
        edges = (-street.lanes / 2 + 0.6, street.lanes / 2 - 0.6) if street.lanes > 7 else ()
        for offset in edges:
            canvas.stroke(band(line, 0.0, centre + offset)[: len(line)], MARKING, 0.2)
        dashes = np.arange(-street.lanes / 2 + 3.6, street.lanes / 2 - 1, 3.6) if street.lanes > 7 else (0.0,)
        for offset in dashes:
            inner = band(line, 0.0, centre + offset)[: len(line)]
            for k in range(len(inner) - 1):
                canvas.stroke(np.array([inner[k], 0.6 * inner[k] + 0.4 * inner[k + 1]]), MARKING, 0.2)


def _park_cars(canvas: Canvas, street: Street, line: Points, density: float) -> None:
    """Put cars on the lanes, ``density`` per metre and carriageway."""
    ahead = np.gradient(line, axis=0)
    for centre in street.centres:
        for k in np.flatnonzero(canvas.rng.random(len(line)) < 8 * density):
            direction = ahead[k] / max(np.hypot(*ahead[k]), 1e-9)
            aside = np.array([-direction[1], direction[0]])
            middle = line[k] + (centre + canvas.rng.uniform(-0.3, 0.3) * street.lanes) * aside
            draw_car(canvas, middle, direction)


def draw_car(canvas: Canvas, middle: Points, direction: Points) -> None:
    """Draw one car, 4.6 by 2 m, along ``direction``; the truth stays Road or whatever it stands on."""
    half = np.array([2.3 * direction, 1.0 * np.array([-direction[1], direction[0]])])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) @ half
    canvas.fill(middle + corners, CARS[canvas.rng.integers(len(CARS))])


def draw_roundabout(canvas: Canvas, u: float, v: float, colour: Colour) -> None:
    """Draw a ring of asphalt around a planted island."""
    if canvas.shore_distance(np.array([[u, v]]))[0] < 35:
        return
    canvas.fill(circle(u, v, 27), KERB)
    canvas.fill(circle(u, v, 25.5), colour, ROAD)
    canvas.fill(circle(u, v, 15), KERB, VEGETATION)
    canvas.fill(circle(u, v, 14), (96, 108, 68), VEGETATION)
    canvas.fill(circle(u, v, 6), (176, 160, 138), VEGETATION)
    for angle in np.arange(0, 2 * np.pi, 0.5):
        canvas.crown(u + 11 * np.cos(angle), v + 11 * np.sin(angle), 1.8, (48, 58, 36))


def draw_junction(canvas: Canvas, u: float, v: float, width: float, height: float, colour: Colour) -> None:
    """Clear the middle of a crossing: asphalt, stop lines and zebra stripes."""
    if canvas.shore_distance(np.array([[u, v]]))[0] < 20:
        return
    canvas.fill(rectangle(u, v, width + 10, height), colour, ROAD)
    canvas.fill(rectangle(u, v, width, height + 10), colour, ROAD)
    for side in (-1, 1):
        canvas.stroke(rectangle(u + side * (width / 2 + 4), v, 0.01, height - 1)[1:3], MARKING, 0.5)
        canvas.stroke(rectangle(u, v + side * (height / 2 + 4), width - 1, 0.01)[:2], MARKING, 0.5)


def draw_car_park(canvas: Canvas, u: float, v: float, width: float, height: float, colour: Colour) -> None:
    """Draw a sealed car park with rows of bays, cars and a few trees."""
    canvas.fill(rectangle(u, v, width, height), colour, ROAD)
    for row in np.arange(v - height / 2 + 5.5, v + height / 2 - 5, 17.0):
        for bay in np.arange(u - width / 2 + 4, u + width / 2 - 4, 2.9):
            for side in (-2.7, 2.7):
                canvas.stroke(np.array([[bay, row], [bay, row + 2 * side]]), (176, 172, 166), 0.2)
                if canvas.rng.random() < 0.35:
                    draw_car(canvas, np.array([bay + 1.4, row + side]), np.array([0.0, 1.0]))
        for tree in np.arange(u - width / 2 + 6, u + width / 2 - 4, 19.0):
            if canvas.rng.random() < 0.6:
                canvas.crown(tree, row, canvas.rng.uniform(1.8, 2.6), tinted(canvas.rng, (56, 66, 42), 0.1))
