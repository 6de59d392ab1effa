"""Small charts as inline SVG: no library, no script, readable by screen readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#1f6fb4", "#c4521b", "#2f7d32", "#7b3fa0")
_INK, _GRID = "#444", "#ddd"
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 12, 40

Points = Sequence[tuple[float, float]]


def line_chart(
    series: Mapping[str, Points], title: str, across: str, size: tuple[int, int] = (520, 260), low: float | None = None
) -> str:
    """Return lines over a common axis.

    Args:
        series: Points (x, y) of each line, sorted by x; at least one point altogether.
        title: What a screen reader says.
        across: Label of the horizontal axis.
        size: Width and height, px.
        low: Lowest value of the vertical axis; None for that of the points.
    """
    points = [point for line in series.values() for point in line]
    frame = _Frame.around(points, size, low)
    lines = []
    for colour, line in zip(COLOURS * len(series), series.values(), strict=False):
        path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in line)
        lines.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        if len(line) < 40:
            lines.extend(
                f'<circle cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.5" fill="{colour}"/>' for x, y in line
            )
    keys = "".join(
        f'<span class="key" style="background:{colour}"></span>{escape(name)}&ensp;'
        for colour, name in zip(COLOURS * len(series), series, strict=False)
    )
    return f'<p class="small">{keys}</p>' + _svg(frame, title, frame.axes(across) + "".join(lines))


def reliability_diagram(table: Sequence[Mapping[str, float | None]], title: str, side: int = 340) -> str:
    """Return accuracy against confidence: one bar for each bin that has pixels, the diagonal, and shares below.

    Args:
        table: Rows of :meth:`training.evaluation.reliability.Reliability.table`.
        title: What a screen reader says.
        side: Width, px.
    """
    frame = _Frame((0, 1), (0, 1), (side, side))
    total = sum(row["pixels"] or 0 for row in table) or 1
    bars = []
    for row in table:
        accuracy, confidence, low, high = (row[key] or 0.0 for key in ("accuracy", "confidence", "low", "high"))
        share = (row["pixels"] or 0) / total
        if not share:
            continue
        left, width = frame.x(low) + 0.5, frame.x(high) - frame.x(low) - 1
        shade = 0.25 + 0.75 * share**0.5
        told = f"confidence {confidence:.0%}, accuracy {accuracy:.0%}, {share:.1%} of the pixels"
        bars.append(
            f'<rect x="{left:.1f}" y="{frame.y(accuracy):.1f}" width="{width:.1f}" '
            f'height="{frame.y(0) - frame.y(accuracy):.1f}" fill="{COLOURS[0]}" opacity="{shade:.2f}">'
            f"<title>{told}</title></rect>"
            f'<line x1="{left:.1f}" x2="{left + width:.1f}" y1="{frame.y(confidence):.1f}" '
            f'y2="{frame.y(confidence):.1f}" stroke="{COLOURS[1]}" stroke-width="2"/>'
        )
    diagonal = (
        f'<line x1="{frame.x(0)}" y1="{frame.y(0)}" x2="{frame.x(1)}" y2="{frame.y(1)}" stroke="{_INK}" '
        'stroke-dasharray="4 4"/>'
    )
    return _svg(frame, title, frame.axes("confidence") + "".join(bars) + diagonal)


class _Frame:
    """From values to pixels of a chart."""

    def __init__(self, xs: tuple[float, float], ys: tuple[float, float], size: tuple[int, int]) -> None:
        self.xs, self.ys, self.size = xs, ys, size

    @classmethod
    def around(cls, points: Points, size: tuple[int, int], low: float | None) -> _Frame:
        """Return a frame that holds all points."""
        xs, ys = ([point[axis] for point in points] for axis in (0, 1))
        bottom = min(ys) if low is None else low
        step = _step(max(ys) - bottom)
        bottom, top = math.floor(bottom / step) * step, math.ceil(max(ys) / step) * step
        right = max(xs) if max(xs) > min(xs) else min(xs) + 1
        return cls((min(xs), right), (bottom, top if top > bottom else bottom + step), size)

    def x(self, value: float) -> float:
        """Return px from the left."""
        width = self.size[0] - _LEFT - _RIGHT
        return _LEFT + width * (value - self.xs[0]) / (self.xs[1] - self.xs[0])

    def y(self, value: float) -> float:
        """Return px from the top."""
        height = self.size[1] - _TOP - _BOTTOM
        return _TOP + height * (self.ys[1] - value) / (self.ys[1] - self.ys[0])

    def axes(self, across: str) -> str:
        """Return grid lines, numbers and the name of the horizontal axis."""
        parts = []
        for value in _ticks(*self.ys):
            y = self.y(value)
            parts.append(
                f'<line x1="{_LEFT}" x2="{self.size[0] - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>'
            )
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
        for value in _ticks(*self.xs):
            parts.append(
                f'<text x="{self.x(value):.1f}" y="{self.size[1] - _BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
            )
        middle = (_LEFT + self.size[0] - _RIGHT) / 2
        parts.append(f'<text x="{middle}" y="{self.size[1] - 6}" text-anchor="middle">{escape(across)}</text>')
        return "".join(parts)


def _svg(frame: _Frame, title: str, content: str) -> str:
    width, height = frame.size
    return (
        f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-size="12" font-family="system-ui, sans-serif" fill="{_INK}">'
        f"<title>{escape(title)}</title>{content}</svg>"
    )


def _step(span: float) -> float:
    """Return a round distance that divides a span into about five."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / 5))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor * 5.5 >= span)


def _ticks(low: float, high: float) -> list[float]:
    step = _step(high - low)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 10) for index in range(first, last + 1)]
