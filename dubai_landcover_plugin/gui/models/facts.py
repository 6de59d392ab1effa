"""What the dialog shows of a model: a table of facts, and its card."""

from __future__ import annotations

import textwrap
from html import escape
from typing import Any

from dubai_landcover_plugin.protocol.classes import coloured
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import direction, isolated, joined, tr
from dubai_landcover_plugin.runner.model_library import InstalledModel
from dubai_landcover_plugin.runner.settings import colours

_LONGEST = 2000
"""Letters of a text that a model file states."""
ORIGINS = {
    "shipped": "comes with the plugin",
    "own": "yours",
    "shared": "provided by an administrator, read-only",
}


def facts_html(model: InstalledModel) -> str:
    """Return size, classes, bands, figures and licence of a model as an HTML table."""
    rows = [(tr("File"), escape(isolated(str(model.path)))), (tr("Origin"), escape(tr(ORIGINS[model.origin])))]
    if model.metadata is None:
        rows.append((tr("Problem"), _stated(model.problem)))
    else:
        rows += _rows(model.metadata)
    try:
        rows.append((tr("Size"), tr("{size:.1f} MB", size=model.path.stat().st_size / 1e6)))
    except OSError:
        rows.append((tr("Size"), "–"))
    title = _stated(model.metadata.title) if model.metadata else ""
    cells = "".join(f"<tr><td><b>{name}</b>&nbsp;&nbsp;</td><td>{value}</td></tr>" for name, value in rows)
    name, way = escape(model.name), f'dir="{direction()}"'
    return f"<h3 {way}>{name}</h3><p {way}>{title}</p><table {way}>{cells}</table>"


def _rows(metadata: BundleMetadata) -> list[tuple[str, str]]:
    metrics = metadata.metrics
    rows = [
        (tr("Classes"), _classes(metadata)),
        (tr("Bands"), _stated(joined(metadata.bands))),
        (tr("Pixels"), tr("about {gsd:g} m, windows of {window} px", gsd=metadata.gsd, window=metadata.window)),
        (
            tr("Network"),
            tr("{name}, {count:,} weights", name=escape(metadata.spec.architecture), count=metadata.parameters),
        ),
        (tr("Licence"), _stated(metadata.licence)),
        (tr("Training data"), _stated(metadata.dataset)),
        (tr("Held-out images"), _stated(str(metrics.get("split") or ""))),
        (tr("Accuracy"), _figure(metrics.get("accuracy"))),
        (tr("Mean IoU"), _figure(metrics.get("miou"))),
    ]
    by_class = metrics.get("classes")
    if isinstance(by_class, dict):
        figures = [
            isolated(f"{escape(str(name))} {_figure(entry.get('iou'))}")
            for name, entry in by_class.items()
            if isinstance(entry, dict)
        ]
        rows.append((tr("IoU by class"), joined(figures)))
    start = metadata.training.get("started_from")
    if start:
        rows.append((tr("Started from"), _stated(str(start))))
    return rows


def _classes(metadata: BundleMetadata) -> str:
    shown = coloured(metadata.scheme, colours())
    return joined(
        isolated(f'<span style="color:{entry.colour}">■</span>&nbsp;{escape(entry.name)}') for entry in shown.classes
    )


def _stated(text: str) -> str:
    """Return a text that a model file states as HTML, shortened if it is very long; a dash for none."""
    shown = escape(textwrap.shorten(text, _LONGEST, placeholder=" …"))
    return isolated(shown) if shown else "–"


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) and not isinstance(value, bool) else "–"
