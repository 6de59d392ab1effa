"""Labels from several vector layers: one class each, chosen features such as OpenStreetMap's, buffered lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.vector_reader import READ_ERRORS, geometries_of, layer_crs
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RasterOpenError

from ..data_config import DataConfig, LayerConfig
from ..errors import DatasetError
from .label_values import label_of
from .layers import LabelLayer, is_missing, is_on_earth, only_layer, transformed

ANY = "*"
_NO = "no"  # building=no in OpenStreetMap
_NUMBER = re.compile(r"\s*(\d+(?:[.,]\d+)?)")
_POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
_LINES = (
    shapely.GeometryType.POINT,
    shapely.GeometryType.MULTIPOINT,
    shapely.GeometryType.LINESTRING,
    shapely.GeometryType.MULTILINESTRING,
)
_NAMED = 8  # values in messages

Geometries = npt.NDArray[np.object_]


def read_label_layers(config: DataConfig, root: Path, scheme: ClassScheme) -> LabelLayer:
    """Read the layers of ``data.layers`` as one, in their order: later ones are drawn over earlier ones.

    Args:
        config: Layers, area and background.
        root: Data folder; files are relative to it.
        scheme: Classes.

    Raises:
        ConfigError: if a label is not a class.
        DatasetError: with the file name, if a layer cannot be read, has no CRS, lacks a field, has no such feature, or
            only lines without a width.
    """
    parts: list[tuple[Geometries, int, CRS]] = []
    notes: list[str] = []
    background = label_of(config.background, scheme, "data.background")
    if config.area:
        shapes, crs = _read(LayerConfig(file=config.area), root, notes)
        parts.append((shapes, background, crs))
    for layer in config.label_layers:
        channel = label_of(layer.label, scheme, f"data.layers: the label of {layer.file}")
        shapes, crs = _read(layer, root, notes)
        parts.append((shapes, channel, crs))
    target = parts[0][2]
    geometries = np.concatenate([_moved(shapes, crs, target) for shapes, _, crs in parts])
    channels = np.concatenate([np.full(len(shapes), channel, np.uint8) for shapes, channel, _ in parts])
    return LabelLayer(root / config.label_layers[0].file, geometries, channels, target, tuple(notes), background)


def _read(layer: LayerConfig, root: Path, notes: list[str]) -> tuple[Geometries, CRS]:
    """Return the polygons of a layer, lines and points buffered, and their CRS; add a note."""
    path = root / layer.file
    try:
        name = ogr.gdal_name(str(path))
        chosen = layer.layer or only_layer(path, name)
        fields = _columns(list(ogr.read_info(name, layer=chosen)["fields"]), layer, path)
        meta, _, wkb, values = ogr.read(name, layer=chosen, columns=list(dict.fromkeys(fields.values())), force_2d=True)
        columns = dict(zip(meta["fields"].tolist(), values, strict=True))
        geometries = geometries_of(wkb, str(path))
        crs = layer_crs(name, chosen, meta["crs"], geometries)
    except DatasetError:
        raise
    except RasterOpenError as error:
        raise DatasetError(error.message, error.remedy) from error
    except READ_ERRORS as error:
        raise DatasetError(f"The label layer {path} cannot be read: {error}.", "Check file and layer.") from error
    if not is_on_earth(crs):
        raise DatasetError(f"{path} has no coordinate reference system.", "Set it in QGIS and export the layer again.")
    kept = np.ones(len(geometries), bool)
    for field, wanted in layer.where.items():
        kept &= np.array([_fits(value, wanted) for value in columns[fields[field]]], bool)
        if not kept.any():
            found = sorted({str(value) for value in columns[fields[field]] if not is_missing(value)})
            named = ", ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
            raise DatasetError(
                f"{path} has no feature with {field} = {_text(wanted)}; it has {named or 'none'}.",
                "Correct 'where' of the layer in data.layers.",
            )
    widths = _widths(layer, {name: columns[own][kept] for name, own in fields.items()}, int(kept.sum()))
    shapes, left_out = _surfaces(geometries[kept], widths, crs)
    if not len(shapes):
        raise DatasetError(
            f"{path} has {int(kept.sum())} features but no polygon, and its lines have no width.",
            "Give a width in metres: width, width_field or widths of the layer in data.layers.",
        )
    notes.append(f"Labels: {len(shapes)} of {path.name}, {layer.label or 'area'}.")
    if left_out:
        notes.append(f"{path}: {left_out} lines and points have no width and are not used.")
    return shapes, crs


def _columns(known: Sequence[str], layer: LayerConfig, path: Path) -> dict[str, str]:
    """Return the field of the file for each field that a layer names; case does not matter."""
    own = {name.casefold(): name for name in known}
    wanted = [*layer.where, *([layer.width_field] if layer.width_field else [])]
    missing = [name for name in wanted if name.casefold() not in own]
    if missing:
        raise DatasetError(
            f"{path} has no field {', '.join(missing)}; its fields: {', '.join(known) or 'none'}.",
            "Correct the layer in data.layers.",
        )
    return {name: own[name.casefold()] for name in wanted}


def _fits(value: Any, wanted: Any) -> bool:
    """Return whether a value of a field is one of those wanted: ``*`` is any but ``no``."""
    if is_missing(value):
        return False
    text = _plain(value)
    if wanted == ANY:
        return text != _NO
    return text in [_plain(one) for one in (wanted if isinstance(wanted, list | tuple) else [wanted])]


def _plain(value: Any) -> str:
    """Return a value as text without case; 4.0 is 4."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    return str(value).strip().casefold()


def _text(wanted: Any) -> str:
    return ", ".join(map(str, wanted)) if isinstance(wanted, list | tuple) else str(wanted)


def _widths(layer: LayerConfig, columns: dict[str, npt.NDArray[Any]], count: int) -> npt.NDArray[np.float64]:
    """Return the width of each feature, m: of its own field, else by value, else that of the layer; 0 for none."""
    widths = np.full(count, layer.width)
    if layer.widths:
        table = {_plain(key): float(value) for key, value in layer.widths.items()}
        values = columns[next(iter(layer.where))]
        widths = np.array([table.get(_plain(value), width) for value, width in zip(values, widths, strict=True)])
    if layer.width_field:
        own = [_NUMBER.match(str(value)) for value in columns[layer.width_field]]
        given = [float(found[1].replace(",", ".")) if found else 0.0 for found in own]
        widths = np.where(np.array(given) > 0, given, widths)
    return widths.astype(np.float64)


def _surfaces(geometries: Geometries, widths: npt.NDArray[np.float64], crs: CRS) -> tuple[Geometries, int]:
    """Return polygons, lines and points buffered by half of their width, and the number of those without."""
    kinds = shapely.get_type_id(geometries)
    drawn = np.isin(kinds, _LINES) & (widths > 0)
    if drawn.any():
        plane = _metric(crs, shapely.total_bounds(geometries[drawn]))
        flat = shapely.buffer(_moved(geometries[drawn], crs, plane), widths[drawn] / 2)
        geometries = geometries.copy()
        geometries[drawn] = _moved(flat, plane, crs)
    used = np.isin(kinds, _POLYGONS) | drawn
    return geometries[used], int((np.isin(kinds, _LINES) & ~drawn).sum())


def _metric(crs: CRS, bounds: npt.NDArray[np.float64]) -> CRS:
    """Return a CRS in metres: the layer's own projected one, else the UTM zone of its middle."""
    if crs.is_projected and crs.linear_units_factor[1] == 1.0 and crs.to_epsg() != 3857:
        return crs
    middle = np.array([[(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2]])
    ((lon, lat),) = transformed(middle, crs, CRS.from_epsg(4326))
    zone = min(max(int((lon + 180) // 6) + 1, 1), 60)
    return CRS.from_epsg((32600 if lat >= 0 else 32700) + zone)


def _moved(geometries: Geometries, own: CRS, target: CRS) -> Geometries:
    if own == target:
        return geometries
    moved: Geometries = shapely.transform(geometries, lambda points: transformed(points, own, target))
    return moved
