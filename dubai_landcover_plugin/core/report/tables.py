"""A report as data: a CSV table with a row for each class of each zone, and a layer of zones with areas and shares."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.report.provenance import Provenance
from dubai_landcover_plugin.core.report.statistics import THRESHOLDS, AreaStatistics, ClassStatistics
from dubai_landcover_plugin.core.report.zones import Zones
from dubai_landcover_plugin.protocol.classes import ClassScheme


def csv_text(areas: Sequence[AreaStatistics], provenance: Provenance) -> str:
    """Return the long table: zone 0 is the whole raster, shares are 0..1, headings name the unit of areas."""
    unit = provenance.unit
    table = io.StringIO()
    rows = CsvWriter(table)
    errors = ["mean_confidence", *(f"below_{threshold}_{unit}" for threshold in THRESHOLDS)]
    errors += [f"wrong_{unit}", f"wrong_low_{unit}", f"wrong_high_{unit}"]
    heads = ["zone_id", "zone", "zone_coverage", "class_id", "class", "pixels", f"area_{unit}", "share"]
    rows.writerow([*heads, *(errors if provenance.confidence is not None else ()), "remark"])
    for area in areas:
        for one in area.classes:
            coverage = f"{area.coverage:.4f}" if area.has_coverage else ""
            start = [area.number, area.name, coverage, one.entry.id, one.entry.name]
            counts = [one.pixels, f"{one.area:.3f}", f"{one.share:.6f}" if area.pixels else ""]
            further = _error_cells(one) if provenance.confidence is not None else ()
            rows.writerow([*start, *counts, *further, area.remark])
    return table.getvalue()


def _error_cells(one: ClassStatistics) -> list[str]:
    error = one.error
    if error is None:
        return [""] * (len(THRESHOLDS) + 4)
    wrong = error.wrong
    areas = (*error.below, *((wrong.expected, wrong.low, wrong.high) if wrong else ()))
    unknown = [] if wrong else [""] * 3
    return [f"{error.confidence:.2f}", *(f"{area:.3f}" for area in areas), *unknown]


def write_zones_layer(
    path: str, zones: Zones, areas: Sequence[AreaStatistics], provenance: Provenance, overwrite: bool = True
) -> None:
    """Write the zones, with unchanged geometries, and the area and share (percent) of each class.

    ``class_id`` and ``class`` are the largest class, so that the layer can be drawn in the classes' colours.

    Raises:
        OutputError: if the file cannot be written.
    """
    columns = _columns(areas, provenance, short=path.lower().endswith(".shp"))
    kinds = {name: values.dtype for name, values in columns.items()}
    geometries = np.array([zone.geometry for zone in zones.zones], object)
    multi = shapely.get_type_id(geometries) == 3
    geometries[multi] = [shapely.multipolygons([polygon]) for polygon in geometries[multi]]
    with VectorWriter(path, "MultiPolygon", zones.crs, kinds, overwrite=overwrite) as file:
        file.write(shapely.force_2d(geometries), columns)
        file.finish()


def _columns(areas: Sequence[AreaStatistics], provenance: Provenance, short: bool) -> dict[str, npt.NDArray[Any]]:
    largest = [area.largest for area in areas]
    columns: dict[str, npt.NDArray[Any]] = {
        "zone_id": np.array([area.number for area in areas], np.int32),
        "zone": np.array([area.name for area in areas], object),
        f"area_{provenance.unit}": np.array([area.area for area in areas]),
        "coverage": np.array([100 * area.coverage if area.has_coverage else np.nan for area in areas]),
        "class_id": np.array([0 if one is None else one.entry.id for one in largest], np.int32),
        "class": np.array(["" if one is None else one.entry.name for one in largest], object),
    }
    for index, stem in enumerate(_stems(provenance.scheme, short)):
        of_class = [area.classes[index] for area in areas]
        columns[f"{stem}_{provenance.unit}"] = np.array([one.area for one in of_class])
        shares = [100 * one.share if area.pixels else np.nan for one, area in zip(of_class, areas, strict=True)]
        columns[f"{stem}_pct"] = np.array(shares)
    if provenance.confidence is not None:
        columns["mean_conf"] = _or_nan([area.confidence for area in areas])
        columns["wrong_pct"] = _or_nan([None if (s := area.wrong_share) is None else 100 * s for area in areas])
    columns["remark"] = np.array([area.remark for area in areas], object)
    return columns


def _or_nan(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])


def _stems(scheme: ClassScheme, short: bool) -> list[str]:
    """Return the prefix of each class's columns; in shapefiles, names have at most 10 letters."""
    names = [re.sub(r"\W+", "_", entry.name.lower()).strip("_") for entry in scheme.entries]
    cut = [name[:6] if short else name for name in names]
    reserved = {"area", "zone", "class", "mean", "wrong", "coverage"}
    if len(set(cut)) < len(cut) or reserved & set(cut) or not all(cut):
        return [f"c{entry.id}" for entry in scheme.entries]
    return cut
