"""The samples of a session and the fit to them, with undo and redo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dubai_landcover_plugin.core.teaching.feature_store import Anchors
from dubai_landcover_plugin.core.teaching.fit import Pixels, TaughtPixels, fit_head
from dubai_landcover_plugin.core.teaching.head import Head
from dubai_landcover_plugin.core.teaching.samples import Cells, Sample
from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import tr

MOST_ANCHORS = 6000
"""Anchor pixels of a fit."""
FOLDS = 10
"""Largest number of folds of the cross-validation."""


@dataclass(frozen=True)
class PlacedSample:
    """A sample with the features of its pixels.

    Args:
        sample: The sample.
        cells: (N, 2) rows and columns of the working pixels that it covers.
        pixels: Features of at most :data:`.MAX_PIXELS` of them.
    """

    sample: Sample
    cells: Cells
    pixels: Pixels


@dataclass(frozen=True)
class Lesson:
    """One state of a session.

    Args:
        samples: The samples by id.
        new_classes: Classes that the model did not have.
        head: The last layers, fitted to the samples.
    """

    samples: Mapping[str, PlacedSample]
    new_classes: tuple[LandCoverClass, ...]
    head: Head

    def scheme(self, source: ClassScheme) -> ClassScheme:
        """Return the classes in the order of the output channels."""
        return ClassScheme((*source.classes, *self.new_classes), source.unlabeled)

    def counts(self, source: ClassScheme) -> dict[str, int]:
        """Return the number of samples of each class by name."""
        classes = self.scheme(source).classes
        ids = [one.sample.class_id for one in self.samples.values()]
        return {entry.name: ids.count(entry.id) for entry in classes}


@dataclass
class History:
    """States of a session in the order of the steps.

    Args:
        states: The states; the first one is that before teaching.
        position: Index of the current one.
    """

    states: list[Lesson] = field(default_factory=list)
    position: int = 0

    @property
    def current(self) -> Lesson:
        """The current state."""
        return self.states[self.position]

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self.position > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later state."""
        return self.position + 1 < len(self.states)

    def add(self, state: Lesson) -> None:
        """Add a state after the current one; later ones are dropped."""
        self.states[self.position + 1 :] = [state]
        self.position += 1


def taught_pixels(samples: Mapping[str, PlacedSample], ids: Sequence[int]) -> list[TaughtPixels]:
    """Return the samples as the fit takes them, ``ids`` being the class of each channel."""
    return [
        TaughtPixels(one.sample.key, ids.index(one.sample.class_id), one.pixels)
        for one in sorted(samples.values(), key=lambda one: one.sample.key)
    ]


def anchor_pixels(anchors: Mapping[int, Anchors], samples: Mapping[str, PlacedSample], width: int) -> Pixels:
    """Return the anchors of all windows without the pixels of samples, at most about :data:`MOST_ANCHORS`.

    Args:
        anchors: Anchors by index of the window.
        samples: The samples.
        width: Columns of the working grid.
    """
    share = max(MOST_ANCHORS // max(len(anchors), 1), 30)
    covered = np.concatenate([np.empty(0, np.intp), *(_numbers(one.cells, width) for one in samples.values())])
    parts = []
    for index in sorted(anchors):
        features, cells = anchors[index].features[:share], anchors[index].cells[:share]
        parts.append(features[~np.isin(_numbers(cells, width), covered)])
    channels = next((one.features.shape[1] for one in anchors.values()), 0)
    return Pixels(np.concatenate([np.empty((0, channels), np.float32), *parts]))


def contradictions(samples: Mapping[str, PlacedSample], width: int) -> list[str]:
    """Return a warning for each pair of samples of different classes that share pixels."""
    ordered = sorted(samples.values(), key=lambda one: one.sample.id)
    numbers = [_numbers(one.cells, width) for one in ordered]
    found = []
    for second in range(len(ordered)):
        for first in range(second):
            if ordered[first].sample.class_id != ordered[second].sample.class_id:
                shared = len(np.intersect1d(numbers[first], numbers[second], assume_unique=True))
                if shared:
                    found.append(
                        tr(
                            "The samples '{first}' and '{second}' of different classes share {shared} pixels; delete "
                            "or change one of them.",
                            first=ordered[first].sample.id,
                            second=ordered[second].sample.id,
                            shared=shared,
                        )
                    )
    return found


def cross_validate(head: Head, taught: Sequence[TaughtPixels], anchors: Pixels, monitor: Monitor) -> list[float]:
    """Return for each sample the share of its pixels that have its class after a fit without it.

    Samples are left out one by one, or in :data:`FOLDS` groups if there are more.

    Raises:
        RunCancelled: if the monitor cancels.
    """
    shares = [0.0] * len(taught)
    folds = min(len(taught), FOLDS)
    for fold in range(folds):
        raise_if_cancelled(monitor)
        monitor.report(fold, folds, tr("cross-validation"))
        kept = [one for index, one in enumerate(taught) if index % folds != fold]
        fitted = fit_head(head, kept, anchors)
        for index in range(fold, len(taught), folds):
            shares[index] = correct_share(fitted, taught[index])
    return shares


def correct_share(head: Head, one: TaughtPixels) -> float:
    """Return the share of a sample's pixels that have its class."""
    return float((head.of_pixels(one.pixels.features).argmax(axis=1) == one.index).mean())


def mean_by_name(shares: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """Return the mean share of each name, in the order in which names occur."""
    return {
        name: float(np.mean([share for share, own in zip(shares, names, strict=True) if own == name]))
        for name in dict.fromkeys(names)
    }


def _numbers(cells: Cells, width: int) -> Cells:
    numbers: Cells = cells[:, 0] * width + cells[:, 1]
    return numbers
