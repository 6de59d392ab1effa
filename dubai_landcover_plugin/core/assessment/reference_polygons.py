"""Assessment with reference polygons: their pixels are counted; intervals treat each polygon as a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from affine import Affine
from rasterio.enums import MergeAlg

from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate, ratio_estimate
from dubai_landcover_plugin.core.assessment.reference_classes import matched_scheme
from dubai_landcover_plugin.core.assessment.reference_labels import attribute, class_indices_of
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, class_indices, strip_rows
from dubai_landcover_plugin.core.assessment.wall_to_wall import ContingencyTable, wall_to_wall_assessment
from dubai_landcover_plugin.core.assessment.zero_width import zero_width_notes
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import feature_transform
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import joined, tr

_MIN_POLYGONS = 30  # fewer make the intervals of ratio estimates unreliable
_METHOD = (
    "The reference is polygons: all pixels whose centre is in a polygon were counted. Pixels of one polygon are not an "
    "independent sample, so intervals treat each polygon as one cluster (Cochran 1977, Sampling Techniques, ch. 9A). "
    "They are valid only if the polygons are a random sample of the map; polygons drawn where the class is obvious "
    "make all values too high. Areas are those inside the polygons, not of the whole map."
)


def assess_polygons(
    source: ClassifiedSource, layer: VectorLayer, field: str, monitor: Monitor, given: str | None = None
) -> Assessment:
    """Compare a map with reference polygons, pixel by pixel.

    Args:
        source: The map.
        layer: Polygons in its CRS.
        field: Attribute with the class.
        monitor: Receives progress; may cancel.
        given: Classes of the reference that the user chose, see :func:`.matched_scheme`.

    Raises:
        LandCoverError: if values are not classes, no polygon is labelled or none covers a pixel with a class.
    """
    grid, scheme = source.grid, source.scheme
    labels = class_indices_of(attribute(layer, field), scheme, matched_scheme(given, scheme))
    if (labels == NO_CLASS).all():
        raise RequestError(
            tr("None of the {count:,} polygons has a class.", count=len(labels)),
            tr("Choose the attribute with the class."),
        )
    labelled = np.flatnonzero(labels != NO_CLASS)
    polygons = _to_pixels(layer.geometries[labelled], grid)
    label_of_polygon = np.append(labels[labelled], NO_CLASS).astype(
        np.int16
    )  # the last one, index -1, is for pixels outside polygons
    table, indices = ContingencyTable(grid, scheme), class_indices(scheme)
    clusters = np.zeros((len(labelled), len(scheme.entries)), np.int64)  # pixels of each class in each polygon
    shared = 0
    for first, burnt, overlapping in _rasterized_strips(polygons, grid):
        raise_if_cancelled(monitor)
        monitor.report(first, grid.height, tr("comparing"))
        mapped = indices[source.read(first, first + len(burnt))]
        shared += overlapping
        table.add(first, mapped, label_of_polygon[burnt])
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
    counted = wall_to_wall_assessment(
        "polygons", scheme, table, unit, facts, [tr(_METHOD)], _warnings(facts, _missing(table, scheme))
    )
    return _with_intervals(counted, clusters[used], labels[labelled][used])


def _to_pixels(geometries: npt.NDArray[np.object_], grid: Grid) -> npt.NDArray[np.object_]:
    """Transform polygons to pixel coordinates: column, row."""
    inverse = ~feature_transform(grid, geometries)
    matrix = np.array([[inverse.a, inverse.d], [inverse.b, inverse.e]])
    transformed: npt.NDArray[np.object_] = shapely.transform(
        geometries, lambda xy: xy @ matrix + (inverse.c, inverse.f)
    )
    return transformed


def _rasterized_strips(
    polygons: npt.NDArray[np.object_], grid: Grid
) -> Iterator[tuple[int, npt.NDArray[np.int32], int]]:
    """Rasterize polygons strip by strip; strips without polygons are skipped.

    Yields:
        First row; (h, W) int32 index of the polygon of each pixel, -1 outside and where polygons overlap; number of
        pixels in several polygons.
    """
    bounds = shapely.bounds(polygons)  # NaN for empty ones
    height = strip_rows(grid)
    for first in range(0, grid.height, height):
        last = min(first + height, grid.height)
        inside = (bounds[:, 1] < last) & (bounds[:, 3] > first) & (bounds[:, 0] < grid.width) & (bounds[:, 2] > 0)
        here = np.flatnonzero(inside)
        if not len(here):
            continue
        target = {"out_shape": (last - first, grid.width), "transform": Affine.translation(0, first)}
        shapes = [(polygons[index], int(index)) for index in here]
        burnt = rasterio.features.rasterize(shapes, fill=-1, dtype="int32", **target)
        coverage = rasterio.features.rasterize(
            polygons[here], default_value=1, dtype="int16", merge_alg=MergeAlg.add, **target
        )
        burnt[coverage > 1] = -1
        yield first, burnt, int(np.count_nonzero(coverage > 1))


def _missing(table: ContingencyTable, scheme: ClassScheme) -> list[str]:
    """Return the map classes inside the polygons that are not the class of any polygon."""
    mapped, labelled = (table.counts.sum(axis=axis) > 0 for axis in (1, 0))
    return [entry.name for index, entry in enumerate(scheme.classes) if mapped[index] and not labelled[index]]


def _warnings(facts: dict[str, int], missing: list[str]) -> list[str]:
    """Return warnings about skipped polygons, missing classes and few polygons."""
    notes = []
    if facts["unlabelled"]:
        notes.append(tr("{unlabelled:,} polygons have no class and were skipped.", unlabelled=facts["unlabelled"]))
    if facts["without_pixels"]:
        notes.append(
            tr(
                "{count:,} polygons contain no pixel centre with a map class and were skipped.",
                count=facts["without_pixels"],
            )
        )
    if facts["shared_pixels"]:
        notes.append(tr("{count:,} pixels are in several polygons and were skipped.", count=facts["shared_pixels"]))
    if missing:
        notes.append(
            tr(
                "There is no polygon of {missing}: inside the polygons, pixels of that class on the map always "
                "count as errors.",
                missing=joined(missing),
            )
        )
    if facts["polygons"] < _MIN_POLYGONS:
        notes.append(
            tr(
                "There are {count} polygons; with less than {limit}, intervals are unreliable.",
                count=facts["polygons"],
                limit=_MIN_POLYGONS,
            )
        )
    return notes


def _with_intervals(counted: Assessment, clusters: npt.NDArray[np.int64], labels: npt.NDArray[np.intp]) -> Assessment:
    """Add the intervals of a cluster sample, from the counts of each polygon.

    Args:
        counted: Assessment of all pixels.
        clusters: (N, K) int64, pixels of each map class in each polygon.
        labels: (N,) class index of each polygon.
    """
    count, classes = clusters.shape
    stratum, sizes = np.zeros(count, np.intp), np.array([count], np.int64)

    def share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> IntervalEstimate:
        return ratio_estimate(part.astype(np.float64), whole.astype(np.float64), stratum, sizes)

    correct = clusters[np.arange(count), labels]
    total = clusters.sum(axis=1)
    named = clusters[:, :-1].sum(axis=1)
    of_class = [labels == index for index in range(classes)]
    overall = share(correct, total)
    users = [share(correct * here, clusters[:, index]) for index, here in enumerate(of_class)]
    producers = [share(correct * here, total * here) for here in of_class]
    polygons_of_class = np.bincount(labels, minlength=classes)
    mapped, labelled = (users, (clusters > 0).sum(axis=0)), (producers, polygons_of_class)
    notes = zero_width_notes(counted.scheme, "polygons", (overall, count), mapped, labelled)
    return replace(
        counted,
        overall=overall,
        classified=None if counted.classified is None else share(correct, named),
        users=users,
        producers=producers,
        warnings=[*counted.warnings, *notes],
    )
