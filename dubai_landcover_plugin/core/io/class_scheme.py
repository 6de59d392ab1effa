"""Finds the classes of a raster: in the raster, in those of which it is a mosaic, or in a file that the user names."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import rasterio
import rasterio.shutil
from rasterio.enums import ColorInterp

from dubai_landcover_plugin.core.io.class_legend import Named, gdal_legend, legend_scheme, qml_legend
from dubai_landcover_plugin.core.io.class_table import read_class_table
from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.protocol.class_tags import scheme_from_tags
from dubai_landcover_plugin.protocol.classes import COLOURS, DUBAI, ClassScheme, coloured
from dubai_landcover_plugin.protocol.errors import BundleError, ClassSchemeError, LandCoverError, RasterOpenError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_folders import find_model, installed_models
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX
from dubai_landcover_plugin.protocol.translation import joined, tr

_REMEDY = (
    "Give a model, a raster or a file with classes: a table (CSV or JSON with id, name and colour, which may be left "
    "out) or a QGIS style (.qml)."
)
_CHOOSE = "Choose the classes with the class scheme (--scheme)."
_MOST_PALETTE = 64  # colours; a palette with more is that of an image
_MOST_NESTED = 4  # virtual rasters of virtual rasters
_SIDECARS = (".aux.xml", ".ovr", ".msk")


def read_scheme(name_or_path: str) -> ClassScheme:
    """Return the classes in a file of any kind, or of an installed model.

    Args:
        name_or_path: Model file or name of an installed model, classified raster, class table (CSV or JSON) or QGIS
            style (QML).

    Raises:
        ClassSchemeError: if there is no such file, or it does not name classes.
    """
    path = Path(name_or_path).expanduser()
    suffix = path.suffix.lower()
    try:
        if suffix in (BUNDLE_SUFFIX, ONNX_SUFFIX) or name_or_path in installed_models():
            return read_metadata(find_model(name_or_path)).scheme
        if suffix in (".csv", ".json"):
            return read_class_table(path)
        if suffix == ".qml":
            return legend_scheme(qml_legend(path.read_text(encoding="utf-8-sig")))
        with open_raster(name_or_path) as dataset:
            found = scheme_of(dataset)
    except ClassSchemeError as error:
        text = tr("{name} cannot be used as class scheme: {error}", name=name_or_path, error=error.message)
        raise ClassSchemeError(text, error.remedy or tr(_REMEDY)) from error
    except (BundleError, RasterOpenError, OSError, UnicodeDecodeError) as error:
        text = error.message if isinstance(error, LandCoverError) else f"{error}."
        raise ClassSchemeError(
            tr("{name} cannot be read as class scheme: {text}", name=name_or_path, text=text),
            tr(_REMEDY),
        ) from error
    if found is None:
        raise ClassSchemeError(tr("The raster {name} does not name its classes.", name=name_or_path), tr(_REMEDY))
    return found


def choose_scheme(dataset: rasterio.DatasetReader, given: str | None = None) -> tuple[ClassScheme, str]:
    """Return the classes of a raster, and a note where they had to be assumed; empty otherwise.

    Args:
        dataset: The raster, open.
        given: The user's choice, see :func:`read_scheme`; it replaces the classes that the raster names.

    Raises:
        ClassSchemeError: if names or colours are damaged, or the rasters of a mosaic have different classes.
    """
    if given:
        return read_scheme(given), ""
    found = scheme_of(dataset)
    if found is not None:
        return found, ""
    name = Path(dataset.name).name
    colours = _palette(dataset)
    known = [coloured(DUBAI, one) for one in COLOURS]  # natural first, for rasters without colours
    assumed = next((scheme for scheme in known if _has_colours(scheme, colours)), None)
    if assumed is not None:
        listed = joined(f"{entry.id} {entry.name}" for entry in assumed.entries)
        return assumed, tr(
            "{name} does not name its classes; assumed: {listed}. {choose}",
            name=name,
            listed=listed,
            choose=tr(_CHOOSE),
        )
    scheme = legend_scheme(Named(value, f"Class {value}", colour) for value, colour in colours.items())
    return scheme, tr(
        "{name} does not name its classes; they are named by their values. {choose}", name=name, choose=tr(_CHOOSE)
    )


def scheme_of(dataset: rasterio.DatasetReader, nested: int = 0) -> ClassScheme | None:
    """Return the classes that a raster names: in its tags, its attribute table or category names, or in its parts.

    Args:
        dataset: The raster, open.
        nested: How many virtual rasters it is a part of.

    Raises:
        ClassSchemeError: if names or colours are damaged, or the rasters of a mosaic have different classes.
    """
    tags = dataset.tags()
    if any(key.startswith("CLASS_") and key[6:].isdigit() for key in tags):
        return scheme_from_tags(tags)
    for text in _legend_texts(dataset):
        legend = gdal_legend(text)
        if legend:
            return legend_scheme(legend, _palette(dataset))
    return _scheme_of_parts(dataset, nested) if dataset.driver == "VRT" and nested < _MOST_NESTED else None


def _legend_texts(dataset: rasterio.DatasetReader) -> list[str]:
    """Return the sidecar of a raster and the XML of a virtual one, as far as there are any."""
    texts = [] if dataset.driver == "GTiff" else [_virtual_xml(dataset)]  # a GeoTIFF has its legend in the sidecar
    sidecar = Path(f"{dataset.name}.aux.xml")
    try:
        if sidecar.is_file():
            texts.append(sidecar.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError):  # a name that is not a path
        pass
    return [text for text in texts if text]


def _virtual_xml(dataset: rasterio.DatasetReader) -> str:
    """Return the XML of a virtual raster; that of another raster is made, with the legend that its format holds."""
    if dataset.driver == "VRT":
        return str(dataset.tags(ns="xml:VRT").get("xml:VRT", ""))
    path = f"/vsimem/{uuid4().hex}.vrt"
    try:
        rasterio.shutil.copy(dataset, path, driver="VRT")
        with rasterio.open(path) as copied:
            return _virtual_xml(copied)
    except GDAL_ERRORS:  # no legend that GDAL can write
        return ""
    finally:
        with suppress(*GDAL_ERRORS):
            rasterio.shutil.delete(path)


def _scheme_of_parts(dataset: rasterio.DatasetReader, nested: int) -> ClassScheme | None:
    """Return the classes that all parts of a mosaic name; None if none names any."""
    first: tuple[str, ClassScheme] | None = None
    for path in dataset.files:
        if path == dataset.name or path.lower().endswith(_SIDECARS):
            continue
        try:
            with open_raster(path) as part:
                found = scheme_of(part, nested + 1)
        except RasterOpenError:
            continue  # GDAL says so where its pixels are read
        if found is None:
            continue
        if first is not None and _names(found) != _names(first[1]):
            raise ClassSchemeError(
                tr(
                    "Its rasters have different classes: {name} has {names}, {other_name} has {other_names}.",
                    name=Path(first[0]).name,
                    names=_names(first[1]),
                    other_name=Path(path).name,
                    other_names=_names(found),
                ),
                tr(_CHOOSE),
            )
        first = first or (path, found)
    return None if first is None else first[1]


def _names(scheme: ClassScheme) -> str:
    return joined(f"{entry.id} {entry.name}" for entry in scheme.entries)


def _palette(dataset: rasterio.DatasetReader) -> dict[int, str]:
    """Return ``#RRGGBB`` by value from a palette of few colours; black and transparent entries are unused ones."""
    if dataset.colorinterp[0] != ColorInterp.palette:
        return {}
    listed: dict[int, Any] = dataset.colormap(1)
    colours = {
        value: f"#{red:02X}{green:02X}{blue:02X}"
        for value, (red, green, blue, alpha) in listed.items()
        if 1 <= value <= 254 and alpha and (red or green or blue)
    }
    return colours if len(colours) <= _MOST_PALETTE else {}


def _has_colours(scheme: ClassScheme, colours: dict[int, str]) -> bool:
    return colours.items() <= {entry.id: entry.colour for entry in scheme.entries}.items()
