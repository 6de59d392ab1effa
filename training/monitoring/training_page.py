"""The page of a training: its comparison with the start, figures of the classes, curves and pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.images import chart, jpeg_uri
from dubai_landcover_plugin.core.html.table import Cell, Named, Table, columns
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured
from dubai_landcover_plugin.protocol.translation import tr

from ..config import TrainingConfig
from .curves import curves_figure, read_log
from .logs import LOG

_TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
_PICTURE = 1400  # px, width of a picture on the page


def training_page(
    folder: Path,
    config: TrainingConfig,
    scheme: ClassScheme,
    texts: Mapping[str, str],
    facts: Sequence[str],
    curve: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return a self-contained HTML page.

    Args:
        folder: Folder of the run, with log, validation and pictures.
        config: Configuration of the run.
        scheme: Its classes.
        texts: ``title``, ``data``, ``verdict``, ``split`` and ``curve``, a sentence on the learning curve.
        facts: Short facts, such as the number of steps.
        curve: Share, images and mean IoU of each training of the learning curve.
    """
    rows = read_log(folder / LOG) if (folder / LOG).is_file() else []
    listed = Table(
        columns((tr("Labelled images"), tr("Mean IoU")), text=0),
        tuple((str(point["images"]), _figure(point["miou"])) for point in curve),
        classes="narrow",
    )
    return render(
        "training.html.j2",
        _TEMPLATES,
        title=texts["title"],
        data=texts["data"],
        verdict=texts["verdict"],
        split=texts["split"],
        facts=[
            *facts,
            tr("{count} chips of {size} px in a step", count=config.chips.batch, size=config.chips.size),
        ],
        classes=_classes(folder, rows, coloured(scheme)),
        curve=listed if curve else None,
        curve_text=texts["curve"],
        curves=chart(curves_figure(rows), tr("Loss, rate and validation")) if rows else None,
        pictures=_pictures(folder),
    )


def _classes(folder: Path, rows: Sequence[Mapping[str, str]], scheme: ClassScheme) -> Table:
    """Return the IoU of each class on the held-out labels: of the first validation, and of the model that was kept."""
    path = folder / "validation.json"
    kept = json.loads(path.read_text(encoding="utf-8"))["classes"] if path.is_file() else {}
    first = next((row for row in rows if row.get("miou")), {})
    found: list[Sequence[Cell]] = []
    for entry in scheme.classes:
        before = first.get(f"iou {entry.name}") or ""
        after = kept.get(entry.name, {}).get("iou")
        found.append((Named(entry.name, entry.colour), _figure(float(before) if before else None), _figure(after)))
    heads = (tr("Class"), tr("IoU at step {step}", step=first.get("step", "–")), tr("IoU of the model"))
    return Table(columns(heads), tuple(found), classes="narrow", row_heads=True)


def _pictures(folder: Path) -> list[tuple[str, str]]:
    """Return captions and data URIs of the first and the last picture."""
    paths = sorted((folder / "pictures").glob("step_*.png"))
    found = []
    for path in dict.fromkeys((*paths[:1], *paths[-1:])):
        with Image.open(path) as image:
            picture = image.convert("RGB")
        picture.thumbnail((_PICTURE, 10 * _PICTURE))
        step = int(path.stem.rpartition("_")[2])
        found.append((tr("Image, labels, prediction and disagreement, step {step}", step=step), jpeg_uri(picture)))
    return found


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
