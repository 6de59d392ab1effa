"""What the dialog shows of a model: a table of facts, and its card."""

from __future__ import annotations

from html import escape
from typing import Any

from dubai_landcover_plugin.protocol.classes import coloured
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.translation import direction, isolated, tr
from dubai_landcover_plugin.runner.model_library import InstalledModel
from dubai_landcover_plugin.runner.settings import colours

ORIGINS = {
    "shipped": "comes with the plugin",
    "own": "yours",
    "shared": "provided by an administrator, read-only",
}


def facts_html(model: InstalledModel) -> str:
    """Return size, classes, bands, figures and licence of a model as an HTML table."""
    rows = [(tr("File"), escape(isolated(str(model.path)))), (tr("Origin"), escape(tr(ORIGINS[model.origin])))]
    if model.metadata is None:
        rows.append((tr("Problem"), escape(model.problem)))
    else:
        rows += _rows(model.metadata)
    try:
        rows.append((tr("Size"), isolated(f"{model.path.stat().st_size / 1e6:.1f} MB")))
    except OSError:
        rows.append((tr("Size"), "–"))
    title = escape(model.metadata.title if model.metadata else model.name)
    cells = "".join(f"<tr><td><b>{name}</b>&nbsp;&nbsp;</td><td>{value}</td></tr>" for name, value in rows)
    return f'<h3>{escape(model.name)}</h3><p>{title}</p><table dir="{direction()}">{cells}</table>'


def _rows(metadata: BundleMetadata) -> list[tuple[str, str]]:
    metrics = metadata.metrics
    rows = [
        (tr("Classes"), _classes(metadata)),
        (tr("Bands"), escape(", ".join(metadata.bands))),
        (tr("Pixels"), tr("about {gsd:g} m, windows of {window} px", gsd=metadata.gsd, window=metadata.window)),
        (
            tr("Network"),
            tr("{name}, {count} weights", name=escape(metadata.spec.architecture), count=f"{metadata.parameters:,}"),
        ),
        (tr("Licence"), escape(metadata.licence)),
        (tr("Training data"), escape(metadata.dataset[:400] or "–")),
        (tr("Held-out images"), escape(str(metrics.get("split") or "–")[:400])),
        (tr("Accuracy"), _figure(metrics.get("accuracy"))),
        (tr("Mean IoU"), _figure(metrics.get("miou"))),
    ]
    by_class = metrics.get("classes")
    if isinstance(by_class, dict):
        figures = [
            f"{escape(str(name))} {_figure(entry.get('iou'))}"
            for name, entry in by_class.items()
            if isinstance(entry, dict)
        ]
        rows.append((tr("IoU by class"), ", ".join(figures)))
    start = metadata.training.get("started_from")
    if start:
        rows.append((tr("Started from"), escape(str(start))))
    return rows


def _classes(metadata: BundleMetadata) -> str:
    shown = coloured(metadata.scheme, colours())
    return ", ".join(
        isolated(f'<span style="color:{entry.colour}">■</span>&nbsp;{escape(entry.name)}') for entry in shown.classes
    )


def _figure(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, (int, float)) and not isinstance(value, bool) else "–"
