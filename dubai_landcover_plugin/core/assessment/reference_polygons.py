"""Assessment with reference polygons: their pixels are counted, intervals come from polygon to polygon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine
from rasterio.enums import MergeAlg

from dubai_landcover_plugin.core.assessment.estimate import Figure, ratio
from dubai_landcover_plugin.core.assessment.reference_labels import attribute, class_indices_of
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, band_rows, class_indices
from dubai_landcover_plugin.core.assessment.wall_to_wall import Census, counted
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import feature_transform
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

_FEW = 30  # polygons; fewer make intervals of ratios doubtful
_METHOD = (
    "The reference are polygons: every pixel whose centre lies in one was counted. Pixels of one polygon are alike, so "
    "they are no independent sample: intervals treat each polygon as one draw of a cluster (Cochran 1977, Sampling "
    "Techniques, ch. 9A). They hold only if the polygons are a random sample of the map; polygons drawn where the "
    "class is plain to see make every figure too high. Areas are those inside the polygons, not of the whole map."
)


def assess_polygons(source: ClassifiedSource, layer: VectorLayer, field: str, monitor: Monitor) -> Assessment:
    """Count how a map agrees with polygons.

    Args:
        source: The map.
        layer: Polygons in its CRS.
        field: Attribute with the class.
        monitor: Hears of progress.

    Raises:
        LandCoverError: if values are no class, no polygon is labelled or none covers a pixel with a class.
    """
    grid, scheme = source.grid, source.scheme
    labels = class_indices_of(attribute(layer, field), scheme)
    if (labels == NO_CLASS).all():
        raise RequestError(f"None of the {len(labels):,} polygons has a class.", "Name the attribute with the class.")
    labelled = np.flatnonzero(labels != NO_CLASS)
    polygons = _in_pixels(layer.geometries[labelled], grid)
    of_polygon = np.append(labels[labelled], NO_CLASS).astype(np.int16)  # the last one is for pixels in no polygon
    census, indices = Census(grid, scheme), class_indices(scheme)
    clusters = np.zeros((len(labelled), len(scheme.entries)), np.int64)  # pixels of each class in each polygon
    shared = 0
    for first, burnt, doubled in _burnt_bands(polygons, grid):
        raise_if_cancelled(monitor)
        monitor.report(first, grid.height, "comparing")
        mapped = indices[source.read(first, first + len(burnt))]
        shared += doubled
        census.add(first, mapped, of_polygon[burnt])
        where = (burnt >= 0) & (mapped != NO_CLASS)
        cells = burnt[where].astype(np.int64) * clusters.shape[1] + mapped[where]
        numbers, pixels = np.unique(cells, return_counts=True)
        clusters.ravel()[numbers] += pixels
    used = clusters.sum(axis=1) > 0
    facts = {
        "polygons": int(used.sum()),
        "unlabelled": len(labels) - len(labelled),
        "without_pixels": int((~used).sum()),
        "shared_pixels": shared,
    }
    unit = "px" if grid.crs is None else "m2"
    plain = counted("polygons", scheme, census, unit, facts, [_METHOD], _warnings(facts, _missing(census, scheme)))
    return _with_intervals(plain, clusters[used], labels[labelled][used])


def _in_pixels(geometries: npt.NDArray[np.object_], grid: Grid) -> npt.NDArray[np.object_]:
    """Return polygons in pixel coordinates: column, row."""
    inverse = ~feature_transform(grid, geometries)
    matrix = np.array([[inverse.a, inverse.d], [inverse.b, inverse.e]])
    moved: npt.NDArray[np.object_] = shapely.transform(geometries, lambda xy: xy @ matrix + (inverse.c, inverse.f))
    return moved


def _burnt_bands(polygons: npt.NDArray[np.object_], grid: Grid) -> Iterator[tuple[int, npt.NDArray[np.int32], int]]:
    """Yield bands that polygons touch: first row, index of the polygon of each pixel, pixels in several polygons.

    The index is -1 outside, and where polygons lie on each other.
    """
    bounds = shapely.bounds(polygons)  # NaN for empty ones
    height = band_rows(grid)
    for first in range(0, grid.height, height):
        last = min(first + height, grid.height)
        inside = (bounds[:, 1] < last) & (bounds[:, 3] > first) & (bounds[:, 0] < grid.width) & (bounds[:, 2] > 0)
        here = np.flatnonzero(inside)
        if not len(here):
            continue
        place = {"out_shape": (last - first, grid.width), "transform": Affine.translation(0, first)}
        shapes = [(polygons[index], int(index)) for index in here]
        burnt = rasterio.features.rasterize(shapes, fill=-1, dtype="int32", **place)
        times = rasterio.features.rasterize(
            polygons[here], default_value=1, dtype="int16", merge_alg=MergeAlg.add, **place
        )
        burnt[times > 1] = -1
        yield first, burnt, int(np.count_nonzero(times > 1))


def _missing(census: Census, scheme: ClassScheme) -> list[str]:
    """Return the classes that the map shows inside the polygons, and no polygon has."""
    mapped, labelled = (census.counts.sum(axis=axis) > 0 for axis in (1, 0))
    return [entry.name for index, entry in enumerate(scheme.classes) if mapped[index] and not labelled[index]]


def _warnings(facts: dict[str, int], missing: list[str]) -> list[str]:
    notes = []
    if facts["unlabelled"]:
        notes.append(f"{facts['unlabelled']:,} polygons have no class and were left out.")
    if facts["without_pixels"]:
        notes.append(
            f"{facts['without_pixels']:,} polygons cover no pixel's centre where the map has a class and were left out."
        )
    if facts["shared_pixels"]:
        notes.append(f"{facts['shared_pixels']:,} pixels lie in several polygons and were left out.")
    if missing:
        notes.append(
            f"There is no polygon of {', '.join(missing)}: wherever the map shows that inside the polygons, it counts "
            "as wrong."
        )
    if facts["polygons"] < _FEW:
        notes.append(f"There are {facts['polygons']} polygons; below {_FEW}, intervals are rough.")
    return notes


def _with_intervals(plain: Assessment, clusters: npt.NDArray[np.int64], labels: npt.NDArray[np.intp]) -> Assessment:
    """Add intervals from polygon to polygon."""
    count, classes = clusters.shape
    one, everything = np.zeros(count, np.intp), np.array([count], np.int64)

    def share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> Figure:
        return ratio(part.astype(np.float64), whole.astype(np.float64), one, everything)

    right = clusters[np.arange(count), labels]
    total = clusters.sum(axis=1)
    named = clusters[:, :-1].sum(axis=1)
    own = [labels == index for index in range(classes)]
    return replace(
        plain,
        overall=share(right, total),
        classified=None if plain.classified is None else share(right, named),
        users=[share(right * here, clusters[:, index]) for index, here in enumerate(own)],
        producers=[share(right * here, total * here) for here in own],
    )
