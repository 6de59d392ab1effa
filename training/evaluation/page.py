"""The HTML page of an evaluation: view models of ``evaluation.html.j2``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.images import chart, jpeg_uri
from dubai_landcover_plugin.core.html.numbers import MISSING, thousands
from dubai_landcover_plugin.core.html.table import Cell, Column, Named, Shaded, Table, columns
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured
from dubai_landcover_plugin.protocol.translation import tr

from ..monitoring.curves import Log, curves_figure
from ..monitoring.pictures import PANELS
from .figures import Evaluation
from .text import CLASS_FIGURES, HEADLINE, facts, interval_note, intervals_of, number, with_interval

_CLASS_HEADS = {
    "iou": "IoU",
    "precision": "Precision\n(user's accuracy)",
    "recall": "Recall\n(producer's accuracy)",
    "f1": "F1",
    "boundary_iou": "Boundary IoU",
}
MOST_PICTURES = 80
STRIP_WIDTH = 1200  # px of four panels side by side

_TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def page(evaluation: Evaluation, value: Mapping[str, Any], log: Log, pictures: Mapping[str, Image.Image]) -> str:
    """Return a self-contained page.

    Args:
        evaluation: The evaluation.
        value: Its :meth:`.Evaluation.to_json`.
        log: Log of the training run, for the curves; may be empty.
        pictures: Strips of four panels by image name; may be empty.
    """
    excess, scheme = value["excess_confidence"], coloured(evaluation.scheme)
    return render(
        "evaluation.html.j2",
        _TEMPLATES,
        title=tr("Evaluation of {names}", names=", ".join(model["name"] for model in value["models"])),
        split=evaluation.split,
        facts=facts(value),
        warnings=evaluation.warnings,
        headline=_headline(value),
        interval_note=interval_note(value),
        classes=_classes(value, scheme),
        confusion=_confusion(value, scheme),
        diagram=chart(reliability_diagram(value["reliability"]), tr("Reliability diagram: accuracy by confidence")),
        ece=number(value["ece"]),
        temperatures=", ".join(dict.fromkeys(f"{model['temperature']:.4g}" for model in value["models"])),
        tendency=_tendency(excess),
        reliability=_reliability(value),
        curves=chart(curves_figure(log), tr("Curves of the training")) if log else None,
        panels=[tr(name) for name in PANELS],
        pictures=_pictures(value, pictures),
        images=_images(value),
    )


def _tendency(excess: float | None) -> str:
    """Return how the mean confidence differs from the accuracy, as a sentence; empty if it is not known."""
    if excess is None:
        return ""
    if excess > 0:
        return tr("On average the confidence is {difference:.3f} more than the accuracy.", difference=excess)
    return tr("On average the confidence is {difference:.3f} less than the accuracy.", difference=-excess)


def _headline(value: Mapping[str, Any]) -> Table:
    intervals = intervals_of(value)
    if not intervals:
        plain = tuple((tr(name), number(value[key])) for key, name in HEADLINE.items())
        return Table(columns((tr("Metric"), tr("Value"))), plain, classes="narrow", row_heads=True)
    rows = tuple((tr(name), number(value[key]), _between(intervals.get(key))) for key, name in HEADLINE.items())
    heads = tr("Metric"), tr("Value"), tr("95 % interval")
    return Table(columns(heads), rows, classes="narrow", row_heads=True)


def _classes(value: Mapping[str, Any], scheme: ClassScheme) -> Table:
    rows: list[Sequence[Cell]] = []
    for (name, figures), entry in zip(value["classes"].items(), scheme.classes, strict=True):
        intervals = intervals_of(value).get("classes", {}).get(name, {})
        cells = (with_interval(figures[figure], intervals.get(figure)) for figure in CLASS_FIGURES)
        rows.append((Named(name, entry.colour), *cells))
    return Table(columns((tr("Class"), *(tr(_CLASS_HEADS[key]) for key in CLASS_FIGURES))), tuple(rows), row_heads=True)


def _confusion(value: Mapping[str, Any], scheme: ClassScheme) -> Table:
    counts = value["confusion"]
    total = max(sum(map(sum, counts)), 1)
    rows: list[Sequence[Cell]] = []
    for index, entry in enumerate(scheme.classes):
        labelled = sum(counts[index])
        cells = (_cell(count, labelled, correct=column == index) for column, count in enumerate(counts[index]))
        rows.append((Named(entry.name, entry.colour), *cells, f"{100 * labelled / total:.1f}"))
    return Table(
        (Column(""), *columns([entry.name for entry in scheme.classes], text=0), Column(tr("share"), number=True)),
        tuple(rows),
        caption=tr(
            "Distribution of the pixels of each labelled class (row) over the predicted classes (columns), percent of "
            "the row; blue is correct, orange wrong."
        ),
        classes="matrix narrow",
        row_heads=True,
    )


def _cell(count: int, labelled: int, correct: bool) -> Cell:
    if not labelled:
        return MISSING
    share = count / labelled
    rgb = "31,111,180" if correct else "214,110,20"
    opacity = 0.75 * share if correct else min(1.5 * share, 0.75)
    ink = "#fff" if opacity > 0.5 else "#222"
    return Shaded(f"{100 * share:.1f}", f"rgba({rgb},{opacity:.2f})", ink, f"{thousands(count)} px")


def _reliability(value: Mapping[str, Any]) -> Table:
    rows = tuple(
        (
            f"{row['low']:.2f}–{row['high']:.2f}",
            thousands(row["pixels"]),
            number(row["confidence"]),
            number(row["accuracy"]),
        )
        for row in value["reliability"]
        if row["pixels"]
    )
    heads = tr("Confidence"), tr("Pixels"), tr("Mean confidence"), tr("Accuracy")
    return Table(columns(heads, text=0), rows)


def reliability_diagram(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return a chart of the rows of :meth:`.Reliability.table`."""
    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    total = sum(row["pixels"] for row in rows)
    for row in rows:
        if row["pixels"]:
            middle, width = (row["low"] + row["high"]) / 2, row["high"] - row["low"]
            shade = 0.25 + 0.75 * (row["pixels"] / total) ** 0.5
            axes.bar(middle, row["accuracy"], 0.94 * width, color="#1f6fb4", alpha=shade)
            axes.hlines(row["confidence"], middle - 0.47 * width, middle + 0.47 * width, colors="#c4521b", lw=2)
    axes.plot((0, 1), (0, 1), color="#444", lw=1, ls="--")
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=tr("confidence"), ylabel=tr("accuracy"), aspect="equal")
    axes.grid(alpha=0.3)
    return figure


def _pictures(value: Mapping[str, Any], pictures: Mapping[str, Image.Image]) -> list[tuple[str, str]]:
    """Return captions and data URIs of the images, lowest accuracy first."""
    worst = sorted(value["images"], key=lambda image: image["accuracy"] or 0)
    shown = [image for image in worst if image["name"] in pictures][:MOST_PICTURES]
    return [
        (
            tr(
                "{name}: accuracy {accuracy}, mean IoU {miou}",
                name=image["name"],
                accuracy=number(image["accuracy"]),
                miou=number(image["miou"]),
            ),
            jpeg_uri(pictures[image["name"]]),
        )
        for image in shown
    ]


def _images(value: Mapping[str, Any]) -> Table:
    rows = tuple(
        (image["name"], image["place"], thousands(image["pixels"]), number(image["accuracy"]), number(image["miou"]))
        for image in value["images"]
    )
    heads = tr("Image"), tr("Place"), tr("Labelled pixels"), tr("Accuracy"), tr("Mean IoU")
    return Table(columns(heads, text=2), rows, row_heads=True)


def _between(interval: Sequence[float | None] | None) -> str:
    return f"{number(interval[0])} – {number(interval[1])}" if interval else MISSING
