"""Checks the features of a label layer one by one, so that problems can be named by feature id."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio.warp
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.vector_reader import READ_ERRORS, geometries_of, layer_crs
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RasterOpenError
from dubai_landcover_plugin.protocol.translation import isolated, tr

from ..data.layers import POLYGONS, channel_of, class_field, is_missing, is_on_earth, only_layer
from ..data.pixels import read_grid
from ..errors import DatasetError

FEW = 10
"""Fewer polygons than these are reported."""
_LISTED = 12  # feature ids in a message


@dataclass(frozen=True, slots=True)
class LayerFindings:
    """Findings about a label layer.

    Args:
        polygons: Number of polygons with a class.
        errors: What stops a training.
        problems: What may degrade it.
    """

    polygons: int
    errors: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def check_features(
    path: Path, scheme: ClassScheme, rasters: Iterable[Path], layer: str = "", field: str = ""
) -> LayerFindings:
    """Check classes, geometries, overlaps and places of the features of a layer.

    Args:
        path: Vector file.
        scheme: Classes.
        rasters: Rasters that the labels should lie on; those that cannot be read are skipped.
        layer: Layer; empty for the only one.
        field: Attribute with the class; empty for the usual ones.

    Raises:
        DatasetError: if the layer cannot be read or has no such attribute.
    """
    fids, geometries, values, crs, name = _read(path, layer, field)
    errors: list[str] = []
    problems: list[str] = []

    def note(found: npt.NDArray[np.bool_], text: str, target: list[str] = problems) -> None:
        if found.any():
            target.append(f"{isolated(path.name)}, {_ids(fids[found])}: {text}")

    if not is_on_earth(crs):
        errors.append(
            tr("{name} has no coordinate reference system: set it in QGIS and save the layer again.", name=path.name)
        )
    missing = np.array([is_missing(value) for value in values], bool)
    channels = [channel_of(value, scheme) for value in values]
    unknown = np.array([channel is None for channel in channels], bool)
    for value in dict.fromkeys(str(value) for value in np.asarray(values, object)[unknown]):
        same = unknown & np.array([str(one) == value for one in values], bool)
        names = ", ".join(entry.name for entry in scheme.classes)
        text = tr(
            "'{value}' in '{field}' is not a class; the classes are {names}. Correct it, or add a class.",
            value=value,
            field=name,
            names=names,
        )
        note(same, text, errors)
    usable = np.isin(shapely.get_type_id(geometries), POLYGONS)
    note(~usable, tr("not polygons; buffer points and lines."))
    note(missing & usable, tr("without a class in '{field}'; their area is not used.", field=name))
    note(
        usable & ~shapely.is_valid(geometries), tr("they intersect themselves; run Fix Geometries if they look wrong.")
    )
    labelled = usable & ~missing & ~unknown
    outside = _outside(geometries, crs, rasters) if is_on_earth(crs) else None
    if outside is not None:
        note(outside & labelled, tr("outside of all rasters."))
        if (outside | ~labelled).all() and labelled.any():
            errors.append(tr("No label of {name} lies on a raster: check the CRS of both.", name=path.name))
    _overlaps(geometries, channels, labelled, note)
    count = int(labelled.sum())
    if not count:
        errors.append(tr("{name} has no polygon with a class: draw some.", name=path.name))
    elif count < FEW:
        text = tr("Only {count} labels: draw at least {least}, at several places.", count=count, least=FEW)
        problems.insert(
            0, tr("Only 1 label: draw at least {least}, at several places.", least=FEW) if count == 1 else text
        )
    return LayerFindings(count, tuple(errors), tuple(problems))


def _read(
    path: Path, layer: str, field: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_], Sequence[Any], CRS | None, str]:
    """Return feature ids, geometries, values of the class attribute, CRS and the name of that attribute."""
    try:
        name = ogr.gdal_name(str(path))
        layer = layer or only_layer(path, name)
        field = class_field(list(ogr.read_info(name, layer=layer)["fields"]), field, path)
        meta, fids, wkb, values = ogr.read(name, layer=layer, columns=[field], force_2d=True, return_fids=True)
        geometries = geometries_of(wkb, str(path))
        return fids, geometries, values[0].tolist(), layer_crs(name, layer, meta["crs"], geometries), field
    except RasterOpenError as error:
        raise DatasetError(error.message, error.remedy) from error
    except DatasetError:
        raise
    except READ_ERRORS as error:
        raise DatasetError(
            tr("The label layer {path} cannot be read: {error}.", path=path, error=error), tr("Check file and layer.")
        ) from error


def _outside(
    geometries: npt.NDArray[np.object_], crs: CRS | None, rasters: Iterable[Path]
) -> npt.NDArray[np.bool_] | None:
    """Return which geometries lie on no raster, by their bounds; None if no raster has a place on the ground."""
    left, bottom, right, top = shapely.bounds(geometries).T
    outside, known = np.ones(len(geometries), bool), False
    for path in rasters:
        try:
            grid = read_grid(path)
            if not is_on_earth(grid.crs):
                continue
            corners = [grid.transform @ (col, row) for col in (0, grid.width) for row in (0, grid.height)]
            xs, ys = zip(*corners, strict=True)
            west, south, east, north = rasterio.warp.transform_bounds(grid.crs, crs, min(xs), min(ys), max(xs), max(ys))
        except Exception:  # reported when it is loaded; GDAL's errors are private  # noqa: S112  # nosec B112
            continue
        known = True
        outside &= ~((right > west) & (left < east) & (top > south) & (bottom < north))
    return outside if known else None


def _overlaps(
    geometries: npt.NDArray[np.object_], channels: Sequence[int | None], labelled: npt.NDArray[np.bool_], note: Any
) -> None:
    """Note the features that overlap one of another class."""
    used = np.flatnonzero(labelled & shapely.is_valid(geometries))
    if len(used) < 2:
        return
    classes = np.array([channels[index] for index in used.tolist()])
    one, other = shapely.STRtree(geometries[used]).query(geometries[used], predicate="overlaps")
    differing = classes[one] != classes[other]
    found = np.zeros(len(geometries), bool)
    found[used[one[differing]]] = True
    note(found, tr("overlap a polygon of another class; the later feature counts."))


def _ids(fids: npt.NDArray[np.int64]) -> str:
    shown = ", ".join(map(str, fids[:_LISTED].tolist()))
    if len(fids) > _LISTED:
        return tr("features {numbers} and {count} more", numbers=shown, count=len(fids) - _LISTED)
    return tr("features {numbers}", numbers=shown) if len(fids) > 1 else tr("feature {number}", number=shown)
