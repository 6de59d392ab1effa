"""Teaches a model with the labels of a vector layer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dubai_landcover_plugin.core.assessment.reference_labels import attribute, find_attribute
from dubai_landcover_plugin.core.grid.placement import feature_transform, to_pixels
from dubai_landcover_plugin.core.io.class_legend import generated_colour
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.core.teaching.fit import Pixels
from dubai_landcover_plugin.core.teaching.labels import brush_widths, class_ids
from dubai_landcover_plugin.core.teaching.lesson import PlacedSample
from dubai_landcover_plugin.core.teaching.model import check_new_file
from dubai_landcover_plugin.core.teaching.samples import MAX_PIXELS, Sample
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.drawn_layers import BRUSH, CLASS, FROM, TO
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.session import OpenSession, SaveModel, TeachState
from dubai_landcover_plugin.protocol.requests.teaching import TeachRequest, TeachResult
from dubai_landcover_plugin.protocol.translation import tr

_MOST_LABELS = 5_000
_ALL_PIXELS = 50_000  # of all labels together; features of one take 1.3 kB


def teach_model(request: TeachRequest, monitor: Monitor | None = None) -> TeachResult:
    """Correct the last layers of a model with labels and write the taught model.

    Args:
        request: Raster, labels, output and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Returns:
        The model file, the number of labels and their agreement with the model before and after.

    Raises:
        LandCoverError: if raster, labels or model cannot be used; no file is written then.
        RunCancelled: if the monitor cancels the run.

    Example:
        >>> from dubai_landcover_plugin.core import teach_model
        >>> from dubai_landcover_plugin.protocol.requests import TeachRequest
        >>> result = teach_model(TeachRequest("image.tif", "building.gpkg", "own.safetensors"))
        >>> result.samples
        {'Building': 2}
    """
    started = time.perf_counter()
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    layer = read_vector(request.labels)
    with TeachingSession(OpenSession(request.input, request.options), monitor) as session:
        check_new_file(request.output, session.job.bundle, request.options.overwrite)
        described = session.describe()
        for note in described.notes:
            monitor.log("info", note)
        classes = new_classes(request.new_classes, session.scheme)
        samples, warnings = label_samples(layer, request, session, classes)
        warnings = [*described.warnings, *warnings]
        session.features.add_overview(monitor)
        placed, outside, others = _place(session, samples, monitor)
        if outside:
            warnings.append(
                tr(
                    "{count:,} labels are outside of the raster or on pixels without data and were left out.",
                    count=outside,
                )
            )
        if others:
            warnings.append(
                tr(
                    "{count:,} corrections of one class have no pixel to which the model gives this class; they were "
                    "left out.",
                    count=others,
                )
            )
        state = session.teach_placed(placed, (), classes, time.perf_counter())
        warnings += state.warnings[:10]
        for warning in warnings:
            monitor.log("warning", warning)
        return _save(session, request, state, warnings, started, monitor)


def label_samples(
    layer: VectorLayer, request: TeachRequest, session: TeachingSession, added: Sequence[LandCoverClass] = ()
) -> tuple[list[Sample], list[str]]:
    """Return the labels of a layer as samples, and warnings.

    Raises:
        RequestError: if the layer lacks the attribute, no label has a class, or a width is invalid.
        ClassSchemeError: if a value is not a class of the model.
    """
    grid, warnings = session.job.source.grid, []
    if layer.crs is None and grid.crs is not None:
        warnings.append(tr("The labels have no CRS: the CRS of the raster was assumed."))
    if layer.crs is not None and grid.crs is None:
        warnings.append(tr("The raster has no CRS: the coordinates of the labels were used unchanged."))
    field = request.class_field or _class_field(layer)
    values = attribute(layer, field).tolist()
    # A correction of one class says nothing about pixels of other classes.
    replaced = find_attribute(layer, FROM) if field.strip().casefold() == TO else None
    only = (
        [0] * len(values)
        if replaced is None
        else class_ids(replaced.tolist(), session.scheme.entries, tr("labels"), tr("model"))
    )
    brushes = find_attribute(layer, BRUSH)
    widths = brush_widths([None] * len(values) if brushes is None else brushes.tolist(), request.brush)
    layer = layer.to_crs(grid.crs)
    transform = feature_transform(grid, layer.geometries)
    classes = (*session.scheme.classes, *added)
    ids = class_ids(values, classes, tr("labels"), tr("model"), left_out=[session.scheme.unlabeled])
    samples = [
        Sample(str(number + 1), class_id, to_pixels(geometry, transform), width, limit)
        for number, (class_id, geometry, width, limit) in enumerate(
            zip(ids, layer.geometries, widths, only, strict=True)
        )
        if class_id and geometry is not None
    ]
    if not samples:
        raise RequestError(
            tr("None of the {total:,} labels has a geometry and a class.", total=len(values)),
            tr("Choose the attribute with the class."),
        )
    if len(samples) < len(values):
        warnings.append(
            tr("{count:,} labels without class or geometry were left out.", count=len(values) - len(samples))
        )
    if len(samples) > _MOST_LABELS:
        picked = np.sort(np.random.default_rng(0).choice(len(samples), _MOST_LABELS, replace=False))
        warnings.append(
            tr("Of {count:,} labels, {limit:,} drawn at random were used.", count=len(samples), limit=_MOST_LABELS)
        )
        samples = [samples[index] for index in picked]
    return samples, warnings


def _class_field(layer: VectorLayer) -> str:
    """Return the attribute with the class: ``class``, or ``to`` of corrections."""
    return TO if find_attribute(layer, CLASS) is None and find_attribute(layer, TO) is not None else CLASS


def new_classes(texts: Sequence[str], scheme: ClassScheme) -> tuple[LandCoverClass, ...]:
    """Return classes to add to those of a model, with the lowest free ids.

    Args:
        texts: ``NAME`` or ``NAME=#RRGGBB`` of each.
        scheme: Classes of the model.

    Raises:
        ClassSchemeError: if a name or colour is invalid, or a name is taken.
    """
    known = list(scheme.entries)
    for text in texts:
        name, _, colour = (part.strip() for part in text.partition("="))
        if name.casefold() in {entry.name.casefold() for entry in known}:
            raise ClassSchemeError(
                tr("There is a class '{name}' already.", name=name), tr("Choose another name for the new class.")
            )
        ids = {entry.id for entry in known}
        number = next(value for value in range(1, 256) if value not in ids)
        known.append(
            LandCoverClass(number, name, colour.upper() or generated_colour(number, {entry.colour for entry in known}))
        )
    return tuple(known[len(scheme.entries) :])


def _place(
    session: TeachingSession, samples: Sequence[Sample], monitor: Monitor
) -> tuple[dict[str, PlacedSample], int, int]:
    """Return samples with their features by id, and two numbers of samples that were left out.

    The first is that of samples that are not on the raster's data, the second that of samples of one class without a
    pixel of this class.

    Raises:
        RequestError: if none is.
    """
    most = min(max(_ALL_PIXELS // len(samples), 5), MAX_PIXELS)
    height, width = session.job.plan.tiles.window_shape

    def place(sample: Sample) -> tuple[float, float]:
        middle = sample.geometry.centroid
        return middle.y // height, middle.x // width

    placed = {}
    outside = others = 0
    first_error: RequestError | None = None
    for done, sample in enumerate(sorted(samples, key=place)):  # by window, so that each is computed once
        raise_if_cancelled(monitor)
        monitor.report(done, len(samples), tr("labels"))
        try:
            found = session.features.place(sample, monitor, MAX_PIXELS if sample.only else most)
        except RequestError as error:
            first_error = first_error or error
            outside += 1
            continue
        limited = _limited(session, found, most)
        if limited is None:
            others += 1
        else:
            placed[sample.id] = limited
    if not placed and not outside:
        raise RequestError(
            tr(
                "None of the {count:,} corrections has a pixel to which the model gives the class that they replace.",
                count=others,
            ),
            tr("Choose the model with which the raster was classified, or leave the attribute from empty."),
        )
    if not placed:
        reason = first_error.message if first_error else ""
        raise RequestError(
            tr("None of the {count:,} labels is on the raster. {reason}", count=len(samples), reason=reason).strip(),
            tr("Choose labels that were drawn on this raster, and check the CRS of both."),
        )
    return placed, outside, others


def _limited(session: TeachingSession, placed: PlacedSample, most: int) -> PlacedSample | None:
    """Return a sample with at most ``most`` pixels of the class :attr:`.Sample.only`; None if it has no such pixel."""
    if not placed.sample.only:
        return placed
    features = placed.pixels.features
    channels = session.history.current.head.of_pixels(features).argmax(axis=1)
    features = features[np.array(session.scheme.ids)[channels] == placed.sample.only]
    if not len(features):
        return None
    picked = np.unique(np.linspace(0, len(features) - 1, min(most, len(features))).round().astype(int))
    return replace(placed, pixels=Pixels(features[picked]))


def _save(
    session: TeachingSession,
    request: TeachRequest,
    state: TeachState,
    warnings: Sequence[str],
    started: float,
    monitor: Monitor,
) -> TeachResult:
    """Judge the labels, write the model and return the result."""
    found = session.agreement(monitor, least=1)
    saved = session.save(SaveModel(request.output, request.model_title or "", request.options.overwrite), monitor)
    return TeachResult(
        output=request.output,
        model_hash=saved.model_hash,
        source=session.job.bundle.metadata.name,
        samples={name: count for name, count in state.counts.items() if count},
        before=found.before,
        after=found.after if found.samples > 1 else None,
        classes={
            name: {"before": found.classes_before[name], "after": found.classes[name] if found.samples > 1 else None}
            for name in found.classes_before
        },
        seconds=round(time.perf_counter() - started, 3),
        warnings=tuple(warnings),
    )
