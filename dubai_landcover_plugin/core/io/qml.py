"""QGIS styles (QML): those of classes and changes are generated, the others are files in ``resources/styles``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.resources import resource

_FILL_ALPHA = 140
_DARKER = 160  # percent, of outlines compared with fills, as QColor.darker counts


def shipped_style(name: str) -> str:
    """Return a QML document that is shipped: ``buildings``, ``roads`` or ``road_nodes``."""
    return Path(resource(f"styles/{name}.qml")).read_text(encoding="utf-8")


def class_style(scheme: ClassScheme) -> str:
    """Return a QML document that draws polygons in the colours of their classes, half transparent."""
    return category_style("class_id", [(entry.id, entry.name, entry.rgb) for entry in scheme.entries])


def category_style(
    field: str, categories: Sequence[tuple[int, str, tuple[int, int, int]]], alpha: int = _FILL_ALPHA
) -> str:
    """Return a QML document that draws polygons in colours with darker outlines.

    Args:
        field: Attribute with the category.
        categories: Values of the attribute, with name and colour.
        alpha: Opacity of the fills, 0..255.
    """
    listed = [
        {
            "value": value,
            "name": name,
            "fill": (*rgb, alpha),
            "outline": (*(channel * 100 // _DARKER for channel in rgb), 255),
        }
        for value, name, rgb in categories
    ]
    return render("categories.qml.j2", field=field, categories=listed)
