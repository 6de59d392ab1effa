"""The curves of a run, drawn from its log."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_COLOURS = {"accuracy": "#1f77b4", "miou": "#d62728"}


def read_log(path: Path) -> list[dict[str, str]]:
    """Return the rows of a ``log.csv``; an empty list if there is none."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def draw_curves(log: Path, target: Path) -> bool:
    """Draw loss, learning rate, accuracy and IoU over the steps as a PNG; return whether there was anything to draw.

    Raises:
        OSError: if the picture cannot be written.
    """
    rows = read_log(log)
    if not rows:
        return False
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    loss, total, rate, classes = figure.subplots(2, 2).ravel()
    _plot(loss, rows, {"loss": "loss"}, "training loss")
    _plot(rate, rows, {"rate": "rate"}, "learning rate")
    _plot(total, rows, {"accuracy": "pixel accuracy", "miou": "mean IoU"}, "validation", dots=True)
    named = {name: name.removeprefix("iou ") for name in rows[0] if name.startswith("iou ")}
    _plot(classes, rows, named, "validation IoU of each class", dots=True)
    for axes in (total, classes):
        axes.set_ylim(0, 1)
    figure.savefig(target, dpi=100, format="png")
    return True


def _plot(
    axes: Axes, rows: Sequence[Mapping[str, str]], columns: Mapping[str, str], title: str, dots: bool = False
) -> None:
    """Draw columns of the log against the step; rows without a value are passed over."""
    drawn = False
    for column, name in columns.items():
        points = [(int(row["step"]), float(row[column])) for row in rows if row.get(column)]
        if points:
            axes.plot(*zip(*points), label=name, color=_COLOURS.get(column), marker="o" if dots else None, ms=3)
            drawn = True
    axes.set(title=title, xlabel="step", xlim=(0, int(rows[-1]["step"]) * 1.02))
    axes.grid(alpha=0.3)
    if dots and drawn:
        axes.legend(loc="best", fontsize="small")
    elif not drawn:
        axes.text(0.5, 0.5, "no validation", ha="center", transform=axes.transAxes, color="grey")
