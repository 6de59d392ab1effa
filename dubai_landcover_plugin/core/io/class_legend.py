"""Reads names and colours of raster values: GDAL's sidecars (``.aux.xml``), virtual rasters and QGIS styles (QML)."""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from xml.etree import ElementTree  # entities are refused before parsing  # nosec B405

from dubai_landcover_plugin.protocol.classes import DUBAI, NODATA_ID, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import tr

_UNLABELED = {"unlabeled", "unlabelled"}
_GOLDEN = 0.618  # golden ratio: spreads hues evenly, for any number of them
_MIN, _MIN_MAX, _NAME = "3", "5", "2"  # GDALRATFieldUsage: the value, and its name
_RED_GREEN_BLUE = ("6", "7", "8")
_VALUE_NAMES = {"value", "id", "class_id"}
_CLASS_NAMES = {"class", "class_name", "class_names", "classname", "name", "label"}


@dataclass(frozen=True)
class Named:
    """A value of a raster with its name.

    Args:
        value: The value.
        name: Its name.
        colour: ``#RRGGBB``; empty where it is not known.
    """

    value: int
    name: str
    colour: str = ""


def legend_scheme(legend: Iterable[Named], colours: Mapping[int, str] | None = None) -> ClassScheme:
    """Return the classes of a legend; values without a name and nodata (0) are left out.

    Args:
        legend: Values with names.
        colours: ``#RRGGBB`` by value, for those without a colour; further ones get a colour from their value.

    Raises:
        ClassSchemeError: if there is no name, two are equal, or a value is not a class id.
    """
    listed = sorted((entry for entry in legend if entry.name.strip() and entry.value != NODATA_ID), key=_value)
    classes = [_class(entry, colours or {}) for entry in listed]
    marked = next((entry for entry in classes if entry.name.casefold() in _UNLABELED), None)
    ids = {entry.id for entry in classes}
    unlabeled = marked or replace(DUBAI.unlabeled, id=max(set(range(1, 255)) - ids, default=255))
    return ClassScheme(tuple(entry for entry in classes if entry is not marked), unlabeled)


def gdal_legend(text: str) -> list[Named]:
    """Return the legend of the first band in a sidecar or a virtual raster: its attribute table, else category names.

    Empty where neither has names.

    Raises:
        ClassSchemeError: if the text is not XML.

    Source:
        https://gdal.org/en/stable/user/raster_data_model.html
    """
    root = _parse(text)
    bands = [*root.iter("PAMRasterBand"), *root.iter("VRTRasterBand")]
    band = next((band for band in bands if band.get("band", "1") == "1"), None)
    if band is None:
        return []
    table = band.find("GDALRasterAttributeTable")
    listed = [] if table is None else _table_rows(table)
    if not any(entry.name for entry in listed):
        names = [entry.text or "" for entry in band.iterfind("CategoryNames/Category")]
        listed = [Named(value, name.strip()) for value, name in enumerate(names)]
    return listed if any(entry.name and entry.value != NODATA_ID for entry in listed) else []


def qml_legend(text: str) -> list[Named]:
    """Return the legend of a QGIS style: entries of a paletted raster, or categories of polygons.

    Empty where the style has neither.

    Raises:
        ClassSchemeError: if the text is not XML.
    """
    root = _parse(text)
    entries = [(entry, entry.get("label"), entry.get("color")) for entry in root.iter("paletteEntry")]
    if not entries:
        symbols = {symbol.get("name"): symbol for symbol in root.iter("symbol")}
        entries = [
            (entry, entry.get("label"), _fill(symbols.get(entry.get("symbol")))) for entry in root.iter("category")
        ]
    numbered = [(_whole(entry.get("value")), name or "", colour or "") for entry, name, colour in entries]
    return [Named(value, name.strip(), _hex(colour)) for value, name, colour in numbered if value is not None]


def _parse(text: str) -> ElementTree.Element:
    if "<!ENTITY" in text:  # entities can expand without bound
        raise ClassSchemeError(
            tr("The legend declares XML entities, which are refused."), tr("Remove them from the file.")
        )
    try:
        return ElementTree.fromstring(text)  # noqa: S314  # nosec B314
    except (ElementTree.ParseError, ValueError) as error:
        raise ClassSchemeError(
            tr("The legend is not valid XML: {error}.", error=error), tr("Correct the file.")
        ) from error


def _table_rows(table: ElementTree.Element) -> list[Named]:
    """Return the rows of an attribute table that have a whole number as value."""
    fields = [
        (field.findtext("Usage") or "", (field.findtext("Name") or "").strip().casefold(), field.findtext("Type") or "")
        for field in table.iterfind("FieldDefn")
    ]

    def column(suits: Callable[[str, str, str], bool]) -> int | None:
        return next((index for index, field in enumerate(fields) if suits(*field)), None)

    value = column(lambda usage, name, kind: usage in (_MIN, _MIN_MAX))
    value = column(lambda usage, name, kind: name in _VALUE_NAMES) if value is None else value
    label = column(lambda usage, name, kind: usage == _NAME)
    label = column(lambda usage, name, kind: kind == "2" and name in _CLASS_NAMES) if label is None else label
    rgb = [column(lambda usage, name, kind, part=part: usage == part) for part in _RED_GREEN_BLUE]  # type: ignore[misc]
    if label is None:
        return []
    listed = []
    for number, row in enumerate(table.iterfind("Row")):
        cells = [(cell.text or "").strip() for cell in row.iterfind("F")] + [""] * len(fields)
        found = number if value is None else _whole(cells[value])
        if found is not None:
            listed.append(Named(found, cells[label], _hex(",".join(cells[i] for i in rgb if i is not None))))
    return listed


def _fill(symbol: ElementTree.Element | None) -> str:
    """Return the colour of a symbol's first layer, ``red,green,blue,alpha``; empty without one."""
    for option in () if symbol is None else (*symbol.iter("Option"), *symbol.iter("prop")):
        if option.get("name", option.get("k")) == "color":
            return option.get("value", option.get("v")) or ""
    return ""


def _hex(colour: str) -> str:
    """Return ``#RRGGBB`` for ``#rrggbb`` or ``red,green,blue…``; empty for another text."""
    if colour.startswith("#"):
        return colour[:7].upper() if len(colour) >= 7 else ""
    parts = [_whole(part) for part in colour.split(",")[:3]]
    if len(parts) != 3 or any(part is None or not 0 <= part <= 255 for part in parts):
        return ""
    return "#" + "".join(f"{part:02X}" for part in parts)


def _whole(text: str | None) -> int | None:
    try:
        number = float(text or "")
        return int(number) if number.is_integer() else None
    except (ValueError, OverflowError):
        return None


def _value(entry: Named) -> int:
    return entry.value


def _class(entry: Named, colours: Mapping[int, str]) -> LandCoverClass:
    colour = entry.colour or colours.get(entry.value) or generated_colour(entry.value)
    return LandCoverClass(entry.value, entry.name.strip(), colour)


def generated_colour(value: int, taken: Container[str] = ()) -> str:
    """Return a colour for a class id, ``#RRGGBB``, that is not among those taken; equal for equal arguments.

    Hues are multiples of the golden ratio, so that those of neighbouring ids are far apart.
    """
    while True:
        red, green, blue = colorsys.hsv_to_rgb(value * _GOLDEN % 1, 0.55, 0.85)
        colour = f"#{round(255 * red):02X}{round(255 * green):02X}{round(255 * blue):02X}"
        if colour not in taken:
            return colour
        value += 1
