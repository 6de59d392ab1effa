"""Assessment with labelled points, a sample: estimates with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely

from dubai_landcover_plugin.core.assessment.estimate import Estimate, Figure, LabelledSample, estimate, ratio
from dubai_landcover_plugin.core.assessment.reference_labels import attribute, class_indices_of, find_attribute
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.assessment.strata import (
    NO_CLASS,
    Strata,
    StrataCounter,
    band_rows,
    class_indices,
)
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.grid.placement import feature_transform
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled

_MOST_UNLABELLED = 0.05  # share of the points; more of them may bend the result
_MUCH = 0.1  # share of a class; a point of a large class that stands for more of it bends its interval
_METHOD = (
    "Points are a sample of the map. Accuracy and areas are estimated with the area of each class as its weight "
    "(Olofsson et al. 2014, doi:10.1016/j.rse.2014.02.015). Intervals are 1.96 standard errors wide on each side. "
    "Areas are of the classes on the ground: what the map shows, corrected for its errors."
)
_OTHER_MAP = (
    "The points were drawn from another map, whose classes are the strata (Stehman 2014, "
    "doi:10.1080/01431161.2014.930207)."
)


@dataclass(frozen=True)
class _Placed:
    """Features on the raster: (N,) row, column (-1 outside) and class index on the map."""

    rows: npt.NDArray[np.int64]
    cols: npt.NDArray[np.int64]
    mapped: npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Design:
    """How the points were drawn.

    Args:
        strata: (N,) index of the stratum of each point.
        pixels: (H,) pixels of each stratum.
        names: (H,) what to call them.
        own: Whether they are the classes of this map.
    """

    strata: npt.NDArray[np.intp]
    pixels: npt.NDArray[np.int64]
    names: list[str]
    own: bool


def assess_points(source: ClassifiedSource, layer: VectorLayer, field: str, monitor: Monitor) -> Assessment:
    """Estimate accuracy and areas of a map from labelled points.

    Args:
        source: The map.
        layer: Points in its CRS. With the attributes ``stratum`` and ``stratum_px`` of a drawn sample, these are the
            strata, else the classes of the map are.
        field: Attribute with the class.
        monitor: Hears of progress.

    Raises:
        LandCoverError: if values are no class, no point is labelled or none lies on the map.
    """
    reference = class_indices_of(attribute(layer, field), source.scheme)
    placed, strata = _place(source, layer, monitor)
    used = (reference != NO_CLASS) & (placed.mapped != NO_CLASS)
    facts, notes = _account(reference, placed, used)
    if strata.unknown_pixels(source.scheme):
        notes.append(f"{strata.unknown_pixels(source.scheme):,} pixels have no known class: they count as no data.")
    strata = strata.of(source.scheme)
    design = _design(layer, source.scheme, strata, placed.mapped, used, notes)
    sample = LabelledSample(
        design.strata[used],
        placed.mapped[used],
        reference[used],
        GroundScale(source.grid).sizes(placed.rows[used] + 0.5).prod(axis=0),
    )
    found = estimate(sample, design.pixels, len(source.scheme.entries))
    covered = _check_strata(design, sample, notes)
    _check_perfection(found, source.scheme, notes)
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
        areas=[figure.times(covered * float(strata.areas.sum())) for figure in found.areas],
        unit="px" if source.grid.crs is None else "m2",
        facts=facts,
        method=[_METHOD] if design.own else [_METHOD, _OTHER_MAP],
        warnings=notes,
    )


def _place(source: ClassifiedSource, layer: VectorLayer, monitor: Monitor) -> tuple[_Placed, Strata]:
    """Find the pixel of each point and the class there; count the classes of the map on the way."""
    rows, cols = _pixels_of(layer, source.grid)
    ids = np.zeros(len(rows), np.uint8)
    counter, height = StrataCounter(source.grid), band_rows(source.grid)
    for first, band in source.strips(height):
        raise_if_cancelled(monitor)
        monitor.report(first, source.grid.height, "reading the map")
        counter.add(first, band)
        here = np.flatnonzero((rows >= first) & (rows < first + len(band)))
        ids[here] = band[rows[here] - first, cols[here]]
    return _Placed(rows, cols, class_indices(source.scheme)[ids].astype(np.intp)), counter.strata()


def _pixels_of(layer: VectorLayer, grid: Grid) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return row and column of each point; both are -1 outside."""
    if (shapely.get_num_coordinates(layer.geometries) > 1).any():
        raise RequestError("Some features have more than one point.", "Split multipoints into single points first.")
    points = _single(layer.geometries)
    x, y = shapely.get_x(points), shapely.get_y(points)
    inverse = ~feature_transform(grid, points)
    with np.errstate(invalid="ignore"):
        cols = np.floor(inverse.a * x + inverse.b * y + inverse.c)
        rows = np.floor(inverse.d * x + inverse.e * y + inverse.f)
        inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
    return np.where(inside, rows, -1).astype(np.int64), np.where(inside, cols, -1).astype(np.int64)


def _single(geometries: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Return points; one in a multipoint comes out of it."""
    many = shapely.get_type_id(geometries) == shapely.GeometryType.MULTIPOINT
    return np.where(many, shapely.get_geometry(geometries, 0), geometries)


def _account(
    reference: npt.NDArray[np.intp], placed: _Placed, used: npt.NDArray[np.bool_]
) -> tuple[dict[str, int], list[str]]:
    """Count what is used and what not, each feature once; complain where nothing is left."""
    total = len(reference)
    outside = placed.rows < 0
    nodata = ~outside & (placed.mapped == NO_CLASS)
    unlabelled = ~outside & ~nodata & (reference == NO_CLASS)
    facts = {
        "points": int(used.sum()),
        "unlabelled": int(unlabelled.sum()),
        "outside": int(outside.sum()),
        "on_nodata": int(nodata.sum()),
    }
    if outside.all():
        raise GeoreferenceError(
            f"None of the {total:,} points lies on the map.", "Check the CRS of both, and that they belong together."
        )
    if not used.any():
        raise RequestError(
            f"None of the {total:,} points has a class and lies where the map has one: {facts['unlabelled']:,} have no "
            f"class, {facts['on_nodata']:,} lie on no data, {facts['outside']:,} outside.",
            "Label the points, save the layer, and name the attribute with the class.",
        )
    notes = []
    share = facts["unlabelled"] / total
    if share > _MOST_UNLABELLED:
        notes.append(
            f"{facts['unlabelled']:,} of {total:,} points ({100 * share:.1f} %) have no class and were "
            "left out. If they are the hard ones, the accuracy given here is too high."
        )
    if facts["outside"]:
        notes.append(f"{facts['outside']:,} of {total:,} points lie outside the map and were left out.")
    if facts["on_nodata"]:
        notes.append(f"{facts['on_nodata']:,} of {total:,} points lie where the map has no data and were left out.")
    return facts, notes


def _design(
    layer: VectorLayer,
    scheme: ClassScheme,
    strata: Strata,
    mapped: npt.NDArray[np.intp],
    used: npt.NDArray[np.bool_],
    notes: list[str],
) -> _Design:
    """Return the strata that the points tell, else the classes of the map."""
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
    told = np.unique(np.column_stack([ids, sizes])[known], axis=0)
    if not known[used].all() or len(np.unique(told[:, 0])) < len(told):
        notes.append(
            "The attributes stratum and stratum_px are not whole for all points: the classes of the map are taken as "
            "strata. That is right only if the points were drawn at random from this very map."
        )
        return own
    index_of = class_indices(scheme)[np.clip(np.where(known, ids, 0), 0, 255).astype(np.int64)]
    sizes_here = strata.pixels[index_of]
    if (index_of == mapped)[used].all() and (sizes_here == sizes)[used].all():
        return own
    every = int(told[:, 1].sum())
    if every != strata.pixels.sum():
        notes.append(
            f"The points were drawn from a map of {every:,} pixels, this one has {int(strata.pixels.sum()):,}: "
            "the estimates are for what both cover."
        )
    indices = np.searchsorted(told[:, 0], ids).clip(0, len(told) - 1)
    labels = {entry.id: entry.name for entry in scheme.entries}
    told_names = [labels.get(int(value), f"stratum {value:g}") for value in told[:, 0]]
    return _Design(indices, told[:, 1].astype(np.int64), told_names, False)


def _check_strata(design: _Design, sample: LabelledSample, notes: list[str]) -> float:
    """Warn of strata with few points; return the share of the pixels that strata with points have."""
    points = np.bincount(sample.strata, minlength=len(design.pixels))
    for name, pixels, count in zip(design.names, design.pixels, points, strict=True):
        share = pixels / design.pixels.sum()
        if pixels and not count:
            notes.append(
                f"No labelled point lies in {name}, {100 * share:.2f} % of the map: all estimates are for the "
                "rest of it."
            )
        elif pixels and count == 1:
            notes.append(
                f"One labelled point alone lies in {name}, {100 * share:.2f} % of the map: intervals that depend on "
                "it cannot be given. Label at least one more."
            )
    return float(design.pixels[points > 0].sum() / design.pixels.sum())


def _check_perfection(found: Estimate, scheme: ClassScheme, notes: list[str]) -> None:
    """Say how little an interval of no width means."""
    for index, entry in enumerate(scheme.classes):
        points, right = int(found.counts[index].sum()), int(found.counts[index, index])
        if points > 1 and right == points:
            notes.append(
                f"All {points} points on {entry.name} agree. Its interval of ± 0 is too narrow: the user's accuracy is "
                f"at least {100 * 0.05 ** (1 / points):.0f} %, with 95 % confidence."
            )


def _check_rare(
    design: _Design, sample: LabelledSample, pixels: npt.NDArray[np.int64], scheme: ClassScheme, notes: list[str]
) -> None:
    """Warn of classes so rare that a single point elsewhere is much of them."""
    points = np.bincount(sample.strata, minlength=len(design.pixels))
    worth = np.where(points > 0, design.pixels / np.maximum(points, 1), 0)
    names = [
        entry.name
        for index, entry in enumerate(scheme.classes)
        if pixels[index] and worth[[name != entry.name for name in design.names]].max(initial=0) > _MUCH * pixels[index]
    ]
    if names:
        notes.append(
            f"One point in a large class stands for more than {100 * _MUCH:.0f} % of the area of {', '.join(names)}: "
            "producer's accuracy and area there hang on few points, and the intervals are rough. More points in the "
            "large classes help."
        )


def _classified(sample: LabelledSample, pixels: npt.NDArray[np.int64], scheme: ClassScheme) -> Figure | None:
    """Return the accuracy of what has a class on the map; None where all of it has."""
    named = sample.mapped < len(scheme.classes)
    if named.all():
        return None
    agree = sample.mapped == sample.reference
    return ratio(sample.sizes * agree, sample.sizes * named, sample.strata, pixels)
