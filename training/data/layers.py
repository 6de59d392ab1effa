"""Reads vector layers of labelled polygons."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.warp
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.vector_reader import READ_ERRORS, geometries_of, layer_crs
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.drawn_layers import FROM, TO
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import DatasetError
from .class_table import TABLE

FIELDS = ("class", "class_id", "name", TO)
POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
"""Types of geometries that label pixels."""


@dataclass(frozen=True, slots=True)
class LabelLayer:
    """Labelled polygons, in the order of the file.

    Args:
        path: The file.
        geometries: (N,) shapely polygons.
        channels: (N,) uint8 channel index, or ``IGNORE`` for polygons that mark an unlabelled area.
        crs: CRS of the geometries.
        notes: Notes for the user.
        background: Label of polygons that all others are drawn over; ``IGNORE`` for none.
    """

    path: Path
    geometries: npt.NDArray[np.object_]
    channels: npt.NDArray[np.uint8]
    crs: CRS
    notes: tuple[str, ...] = ()
    background: int = IGNORE

    def near(self, bounds: tuple[float, float, float, float], crs: CRS) -> LabelLayer:
        """Return the polygons whose bounds intersect ``bounds`` (west, south, east, north), reprojected to ``crs``.

        Args:
            bounds: Bounds in ``crs``.
            crs: Target CRS.

        Raises:
            DatasetError: if a polygon extends outside the domain of ``crs``.
        """
        if crs == self.crs:
            return self._where(bounds)
        try:
            # only polygons near the bounds are reprojected: others may be outside the domain of the CRS
            around = rasterio.warp.transform_bounds(crs, self.crs, *bounds)
        except (
            Exception
        ):  # GDAL's error classes are private; bounds outside the domain of the layer's CRS contain no polygon
            return self._where((np.inf, np.inf, -np.inf, -np.inf))
        close = self._where(around)
        try:
            shapes = shapely.transform(close.geometries, lambda points: transformed(points, self.crs, crs))
        except Exception as error:  # as above
            raise DatasetError(
                tr(
                    "The polygons of {path} cannot be reprojected to {crs}: {error}.",
                    path=self.path,
                    crs=crs.to_string(),
                    error=error,
                ),
                tr("Reproject the layer to the CRS of the rasters and correct it there."),
            ) from error
        return LabelLayer(self.path, shapes, close.channels, crs, self.notes, self.background)

    def _where(self, bounds: tuple[float, float, float, float]) -> LabelLayer:
        west, south, east, north = bounds
        left, bottom, right, top = shapely.bounds(self.geometries).T
        across = (right >= west) & (left <= east)
        if west > east:  # bounds across the antimeridian
            across = np.full_like(across, np.isfinite(west))
        close = across & (top >= south) & (bottom <= north)
        return replace(self, geometries=self.geometries[close], channels=self.channels[close])


def transformed(points: npt.NDArray[np.float64], origin: CRS, target: CRS) -> npt.NDArray[np.float64]:
    """Return (N, 2) positions reprojected to another CRS; GDAL raises outside its domain."""
    xs, ys = rasterio.warp.transform(origin, target, points[:, 0], points[:, 1])
    return np.column_stack((xs, ys))


def is_on_earth(crs: CRS | None) -> bool:
    """Return whether a CRS is geographic or projected; false for None."""
    return crs is not None and bool(crs.is_geographic or crs.is_projected)


def read_layer(path: Path, scheme: ClassScheme, layer: str = "", field: str = "") -> LabelLayer:
    """Read the polygons of a vector file and their classes.

    Args:
        path: GeoPackage, shapefile, GeoJSON or another format of GDAL.
        scheme: Classes.
        layer: Layer; required if several have geometries.
        field: Field with the name or id of the class; empty takes ``class``, ``class_id``, ``name`` or,
            of corrections, ``to``.

    Raises:
        DatasetError: with the file name, if it cannot be read, has no CRS or no polygons, layer or field do not exist,
            or a class is unknown.
    """
    try:
        name = ogr.gdal_name(str(path))
        layer = layer or only_layer(path, name)
        known = list(ogr.read_info(name, layer=layer)["fields"])
        field = class_field(known, field, path)
        replaced = [one for one in known if one.casefold() == FROM] if field.casefold() == TO else []
        meta, _, wkb, values = ogr.read(name, layer=layer, columns=[field, *replaced], force_2d=True)
        columns = dict(zip(meta["fields"].tolist(), values, strict=True))
        geometries = geometries_of(wkb, str(path))
        crs = layer_crs(name, layer, meta["crs"], geometries)
    except DatasetError:
        raise
    except RasterOpenError as error:
        raise DatasetError(error.message, error.remedy) from error
    except READ_ERRORS as error:
        raise DatasetError(
            tr("The polygon layer {path} cannot be read: {error}.", path=path, error=error), tr("Check file and layer.")
        ) from error
    if not is_on_earth(crs):
        raise DatasetError(
            tr(
                "{path} has no coordinate reference system, so its polygons cannot be located on the images.", path=path
            ),
            tr("Set the layer's CRS in QGIS and export it again; a shapefile needs its .prj file."),
        )
    usable = np.isin(shapely.get_type_id(geometries), POLYGONS)
    if not usable.any():
        raise DatasetError(
            tr("{path} has {count} features but no polygon.", path=path, count=len(geometries)),
            tr("Draw or export polygons."),
        )
    notes: list[str] = []
    if not usable.all():
        notes.append(
            tr(
                "{path}: {count} features are not polygons and are not used; buffer lines and points.",
                path=path,
                count=(~usable).sum(),
            )
        )
    for limit in replaced:
        # They say nothing about pixels of other classes, and which pixels had the class is not known here.
        limited = usable & np.array([not is_missing(value) for value in columns[limit]])
        if limited.any():
            notes.append(
                tr(
                    "{path}: {count} corrections of one class only (field '{field}') are not used.",
                    path=path,
                    count=limited.sum(),
                    field=limit,
                )
            )
            usable &= ~limited
    if not usable.any():
        raise DatasetError(
            tr("{path} has no label: all corrections are limited to one class.", path=path),
            tr("Add polygons whose field '{field}' is empty: they hold for all their pixels.", field=FROM),
        )
    channels, without = _channels(columns[field][usable], scheme, path, field)
    notes.insert(
        0,
        tr(
            "Polygons: {count} of {name}, classes in its field '{field}'.",
            count=usable.sum(),
            name=path.name,
            field=field,
        ),
    )
    if without:
        notes.append(
            tr("{path}: {count} polygons have no class; their area counts as unlabelled.", path=path, count=without)
        )
    broken = ~shapely.is_valid(geometries[usable])
    if broken.any():
        notes.append(
            tr(
                "{path}: {count} polygons intersect themselves; run Fix Geometries in QGIS if they look wrong.",
                path=path,
                count=broken.sum(),
            )
        )
    return LabelLayer(path, geometries[usable], channels, crs, tuple(notes))


def only_layer(path: Path, name: str) -> str:
    """Return the only layer with geometries of a file.

    Raises:
        DatasetError: if there are several.
    """
    layers = [str(layer) for layer, kind in ogr.list_layers(name) if kind is not None]
    if len(layers) != 1:
        raise DatasetError(
            tr(
                "{path} has {count} layers with geometries: {names}.",
                path=path,
                count=len(layers),
                names=", ".join(layers),
            ),
            tr("Choose the layer with the labels."),
            'In a configuration: data.layer = "NAME".',
        )
    return layers[0]


def class_field(known: list[str], given: str, path: Path) -> str:
    """Return the attribute with the class: the given one, or one of :data:`FIELDS`; case does not matter.

    Raises:
        DatasetError: with the attributes of the file, if there is none.
    """
    for candidate in (given,) if given else FIELDS:
        for name in known:
            if name.casefold() == candidate.casefold():
                return name
    raise DatasetError(
        tr(
            "{path} has no field '{field}'; its fields: {names}.",
            path=path,
            field=given or ", ".join(FIELDS),
            names=", ".join(known) or tr("none"),
        ),
        tr("Choose the attribute with the names or ids of the classes."),
        'In a configuration: data.field = "NAME".',
    )


def _channels(
    values: npt.NDArray[Any], scheme: ClassScheme, path: Path, field: str
) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the channel of each value, (N,) uint8, and the number of missing values."""
    table: dict[Any, int | None] = {}
    found = [table[value] if value in table else table.setdefault(value, channel_of(value, scheme)) for value in values]
    unknown = [f"'{value}'" for value, channel in table.items() if channel is None]
    if unknown:
        named = ", ".join(f"{entry.id} {entry.name}" for entry in scheme.entries)
        raise DatasetError(
            tr(
                "{path}, field '{field}': {names} are not classes.",
                path=path,
                field=field,
                names=", ".join(unknown[:8]),
            ),
            tr("The classes are {names}: correct the attribute, or add the missing classes.", names=named),
            f"They are in {TABLE}.",
        )
    without = sum(is_missing(value) for value in values)
    return np.array(found, np.uint8), without


def is_missing(value: Any) -> bool:
    """Return whether a field is empty: null, NaN or a blank text."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value).strip() == ""


def channel_of(value: Any, scheme: ClassScheme) -> int | None:
    """Return the channel of a name or id, ``IGNORE`` for missing values and Unlabeled, None if unknown."""
    if is_missing(value):
        return IGNORE
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    try:
        if not math.isnan(number):
            ids = (*scheme.ids, scheme.unlabeled.id, NODATA_ID)
            place = ids.index(number) if number in ids else None
            return place if place is None or place < len(scheme.ids) else IGNORE
        entry = scheme.by_name(text)
        return IGNORE if entry == scheme.unlabeled else scheme.classes.index(entry)
    except ClassSchemeError:
        return None
