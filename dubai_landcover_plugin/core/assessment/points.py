"""Assessment with labelled points, a probability sample: estimates with confidence intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.assessment.estimate import (
    IntervalEstimate,
    LabelledSample,
    estimate_accuracy,
    ratio_estimate,
)
from dubai_landcover_plugin.core.assessment.reference_classes import matched_scheme
from dubai_landcover_plugin.core.assessment.reference_labels import attribute, class_indices_of, find_attribute
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import (
    NO_CLASS,
    Strata,
    StrataCounter,
    class_indices,
    strip_rows,
)
from dubai_landcover_plugin.core.assessment.zero_width import zero_width_notes
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.grid.placement import feature_transform
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import joined, tr

_MAX_UNLABELLED = 0.05  # fraction of the points; more of them may bias the result
_MAX_WEIGHT = 0.1  # fraction of a rare class that one point of a large class may represent
_METHOD = (
    "The points are a sample of the map. Accuracy and areas are estimated with the area of each class as its weight "
    "(Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015). Intervals are ± 1.96 standard errors. Areas are those of "
    "the classes on the ground: the mapped areas, corrected for the errors of the map."
)
_OTHER_MAP = (
    "The points were drawn from another map, whose classes are the strata (Stehman 2014, "
    "doi:10.1080/01431161.2014.930207)."
)


@dataclass(frozen=True)
class _PointPixels:
    """Pixels of the points.

    Args:
        rows: (N,) int64; -1 outside the map.
        cols: (N,) int64; -1 outside the map.
        mapped: (N,) class index on the map.
    """

    rows: npt.NDArray[np.int64]
    cols: npt.NDArray[np.int64]
    mapped: npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Design:
    """Sampling design.

    Args:
        strata: (N,) index of the stratum of each point.
        pixels: (H,) int64, pixels of each stratum.
        names: H names of the strata.
        own: Whether the strata are the classes of this map.
    """

    strata: npt.NDArray[np.intp]
    pixels: npt.NDArray[np.int64]
    names: list[str]
    own: bool


def assess_points(
    source: ClassifiedSource, layer: VectorLayer, field: str, monitor: Monitor, given: str | None = None
) -> Assessment:
    """Estimate accuracy and areas of a map from labelled points.

    Args:
        source: The map.
        layer: Points in its CRS. If they have the attributes ``stratum`` and ``stratum_px`` of a drawn sample, these
            define the strata, else the classes of the map.
        field: Attribute with the class.
        monitor: Receives progress; may cancel.
        given: Classes of the reference that the user chose, see :func:`.matched_scheme`.

    Raises:
        LandCoverError: if values are not classes, no point is labelled or none is on the map.
    """
    reference = class_indices_of(attribute(layer, field), source.scheme, matched_scheme(given, source.scheme))
    pixels, strata = _locate(source, layer, monitor)
    used = (reference != NO_CLASS) & (pixels.mapped != NO_CLASS)
    facts, notes = _count_points(reference, pixels, used)
    strata = strata.of(source.scheme)
    design = _design(layer, source.scheme, strata, pixels.mapped, used, notes)
    sample = LabelledSample(
        design.strata[used],
        pixels.mapped[used],
        reference[used],
        GroundScale(source.grid).sizes(pixels.rows[used] + 0.5).prod(axis=0),
    )
    found = estimate_accuracy(sample, design.pixels, len(source.scheme.entries))
    covered = _check_strata(design, sample, notes)
    notes += zero_width_notes(
        source.scheme,
        "points",
        (found.overall, int(used.sum())),
        (found.users, found.counts.sum(axis=1)),
        (found.producers, found.counts.sum(axis=0)),
    )
    _check_rare(design, sample, strata.pixels, source.scheme, notes)
    return Assessment(
        kind="points",
        scheme=source.scheme,
        counts=found.counts,
        shares=found.shares,
        overall=found.overall,
        classified=_classified(sample, design.pixels, source.scheme),
        users=found.users,
        producers=found.producers,
        mapped=strata.areas,
        areas=[area.scaled(covered * float(strata.areas.sum())) for area in found.areas],
        unit="px" if source.grid.crs is None else "m2",
        facts=facts,
        method=[tr(_METHOD)] if design.own else [tr(_METHOD), tr(_OTHER_MAP)],
        warnings=notes,
    )


def _locate(source: ClassifiedSource, layer: VectorLayer, monitor: Monitor) -> tuple[_PointPixels, Strata]:
    """Find the pixel and the map class of each point; count the classes of the map in the same pass."""
    rows, cols = _pixels_of(layer, source.grid)
    ids = np.zeros(len(rows), np.uint8)
    counter, height = StrataCounter(source.grid), strip_rows(source.grid)
    for first, band in source.strips(height):
        raise_if_cancelled(monitor)
        monitor.report(first, source.grid.height, tr("reading the map"))
        counter.add(first, band)
        here = np.flatnonzero((rows >= first) & (rows < first + len(band)))
        ids[here] = band[rows[here] - first, cols[here]]
    return _PointPixels(rows, cols, class_indices(source.scheme)[ids].astype(np.intp)), counter.strata()


def _pixels_of(layer: VectorLayer, grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return row and column of each point, (N,) each; -1 outside the map."""
    if (shapely.get_num_coordinates(layer.geometries) > 1).any():
        raise RequestError(
            tr("Some features have more than one point."),
            tr("Split them first (Vector > Geometry Tools > Multipart to Singleparts in QGIS)."),
        )
    points = _single(layer.geometries)
    x, y = shapely.get_x(points), shapely.get_y(points)
    inverse = ~feature_transform(grid, points)
    with np.errstate(invalid="ignore"):
        cols = np.floor(inverse.a * x + inverse.b * y + inverse.c)
        rows = np.floor(inverse.d * x + inverse.e * y + inverse.f)
        inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
    return np.where(inside, rows, -1).astype(np.int64), np.where(inside, cols, -1).astype(np.int64)


def _single(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return points; multipoints of one point are unpacked."""
    many = shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOINT
    return np.where(many, shapely.get_geometry(geometries, 0), geometries)


def _count_points(
    reference: npt.NDArray[np.intp], pixels: _PointPixels, used: npt.NDArray[np.bool_]
) -> tuple[dict[str, int], list[str]]:
    """Return the number of points used and skipped, and warnings.

    Raises:
        LandCoverError: if no point can be used.
    """
    total = len(reference)
    outside = pixels.rows < 0
    nodata = ~outside & (pixels.mapped == NO_CLASS)
    unlabelled = ~outside & ~nodata & (reference == NO_CLASS)
    facts = {
        "points": int(used.sum()),
        "unlabelled": int(unlabelled.sum()),
        "outside": int(outside.sum()),
        "on_nodata": int(nodata.sum()),
    }
    if outside.all():
        raise GeoreferenceError(
            tr("None of the {total:,} points is on the map.", total=total),
            tr("Check the CRS of both, and that they cover the same area."),
        )
    if not used.any():
        raise RequestError(
            tr(
                "None of the {total:,} points has both a reference class and a map class: {unlabelled:,} have no "
                "reference class, {on_nodata:,} are on nodata, {outside:,} outside the map.",
                total=total,
                unlabelled=facts["unlabelled"],
                on_nodata=facts["on_nodata"],
                outside=facts["outside"],
            ),
            tr("Label the points, save the layer, and choose the attribute with the class."),
        )
    notes = []
    share = facts["unlabelled"] / total
    if share > _MAX_UNLABELLED:
        notes.append(
            tr(
                "{unlabelled:,} of {total:,} points ({percent:.1f} %) have no class and were skipped. If they "
                "are the difficult ones, the estimated accuracy is too high.",
                unlabelled=facts["unlabelled"],
                total=total,
                percent=100 * share,
            )
        )
    if facts["outside"]:
        notes.append(
            tr(
                "{outside:,} of {total:,} points are outside the map and were skipped.",
                outside=facts["outside"],
                total=total,
            )
        )
    if facts["on_nodata"]:
        notes.append(
            tr(
                "{on_nodata:,} of {total:,} points are on nodata of the map and were skipped.",
                on_nodata=facts["on_nodata"],
                total=total,
            )
        )
    return facts, notes


def _design(
    layer: VectorLayer,
    scheme: ClassScheme,
    strata: Strata,
    mapped: npt.NDArray[np.intp],
    used: npt.NDArray[np.bool_],
    notes: list[str],
) -> _Design:
    """Return the sampling design from the attributes of the points, else with the classes of the map as strata."""
    names = [entry.name for entry in scheme.entries]
    own = _Design(mapped, strata.pixels, names, True)
    ids, sizes = find_attribute(layer, "stratum"), find_attribute(layer, "stratum_px")
    if ids is None or sizes is None:
        return own
    try:
        ids, sizes = ids.astype(np.float64), sizes.astype(np.float64)
    except (TypeError, ValueError):
        ids = sizes = np.full(len(mapped), np.nan)
    known = np.isfinite(ids) & np.isfinite(sizes) & (sizes >= 1)
    listed = np.unique(np.column_stack([ids, sizes])[known], axis=0)
    if not known[used].all() or len(np.unique(listed[:, 0])) < len(listed):
        notes.append(
            tr(
                "The attributes stratum and stratum_px are incomplete or contradictory: the classes of the map "
                "are used as strata. That is valid only if the points were drawn at random from this map."
            )
        )
        return own
    index_of = class_indices(scheme)[np.clip(np.where(known, ids, 0), 0, 255).astype(np.int64)]
    sizes_here = strata.pixels[index_of]
    if (index_of == mapped)[used].all() and (sizes_here == sizes)[used].all():
        return own
    total = int(listed[:, 1].sum())
    if total != strata.pixels.sum():
        notes.append(
            tr(
                "The points were drawn from a map of {total:,} pixels, this map has {own_total:,}: the estimates "
                "are for the area that both cover.",
                total=total,
                own_total=int(strata.pixels.sum()),
            )
        )
    indices = np.searchsorted(listed[:, 0], ids).clip(0, len(listed) - 1)
    labels = {entry.id: entry.name for entry in scheme.entries}
    stratum_names = [labels.get(int(value), f"stratum {value:g}") for value in listed[:, 0]]
    return _Design(indices, listed[:, 1].astype(np.int64), stratum_names, False)


def _check_strata(design: _Design, sample: LabelledSample, notes: list[str]) -> float:
    """Warn of strata with fewer than two points; return the fraction of the pixels in strata with points."""
    points = np.bincount(sample.strata, minlength=len(design.pixels))
    for name, pixels, count in zip(design.names, design.pixels, points, strict=True):
        share = pixels / design.pixels.sum()
        if pixels and not count:
            notes.append(
                tr(
                    "{name} ({percent:.2f} % of the map) has no labelled point: all estimates are for the rest of "
                    "the map.",
                    name=name,
                    percent=100 * share,
                )
            )
        elif pixels and count == 1:
            notes.append(
                tr(
                    "{name} ({percent:.2f} % of the map) has only one labelled point: intervals that depend on it "
                    "are undefined. Label at least one more.",
                    name=name,
                    percent=100 * share,
                )
            )
    return float(design.pixels[points > 0].sum() / design.pixels.sum())


def _check_rare(
    design: _Design, sample: LabelledSample, pixels: npt.NDArray[np.int64], scheme: ClassScheme, notes: list[str]
) -> None:
    """Warn of rare classes of which one point in a large stratum represents a large fraction."""
    points = np.bincount(sample.strata, minlength=len(design.pixels))
    weights = np.where(points > 0, design.pixels / np.maximum(points, 1), 0)
    names = [
        entry.name
        for index, entry in enumerate(scheme.classes)
        if pixels[index]
        and weights[[name != entry.name for name in design.names]].max(initial=0) > _MAX_WEIGHT * pixels[index]
    ]
    if names:
        notes.append(
            tr(
                "One point in a large class represents more than {percent:.0f} % of the area of {names}: their "
                "producer's accuracy and area depend on few points, and the intervals are unreliable. Add points "
                "in the large classes.",
                percent=100 * _MAX_WEIGHT,
                names=joined(names),
            )
        )


def _classified(sample: LabelledSample, pixels: npt.NDArray[np.int64], scheme: ClassScheme) -> IntervalEstimate | None:
    """Return the overall accuracy without pixels that are Unlabeled on the map; None if there are none."""
    named = sample.mapped < len(scheme.classes)
    if named.all():
        return None
    agree = sample.mapped == sample.reference
    return ratio_estimate(sample.pixel_areas * agree, sample.pixel_areas * named, sample.strata, pixels)
