"""Charts of a training log."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dubai_landcover_plugin.core.html.images import literal
from dubai_landcover_plugin.core.io.csv_cells import unescape_cell
from dubai_landcover_plugin.core.io.files import atomic_path
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError

_COLOURS = {"accuracy": "#1f77b4", "miou": "#d62728"}

Log = Sequence[Mapping[str, str]]


def read_log(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a ``log.csv``.

    Raises:
        TrainingError: if it cannot be read or is not a training log.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            read = list(csv.DictReader(stream))
        rows = [{unescape_cell(name): cell for name, cell in row.items() if name is not None} for row in read]
        for row in rows:
            int(row["step"])
        return rows
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise TrainingError(
            tr(
                "{path} is not a log of a training run, or is damaged: {error}.",
                path=path,
                error=f"{type(error).__name__}: {error}",
            ),
            tr("To resume the run with a new log, move this file."),
        ) from error


def draw_curves(log: Path, target: Path) -> bool:
    """Write :func:`curves_figure` of a ``log.csv`` as a PNG; return False if the log is missing or empty.

    Raises:
        OSError: if the picture cannot be written.
        TrainingError: if it is not a training log.
    """
    rows = read_log(log) if log.is_file() else []
    if rows:
        with atomic_path(target) as partial:
            curves_figure(rows).savefig(partial, dpi=100, format="png")
    return bool(rows)


def curves_figure(log: Log) -> Figure:
    """Return charts of loss, learning rate, accuracy and IoU against the step; the log has at least one row."""
    figure = Figure(figsize=(11, 6.5), layout="constrained")
    loss, total, rate, classes = figure.subplots(2, 2).ravel()
    _plot(loss, log, {"loss": ""}, tr("training loss"))
    _plot(rate, log, {"rate": ""}, tr("learning rate"))
    _plot(total, log, {"accuracy": tr("pixel accuracy"), "miou": tr("mean IoU")}, tr("validation"), dots=True)
    named = {name: name.removeprefix("iou ") for name in log[0] if name.startswith("iou ")}
    _plot(classes, log, named, tr("validation IoU of each class"), dots=True)
    for axes in (total, classes):
        axes.set_ylim(0, 1)
    return figure


def _plot(axes: Axes, rows: Log, columns: Mapping[str, str], title: str, dots: bool = False) -> None:
    """Plot columns of the log against the step; empty values are skipped."""
    drawn = False
    for column, name in columns.items():
        points = [(int(row["step"]), float(row[column])) for row in rows if row.get(column)]
        if points:
            axes.plot(
                *zip(*points), label=literal(name), color=_COLOURS.get(column), marker="o" if dots else None, ms=3
            )
            drawn = True
    axes.set(title=title, xlabel=tr("step"), xlim=(0, int(rows[-1]["step"]) * 1.02))
    axes.grid(alpha=0.3)
    if dots and drawn:
        axes.legend(loc="best", fontsize="small")
    elif not drawn:
        axes.text(0.5, 0.5, tr("no validation"), ha="center", transform=axes.transAxes, color="grey")
