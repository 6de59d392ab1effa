"""QGIS styles (QML): those of classes and changes are generated, the others are files in ``resources/styles``."""

from __future__ import annotations

import html
import re
from binascii import crc32
from collections.abc import Sequence
from pathlib import Path

from dubai_landcover_plugin.core.io.attribute_table import LegendEntry
from dubai_landcover_plugin.core.io.outputs import outputs_of, vector_files
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.resources import resource
from dubai_landcover_plugin.protocol.translation import marked, tr

_FILL_ALPHA = 140
_LABELS = (
    marked("Mostly right angles"),
    marked("Other directions, or given outline"),
    marked("Junction"),
    marked("End"),
    marked("Ring"),
)  # of the shipped styles
_PALETTE = "   <colorPalette>"
_PALETTE_ENTRY = '    <paletteEntry value="{}" color="#{:02x}{:02x}{:02x}" alpha="255" label="{}"/>'
_DARKER = 160  # percent, of outlines compared with fills, as QColor.darker counts
_MARK = "<!-- generated, checksum {:08x} -->\n"
_MARKED = re.compile(r"(.*)<!-- generated, checksum ([0-9a-f]{8}) -->\s*", re.DOTALL)
_EARLIER = re.compile(r'<!DOCTYPE[^>]*>\s*<qgis\b[^>]* version="3\.22(\.0)?"')
"""Beginning of styles of earlier versions, which have no mark; QGIS's own versions have a name: 3.22.0-Białowieża."""


def shipped_style(name: str) -> str:
    """Return a QML document that is shipped: ``buildings``, ``roads``, ``road_nodes`` or ``raster_categories``.

    Its labels are in the language in use.
    """
    qml = Path(resource(f"styles/{name}.qml")).read_text(encoding="utf-8")
    for label in _LABELS:
        qml = qml.replace(f'label="{label}"', f'label="{html.escape(tr(label))}"')
    return qml


def class_style(scheme: ClassScheme) -> str:
    """Return a QML document that draws polygons in the colours of their classes, half transparent."""
    return category_style("class_id", [(entry.id, entry.name, entry.rgb) for entry in scheme.entries])


def raster_style(entries: Sequence[LegendEntry]) -> str:
    """Return a QML document that draws a raster of codes in the colours and names of its values, and of no others.

    QGIS 3.22 lists all 256 entries of a palette otherwise.
    """
    # Nearly every run writes one: without Jinja2, which takes 60 ms to import.
    lines = [_PALETTE_ENTRY.format(entry.id, *entry.rgb, html.escape(entry.name)) for entry in entries]
    return shipped_style("raster_categories").replace(_PALETTE, "\n".join([_PALETTE, *lines]))


def raster_style_beside(request: Request, entries: Sequence[LegendEntry]) -> str:
    """Return the style to write beside the raster of a request, empty where a vector file needs its name."""
    name = Path(vars(request)["output"]).with_suffix(".qml")
    taken = any(name in vector_files(path) for path in outputs_of(request).vectors)
    return "" if taken else raster_style(entries)


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
    from dubai_landcover_plugin.core.html.environment import render  # most runs write only a raster

    return render("categories.qml.j2", field=field, categories=listed)


def with_mark(qml: str) -> str:
    """Return a style with a comment by which :func:`is_generated` knows it."""
    return qml.rstrip() + "\n" + _MARK.format(_checksum(qml))


def is_generated(qml: str) -> bool:
    """Return whether a style is as this package wrote it; QGIS drops the comment when a user saves a style."""
    if found := _MARKED.fullmatch(qml):
        return int(found[2], 16) == _checksum(found[1])
    return _EARLIER.match(qml) is not None


def is_raster_style(qml: str) -> bool:
    """Return whether a style is for a raster, as this package wrote it."""
    return "<rasterrenderer" in qml and is_generated(qml)


def is_user_style(path: Path) -> bool:
    """Return whether a file has a style that a user saved or edited; an empty one has none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return bool(text.strip()) and not is_generated(text)


def _checksum(qml: str) -> int:
    return crc32("".join(qml.split()).encode())  # line ends may be changed in transfer
