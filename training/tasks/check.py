"""Check Labels: what is in labelled data, and what would stop or degrade a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.labelling import CheckLabelsRequest, CheckLabelsResult
from dubai_landcover_plugin.protocol.translation import tr

from ..config import SplitConfig, TrainingConfig
from ..data.dataset import Dataset, LabelledImage
from ..data.files import LabelledFiles, open_files
from ..data.names import listing
from ..data.pixels import band_count
from ..data.places import folds_of
from ..errors import in_words
from ..inspection.features import check_features
from ..inspection.findings import Inspection, inspect_dataset
from ..inspection.page import ContactSheet, page
from ..lengths import configuration
from ..loop.opening import open_training_data
from ..loop.start import Start
from .data import data_config
from .start import Report, start_files, start_of


def check_labels(request: CheckLabelsRequest, monitor: Monitor | None = None) -> CheckLabelsResult:
    """Check labelled data as a training would use it.

    Args:
        request: Rasters, labels and start.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if rasters or labels are not given, the start cannot be read, or the page cannot be written.
            Problems of the data are in the result.
        RunCancelled: if the monitor cancels.
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    start = start_of(request.start)
    files = start_files(request.data, start, request.gsd)
    config = replace(configuration("quick", None if start is None else start.model), data=data_config(request.data))
    errors: list[str] = []
    problems = _band_counts(list(files.images.values()))
    labels = len(files.masks or ())
    if files.labels is not None:
        try:
            found = check_features(
                files.labels, files.scheme, files.images.values(), config.data.layer, config.data.field
            )
            labels = found.polygons
            errors += found.errors
            problems += found.problems
        except LandCoverError as error:
            errors.append(in_words(error))
    inspection, sheet = _inspect(config, files, start, errors, monitor)
    problems += inspection.problems
    errors = list(dict.fromkeys([*errors, *inspection.errors]))
    errors += [] if errors else _too_few_classes(inspection)
    inspection = replace(inspection, errors=tuple(errors), problems=tuple(dict.fromkeys(problems)))
    for text in inspection.errors:
        monitor.log("warning", text)
    for text in inspection.problems:
        monitor.log("info", text)
    if request.report:
        write_text(request.report, page(inspection, sheet))
    names = [entry.name for entry in files.scheme.classes]
    return CheckLabelsResult(
        usable=not errors,
        errors=inspection.errors,
        problems=inspection.problems,
        images=len(inspection.images),
        labels=labels,
        pixels=dict(zip(names, inspection.counts.tolist(), strict=True)),
        facts={"notes": list(inspection.dataset.notes), "folds": _folds(inspection.dataset)},
        report=request.report,
    )


def _inspect(
    config: TrainingConfig, files: LabelledFiles, start: Start | None, errors: list[str], monitor: Monitor
) -> tuple[Inspection, ContactSheet]:
    """Load every image once; data that cannot be opened add to ``errors`` and give an empty inspection."""
    notes: list[str] = []
    try:
        _, dataset, _ = open_training_data(config, files, start, notes.append)
    except LandCoverError as error:
        errors.append(in_words(error))
        dataset = _unopened(config, files, errors)
    dataset = replace(dataset, title=files.shown, notes=(*notes, *dataset.notes))
    sheet = ContactSheet(dataset.scheme, len(dataset.entries))
    done = 0

    def look(image: LabelledImage) -> None:
        nonlocal done
        raise_if_cancelled(monitor)
        done += 1
        monitor.report(done, len(dataset.entries), tr("images"))
        sheet.add(image)

    return inspect_dataset(dataset, look, Report(monitor), hints=False), sheet


def _unopened(config: TrainingConfig, files: LabelledFiles, errors: list[str]) -> Dataset:
    """Return the data without the demands of a training, so that the page can show them; empty if they do not open."""
    try:
        return open_files(config.data, files)
    except LandCoverError as error:
        errors.append(in_words(error))
        return Dataset(files.title, files.scheme, ())


def _band_counts(paths: Sequence[Path]) -> list[str]:
    """Return a problem if rasters have different numbers of bands."""
    by_count: dict[int, list[str]] = {}
    for path in paths:
        try:
            by_count.setdefault(band_count(path), []).append(path.name)
        except (LandCoverError, OSError):  # reported when it is read
            continue
    if len(by_count) < 2:
        return []
    parts = "; ".join(f"{count}: {listing(names, 5)}" for count, names in sorted(by_count.items()))
    return [
        tr(
            "The rasters have different numbers of bands ({parts}): check that the same ones are used in all.",
            parts=parts,
        )
    ]


def _too_few_classes(found: Inspection) -> list[str]:
    """Return an error if fewer than two classes have labels, unless one has pixels that are known not to be it."""
    present = _names(found.scheme, found.counts.tolist())
    if len(present) > 1 or found.partial_channels:
        return []
    names = ", ".join(_names(found.scheme))
    if present:
        return [
            tr(
                "All labels are {name}, but a training needs at least two classes: {names}.",
                name=present[0],
                names=names,
            )
        ]
    return [tr("No pixel of a raster is labelled, but a training needs at least two classes: {names}.", names=names)]


def _names(scheme: ClassScheme, counts: Sequence[int] | None = None) -> list[str]:
    return [entry.name for index, entry in enumerate(scheme.classes) if counts is None or counts[index]]


def _folds(dataset: Dataset) -> list[list[str]]:
    return [list(fold) for fold in folds_of(dataset, SplitConfig())] if dataset.entries else []
