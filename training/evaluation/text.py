"""Evaluations as Markdown, and texts shared by all reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import english, marked, tr

from .scores import FEWEST_PLACES

HEADLINE = {
    "accuracy": marked("Pixel accuracy"),
    "miou": marked("Mean IoU"),
    "mean_precision": marked("Mean precision"),
    "mean_recall": marked("Mean recall"),
    "mean_f1": marked("Mean F1"),
    "boundary_iou": marked("Mean boundary IoU"),
    "ece": marked("Expected calibration error"),
}
CLASS_FIGURES = {
    "iou": "IoU",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "boundary_iou": "Boundary IoU",
}


def number(value: float | None) -> str:
    """Return a metric with three decimals, or a dash if it is undefined."""
    return "–" if value is None else f"{value:.3f}"


def with_interval(value: float | None, interval: Sequence[float | None] | None) -> str:
    """Return a metric with its interval, such as ``0.812 (0.790–0.834)``."""
    if not interval or value is None or None in interval:
        return number(value)
    return f"{number(value)} ({number(interval[0])}–{number(interval[1])})"


def intervals_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the intervals of an evaluation; none if it resampled images, as earlier versions did."""
    return (value.get("intervals") or {}) if value.get("places", 0) >= FEWEST_PLACES else {}


def interval_note(value: Mapping[str, Any]) -> str:
    """Return a sentence on the intervals of an evaluation, or on why there are none."""
    places = value["places"]
    if intervals_of(value):
        return tr("In brackets: 95 % intervals from a bootstrap over {count} places.", count=places)
    text = (
        tr("No intervals: the images are at one place; intervals take at least {least} places.", least=FEWEST_PLACES)
        if places == 1
        else tr(
            "No intervals: the images are at {count} places; intervals take at least {least} places.",
            count=places,
            least=FEWEST_PLACES,
        )
    )
    more = tr("At other places the metrics may differ by more than between images of one place.")
    return f"{text} {more}"


def bias_list(metadata: BundleMetadata) -> str:
    """Return the bias of each class of a model, such as ``Water +0.50, Land -0.25``."""
    pairs = zip(metadata.scheme.classes, metadata.class_bias, strict=True)
    return ", ".join(f"{entry.name} {bias:+.2f}" for entry, bias in pairs)


def facts(value: Mapping[str, Any]) -> list[str]:
    """Return architecture, images, data and settings of an evaluation as short texts."""
    settings = value["settings"]
    kinds = ", ".join(dict.fromkeys(model["architecture"] for model in value["models"]))
    megapixels = value["pixels"] / 1e6
    places = value.get("places")
    return [
        kinds,
        tr("{count} images", count=len(value["images"])),
        *([tr("{count} places", count=places) if places > 1 else tr("1 place")] if places else []),
        tr("{count:.1f} million labelled pixels", count=megapixels),
        value["data"],
        tr("with test-time augmentation") if settings["tta"] else tr("no test-time augmentation"),
        tr("boundary IoU within {distance} px", distance=settings["boundary_px"]),
        tr("{seconds:.0f} s", seconds=value["seconds"]),
    ]


def headline_table(value: Mapping[str, Any]) -> str:
    """Return the overall metrics of an evaluation with intervals as a Markdown table."""
    intervals = intervals_of(value)
    rows = "\n".join(
        f"| {label} | {with_interval(value[key], intervals.get(key))} |"
        for key, label in HEADLINE.items()
        if value.get(key) is not None
    )
    return f"| Metric | Value{' (95 % interval)' if intervals else ''} |\n|---|---|\n{rows}"


def class_table(value: Mapping[str, Any]) -> str:
    """Return the metrics of each class with intervals as a Markdown table."""
    intervals = intervals_of(value).get("classes") or {}
    known = [key for key in CLASS_FIGURES if any(key in figures for figures in value["classes"].values())]
    rows = "\n".join(
        f"| {name} | "
        + " | ".join(with_interval(figures.get(key), intervals.get(name, {}).get(key)) for key in known)
        + " |"
        for name, figures in value["classes"].items()
    )
    return f"| Class | {' | '.join(CLASS_FIGURES[key] for key in known)} |\n|{'---|' * (len(known) + 1)}\n{rows}"


def markdown(value: Mapping[str, Any]) -> str:
    """Return an evaluation as Markdown, in English as model cards are."""
    names = ", ".join(model["name"] for model in value["models"])
    with english():
        summary, note = "\n".join(f"- {fact}" for fact in facts(value)), interval_note(value)
    classes = list(value["classes"])
    return (
        f"# Evaluation of {names}\n\n{value['split']}\n\n{summary}\n\n"
        f"{headline_table(value)}\n\n{class_table(value)}\n\n"
        "Confusion matrix: labelled class (row) by predicted class (column), percent of the row:\n\n"
        f"| | {' | '.join(classes)} |\n|{'---|' * (len(classes) + 1)}\n{_rows(value['confusion'], classes)}\n\n"
        f"{note}\n"
    )


def _rows(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    lines = []
    for name, row in zip(names, counts, strict=True):
        labelled = sum(row)
        shares = " | ".join(f"{100 * count / labelled:.1f}" if labelled else "–" for count in row)
        lines.append(f"| {name} | {shares} |")
    return "\n".join(lines)


def precision_rows(measured: dict[str, Any]) -> list[str]:
    """Return accuracy and mean IoU in each precision as rows of a Markdown table."""
    rows = ["| Precision | Accuracy | Mean IoU | Pixels with the class of float32 |", "|---|---|---|---|"]
    return rows + [
        f"| {precision} | {row['accuracy']:.4f} | {row['miou']:.4f} | {100 * row['agreement']:.2f} % |"
        for precision, row in measured.items()
        if isinstance(row, dict)
    ]
