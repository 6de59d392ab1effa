"""An evaluation as one HTML page that needs nothing else: tables, charts, pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from dubai_landcover_plugin.core.html.page import STYLE, chart, key, picture, text_table
from dubai_landcover_plugin.protocol.classes import ClassScheme

from ..monitoring.curves import Log, curves_figure
from ..monitoring.pictures import PANELS
from .figures import Evaluation
from .text import CLASS_FIGURES, HEADLINE, facts, number, with_interval

MOST_PICTURES = 80
STRIP_WIDTH = 1200  # px of four panels side by side

_STYLE = (
    STYLE
    + """
body { max-width: 76rem; } .wide { overflow-x: auto; } figure { margin: 1.2rem 0; }
img, svg { max-width: 100%; height: auto; }
figcaption { font-size: 13px; color: #555; } .charts { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: end; }
.words { flex: 1 1 20rem; align-self: start; }
.narrow table, table.narrow { width: auto; }
.matrix td { text-align: right; font-variant-numeric: tabular-nums; min-width: 5.5rem; }
caption { text-align: left; color: #555; font-size: 13px; padding-bottom: .3rem; }
.heads { display: grid; grid-template-columns: repeat(4, 1fr); font-size: 13px; color: #555; max-width: 1200px; }
"""
)


def page(evaluation: Evaluation, value: Mapping[str, Any], log: Log, pictures: Mapping[str, Image.Image]) -> str:
    """Return the page.

    Args:
        evaluation: What was measured.
        value: Its :meth:`.Evaluation.to_json`.
        log: Of the training run, for the curves; may be empty.
        pictures: Strips of four panels by image name; may be empty.
    """
    names = ", ".join(model["name"] for model in value["models"])
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in evaluation.warnings)
    curves = f"<h2>Training</h2>\n{chart(curves_figure(log), 'Curves of the training')}\n" if log else ""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evaluation of {escape(names)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head><body><main>\n'
        f"<h1>Evaluation of {escape(names)}</h1>\n"
        f'<p>{escape(evaluation.split)}<br><span class="small">{escape(" · ".join(facts(value)))}</span></p>\n'
        f"{warnings}\n<h2>Figures</h2>\n{_headline(value)}\n<h2>Classes</h2>\n{_classes(value, evaluation.scheme)}\n"
        f"<h2>Confusion</h2>\n{_confusion(value, evaluation.scheme)}\n"
        f"<h2>Calibration</h2>\n{_calibration(value)}\n{curves}"
        f"<h2>Images</h2>\n{_pictures(value, pictures)}{_images(value)}\n</main></body></html>\n"
    )


def _headline(value: Mapping[str, Any]) -> str:
    rows = [(told, number(value[key]), _between(value["intervals"].get(key))) for key, told in HEADLINE.items()]
    return (
        f'<div class="narrow">{text_table(("Figure", "Value", "95 % interval"), rows)}</div>'
        '<p class="small">Intervals by drawing images with replacement. Images of one place are alike: a new place can '
        "lie outside.</p>"
    )


def _classes(value: Mapping[str, Any], scheme: ClassScheme) -> str:
    rows = []
    for name, figures in value["classes"].items():
        intervals = value["intervals"].get("classes", {}).get(name, {})
        rows.append((name, *(with_interval(figures[figure], intervals.get(figure)) for figure in CLASS_FIGURES)))
    told = text_table(("Class", *CLASS_FIGURES.values()), rows, keys=[entry.colour for entry in scheme.classes])
    return f'<div class="wide">{told}</div>'


def _confusion(value: Mapping[str, Any], scheme: ClassScheme) -> str:
    counts = value["confusion"]
    heads = "".join(f'<th scope="col" class="number">{escape(entry.name)}</th>' for entry in scheme.classes)
    total = max(sum(map(sum, counts)), 1)
    rows = []
    for index, entry in enumerate(scheme.classes):
        labelled = sum(counts[index])
        cells = "".join(_cell(count, labelled, right=column == index) for column, count in enumerate(counts[index]))
        head = f'<th scope="row">{key(entry.colour)}{escape(entry.name)}</th>'
        rows.append(f"<tr>{head}{cells}<td>{100 * labelled / total:.1f}</td></tr>")
    return (
        '<div class="wide"><table class="matrix narrow"><caption>Where the pixels of each labelled class (row) went '
        f'(column), percent of the row; blue is right, orange wrong.</caption><tr><td></td>{heads}<th scope="col" '
        f'class="number">share</th></tr>{"".join(rows)}</table></div>'
    )


def _cell(count: int, labelled: int, right: bool) -> str:
    if not labelled:
        return "<td>–</td>"
    share = count / labelled
    hue = "31,111,180" if right else "214,110,20"
    strength = 0.75 * share if right else min(1.5 * share, 0.75)
    ink = "#fff" if strength > 0.5 else "#222"
    return f'<td style="background:rgba({hue},{strength:.2f});color:{ink}" title="{count:,} px">{100 * share:.1f}</td>'


def _calibration(value: Mapping[str, Any]) -> str:
    ece, excess = number(value["ece"]), value["excess_confidence"]
    direction = "more" if (excess or 0) > 0 else "less"
    shown = f"{abs(excess):.3f} {direction}" if excess is not None else "–"
    temperatures = ", ".join(dict.fromkeys(f"{model['temperature']:.4g}" for model in value["models"]))
    rows = [
        (
            f"{row['low']:.2f}–{row['high']:.2f}",
            f"{row['pixels']:,}",
            number(row["confidence"]),
            number(row["accuracy"]),
        )
        for row in value["reliability"]
        if row["pixels"]
    ]
    told = text_table(("Confidence", "Pixels", "Mean confidence", "Accuracy"), rows, left=0)
    diagram = chart(reliability_diagram(value["reliability"]), "Reliability diagram: accuracy by confidence")
    return (
        f'<div class="charts"><div>{diagram}</div><div class="words"><p>Expected calibration error {ece} with '
        f"temperature {temperatures}; on average the confidence is {shown} than the accuracy.</p>"
        '<p class="small">Bars: share of right pixels among those of a confidence; the darker, the more pixels. '
        "Orange: the confidence itself. On the diagonal both are equal.</p>"
        f"<details><summary>Table</summary>{told}</details></div></div>"
    )


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
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", aspect="equal")
    axes.grid(alpha=0.3)
    return figure


def _pictures(value: Mapping[str, Any], pictures: Mapping[str, Image.Image]) -> str:
    if not pictures:
        return ""
    heads = "".join(f"<span>{escape(panel)}</span>" for panel in PANELS)
    worst = sorted(value["images"], key=lambda image: image["accuracy"] or 0)
    shown = [image for image in worst if image["name"] in pictures][:MOST_PICTURES]
    figures = []
    for image in shown:
        told = f"{image['name']}: accuracy {number(image['accuracy'])}, mean IoU {number(image['miou'])}"
        strip = picture(pictures[image["name"]], f"{told}; {', '.join(PANELS)} side by side")
        figures.append(f"<figure><figcaption>{escape(told)}</figcaption>{strip}</figure>")
    return (
        f'<p class="small">The worst first. Disagreement: wrong pixels red, pixels without a label dark.</p>'
        f'<div class="heads">{heads}</div>{"".join(figures)}'
    )


def _images(value: Mapping[str, Any]) -> str:
    rows = [
        (image["name"], f"{image['pixels']:,}", number(image["accuracy"]), number(image["miou"]))
        for image in value["images"]
    ]
    told = text_table(("Image", "Labelled pixels", "Accuracy", "Mean IoU"), rows)
    return f"<details><summary>All images</summary>{told}</details>"


def _between(interval: Sequence[float | None] | None) -> str:
    return f"{number(interval[0])} to {number(interval[1])}" if interval else "–"
