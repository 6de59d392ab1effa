"""Class names, colours and pixel counts as GDAL reads them from the sidecar of a raster (``.aux.xml``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Protocol

from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme

LAND_COVER = "Land cover"
"""Name of the band of a classified raster."""

_FIELDS = (("Value", 0, 5), ("Class", 2, 2), ("Red", 0, 6), ("Green", 0, 7), ("Blue", 0, 8), ("Pixels", 1, 1))
"""Columns of the attribute table: name, GDAL's type (0 integer, 1 real, 2 text) and GDALRATFieldUsage."""

_MOST_CATEGORIES = 256  # category names are a list from 0 on; larger values are only in the attribute table


class LegendEntry(Protocol):
    """A value of a raster with its name and colour."""

    @property
    def id(self) -> int:
        """Value in the raster."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Its colour: red, green, blue, each 0..255."""


def legend_xml(scheme: ClassScheme, pixels: Mapping[int, int], crs: str = "") -> str:
    """Return the sidecar of a classified raster: category names and an attribute table of the classes.

    Args:
        scheme: The classes.
        pixels: Number of pixels by class id.
        crs: See :func:`entries_xml`.
    """
    return entries_xml(scheme.entries, pixels, crs, LAND_COVER)


def entries_xml(entries: Sequence[LegendEntry], pixels: Mapping[int, int], crs: str = "", description: str = "") -> str:
    """Return the sidecar of a raster of codes: category names and an attribute table.

    Args:
        entries: The values that may occur, by increasing id.
        pixels: Number of pixels by value.
        crs: Element with a CRS that the raster itself cannot hold, see :meth:`.LandCoverWriter.finish`.
        description: Name of the band in the raster, which GDAL adds when it stores statistics.

    Source:
        GDAL's persistent auxiliary metadata, https://gdal.org/en/stable/user/raster_data_model.html
    """
    names = {NODATA_ID: "No data", **{entry.id: entry.name for entry in entries}}
    listed = range(max(names) + 1) if max(names) < _MOST_CATEGORIES else ()
    categories = "".join(f"      <Category>{escape(names.get(value, ''))}</Category>\n" for value in listed)
    fields = "".join(
        f'      <FieldDefn index="{index}"><Name>{name}</Name><Type>{kind}</Type><Usage>{usage}</Usage></FieldDefn>\n'
        for index, (name, kind, usage) in enumerate(_FIELDS)
    )
    rows = "".join(
        f'      <Row index="{index}">'
        + "".join(f"<F>{escape(str(v))}</F>" for v in (entry.id, entry.name, *entry.rgb, pixels.get(entry.id, 0)))
        + "</Row>\n"
        for index, entry in enumerate(entries)
    )
    band = f"    <Description>{escape(description)}</Description>\n" if description else ""
    return (
        f"<PAMDataset>\n{crs}"
        f'  <PAMRasterBand band="1">\n{band}'
        f"    <CategoryNames>\n{categories}    </CategoryNames>\n"
        f'    <GDALRasterAttributeTable tableType="thematic">\n{fields}{rows}    </GDALRasterAttributeTable>\n'
        "  </PAMRasterBand>\n"
        "</PAMDataset>\n"
    )


def is_legend(text: str) -> bool:
    """Return whether the text of a sidecar has an attribute table as :func:`entries_xml` writes it."""
    return "<GDALRasterAttributeTable" in text and all(f"<Name>{name}</Name>" in text for name, _, _ in _FIELDS)
