"""An evaluation as one HTML page that needs nothing else: tables, charts, pictures."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from dubai_landcover_plugin.core.classes import ClassScheme
from dubai_landcover_plugin.core.report import STYLE
from training.errors import DatasetError
from training.evaluation.figures import Evaluation
from training.evaluation.text import CLASS_FIGURES, HEADLINE, facts, number, with_interval
from training.monitoring.charts import Points, line_chart, reliability_diagram
from training.monitoring.pictures import PANELS

MOST_PICTURES = 80
STRIP_WIDTH = 1200  # px of four panels side by side

_STYLE = (
    STYLE
    + """
body { max-width: 76rem; } .wide { overflow-x: auto; } figure { margin: 1.2rem 0; }
img, svg { max-width: 100%; height: auto; }
figcaption { font-size: 13px; color: #555; } .charts { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: end; }
.words { flex: 1 1 20rem; align-self: start; }
table.narrow { width: auto; } .matrix td { text-align: right; font-variant-numeric: tabular-nums; min-width: 5.5rem; }
caption { text-align: left; color: #555; font-size: 13px; padding-bottom: .3rem; }
.heads { display: grid; grid-template-columns: repeat(4, 1fr); font-size: 13px; color: #555; max-width: 1200px; }
"""
)


Log = Sequence[Mapping[str, str]]


def read_log(path: str | Path) -> Log:
    """Return the rows of the ``log.csv`` of a training run.

    Raises:
        DatasetError: if it cannot be read or is something else.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            float(row["step"])
        return rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is no log of a training run: {type(error).__name__}: {error}.", "Give the run's log.csv."
        ) from error


def page(evaluation: Evaluation, value: Mapping[str, Any], log: Log, pictures: Mapping[str, Image.Image]) -> str:
    """Return the page.

    Args:
        evaluation: What was measured.
        value: Its :meth:`~training.evaluation.figures.Evaluation.to_json`.
        log: Of the training run, for the curves; may be empty.
        pictures: Strips of four panels by image name; may be empty.
    """
    names = ", ".join(model["name"] for model in value["models"])
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in evaluation.warnings)
    curves = f"<h2>Training</h2>\n{_curves(log)}\n" if log else ""
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
    rows = "".join(
        f'<tr><th scope="row">{escape(told)}</th><td class="number">{number(value[key])}</td>'
        f'<td class="number">{_between(value["intervals"].get(key))}</td></tr>'
        for key, told in HEADLINE.items()
    )
    return (
        '<table class="narrow"><tr><th scope="col">Figure</th><th scope="col" class="number">Value</th>'
        f'<th scope="col" class="number">95 % interval</th></tr>{rows}</table>'
        '<p class="small">Intervals by drawing images with replacement. Images of one place are alike: a new place can '
        "lie outside.</p>"
    )


def _classes(value: Mapping[str, Any], scheme: ClassScheme) -> str:
    heads = "".join(f'<th scope="col" class="number">{escape(told)}</th>' for told in CLASS_FIGURES.values())
    rows = []
    for entry in scheme.classes:
        figures = value["classes"][entry.name]
        intervals = value["intervals"].get("classes", {}).get(entry.name, {})
        cells = "".join(
            f'<td class="number">{with_interval(figures[key], intervals.get(key))}</td>' for key in CLASS_FIGURES
        )
        rows.append(f'<tr><th scope="row">{_key(entry.colour)}{escape(entry.name)}</th>{cells}</tr>')
    return f'<div class="wide"><table><tr><th scope="col">Class</th>{heads}</tr>{"".join(rows)}</table></div>'


def _confusion(value: Mapping[str, Any], scheme: ClassScheme) -> str:
    counts = value["confusion"]
    heads = "".join(f'<th scope="col" class="number">{escape(entry.name)}</th>' for entry in scheme.classes)
    total = max(sum(map(sum, counts)), 1)
    rows = []
    for index, entry in enumerate(scheme.classes):
        labelled = sum(counts[index])
        cells = "".join(_cell(count, labelled, right=column == index) for column, count in enumerate(counts[index]))
        head = f'<th scope="row">{_key(entry.colour)}{escape(entry.name)}</th>'
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
    table = value["reliability"]
    ece, excess = number(value["ece"]), value["excess_confidence"]
    direction = "more" if (excess or 0) > 0 else "less"
    shown = f"{abs(excess):.3f} {direction}" if excess is not None else "–"
    temperatures = ", ".join(dict.fromkeys(f"{model['temperature']:.4g}" for model in value["models"]))
    rows = "".join(
        f'<tr><td class="number">{row["low"]:.2f}–{row["high"]:.2f}</td><td class="number">{row["pixels"]:,}</td>'
        f'<td class="number">{number(row["confidence"])}</td><td class="number">{number(row["accuracy"])}</td></tr>'
        for row in table
        if row["pixels"]
    )
    diagram = reliability_diagram(table, f"Reliability diagram: accuracy by confidence, calibration error {ece}")
    return (
        f'<div class="charts"><div>{diagram}</div><div class="words"><p>Expected calibration error {ece} with '
        f"temperature {temperatures}; on average the confidence is {shown} than the accuracy.</p>"
        '<p class="small">Bars: share of right pixels among those of a confidence; the darker, the more pixels. '
        "Orange: the confidence itself. On the diagonal both are equal.</p>"
        '<details><summary>Table</summary><table><tr><th scope="col" class="number">Confidence</th>'
        '<th scope="col" class="number">Pixels</th><th scope="col" class="number">Mean confidence</th>'
        f'<th scope="col" class="number">Accuracy</th></tr>{rows}</table></details></div></div>'
    )


def _curves(rows: Log) -> str:
    charts = []
    for wanted, title, low in ((("loss",), "Loss", 0.0), (("accuracy", "miou"), "Validation", None)):
        series: dict[str, Points] = {}
        for name in wanted:
            points = [(float(row["step"]), float(row[name])) for row in rows if row.get(name)]
            if points:
                series[{"miou": "mean IoU"}.get(name, name)] = points
        if series:
            charts.append(f"<div>{line_chart(series, f'{title} over the steps of training', 'step', low=low)}</div>")
    return f'<div class="charts">{"".join(charts)}</div>'


def _pictures(value: Mapping[str, Any], pictures: Mapping[str, Image.Image]) -> str:
    if not pictures:
        return ""
    heads = "".join(f"<span>{escape(panel)}</span>" for panel in PANELS)
    worst = sorted(value["images"], key=lambda image: image["accuracy"] or 0)
    shown = [image for image in worst if image["name"] in pictures][:MOST_PICTURES]
    figures = []
    for image in shown:
        stream = io.BytesIO()
        pictures[image["name"]].save(stream, "JPEG", quality=82)
        data = base64.b64encode(stream.getvalue()).decode()
        told = f"{image['name']}: accuracy {number(image['accuracy'])}, mean IoU {number(image['miou'])}"
        figures.append(
            f'<figure><figcaption>{escape(told)}</figcaption><img loading="lazy" alt="{escape(told)}; '
            f'{", ".join(PANELS)} side by side" src="data:image/jpeg;base64,{data}"></figure>'
        )
    return (
        f'<p class="small">The worst first. Disagreement: wrong pixels red, pixels without a label dark.</p>'
        f'<div class="heads">{heads}</div>{"".join(figures)}'
    )


def _images(value: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(image["name"])}</th><td class="number">{image["pixels"]:,}</td>'
        f'<td class="number">{number(image["accuracy"])}</td><td class="number">{number(image["miou"])}</td></tr>'
        for image in value["images"]
    )
    return (
        '<details><summary>All images</summary><table><tr><th scope="col">Image</th><th scope="col" class="number">'
        'Labelled pixels</th><th scope="col" class="number">Accuracy</th><th scope="col" class="number">Mean IoU</th>'
        f"</tr>{rows}</table></details>"
    )


def _between(interval: Sequence[float | None] | None) -> str:
    return f"{number(interval[0])} to {number(interval[1])}" if interval else "–"


def _key(colour: str) -> str:
    return f'<span class="key" style="background:{colour}"></span>'
