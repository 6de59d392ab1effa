"""Divides labelled images into those to train on and those to validate on; no image and no pixel lies in both."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import random_split

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import ClassScheme

from ..config import SplitConfig
from ..errors import ConfigError, DatasetError
from .dataset import Dataset, Entry, LabelledImage

_BYTES = 4  # of a pixel in memory: red, green, blue and label
_MUCH = 4e9
_MANY = 8  # places that are kept out one by one


@dataclass(frozen=True, slots=True)
class Split:
    """Decoded images.

    Args:
        training: Images to train on.
        validation: Images to validate on; may be empty.
        description: How they were chosen, in words for logs and cards; says so where the split leaks.
    """

    training: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What :func:`choose` decided, before anything is loaded: names to train and to validate on, and why."""

    training: tuple[Entry, ...]
    validation: tuple[Entry, ...]
    description: str


def make_split(dataset: Dataset, config: SplitConfig, say: Callable[[str], None] = print) -> Split:
    """Choose and load the images of a split.

    Args:
        dataset: What there is.
        config: How to divide it.
        say: Receives lines on what was left out and chosen.

    Raises:
        ConfigError: if the split names images, groups or a fold that do not exist.
        DatasetError: if an image cannot be loaded, or there are fewer than two classes to learn.
    """
    if dataset.unlabelled:
        total = len(dataset.entries) + len(dataset.unlabelled)
        say(f"{len(dataset.unlabelled)} of {total} images have no labels and are left out: {_told(dataset.unlabelled)}")
    choice = choose(dataset, config)
    _tell_memory((*choice.training, *choice.validation), say)
    training, validation = _load(choice.training, say), _load(choice.validation, say)
    if config.kind == "patch":
        training, validation = _divide(training, config)
    _check_classes(training, dataset.scheme, say)
    say(f"Split: {choice.description}")
    say(f"{len(training)} images to train on, {len(validation)} to validate on")
    return Split(tuple(training), tuple(validation), choice.description)


def choose(dataset: Dataset, config: SplitConfig) -> Choice:
    """Choose the images of a split without loading any; for ``patch`` all are in ``training``.

    Raises:
        ConfigError: if the split names images, groups or a fold that do not exist.
    """
    known = {name for entry in dataset.entries for name in (entry.name, entry.group)} | set(dataset.unlabelled)
    _check_names(config.exclude, known, "split.exclude")
    held, description = _KINDS[config.kind](dataset, config)
    kept = [entry for entry in dataset.entries if not {entry.name, entry.group} & set(config.exclude)]
    training = tuple(entry for entry in kept if entry.name not in held)
    validation = tuple(entry for entry in kept if entry.name in held)
    leaks = _shared_places(dataset, training, validation)
    if leaks:
        description += f" It leaks: images of {_told(leaks)} lie in both parts, so the figures are too good."
    if config.exclude:
        description += f" Left out altogether: {', '.join(config.exclude)}."
    return Choice(training, validation, description)


def _none(dataset: Dataset, config: SplitConfig) -> tuple[set[str], str]:
    return set(), "All labelled images are trained on; nothing is left to validate on."


def _seed(dataset: Dataset, config: SplitConfig) -> tuple[set[str], str]:
    """Choose as ``torch.utils.data.random_split`` does over the sorted list of all images, unlabelled ones too."""
    names = sorted([entry.name for entry in dataset.entries] + list(dataset.unlabelled))
    if config.images >= len(names):
        raise ConfigError(
            f"split.images is {config.images}, but there are {len(names)} images.", "Keep out fewer than there are."
        )
    lengths = [len(names) - config.images, config.images]
    _, held = random_split(cast(Any, names), lengths, generator=torch.Generator().manual_seed(config.seed))
    chosen = {names[index] for index in held.indices}
    labelled = chosen - set(dataset.unlabelled)
    text = f"Random split of {len(names)} images into {lengths[0]} and {lengths[1]} with seed {config.seed}"
    if not labelled:
        return labelled, (
            f"{text}. None of the {config.images} images kept out has labels here: there is nothing to validate on."
        )
    if len(labelled) < len(chosen):
        text += f"; only {len(labelled)} of the images kept out have labels here"
    return labelled, f"{text}."


def folds_of(dataset: Dataset, config: SplitConfig) -> tuple[tuple[str, ...], ...]:
    """Return the groups that ``location`` keeps out together: the configured ones, the data's own, or one by one.

    Where nobody said which, and there are many, they are gathered into five folds of neighbours by name: a single small
    image tells little, and neighbours by name often are neighbours on the ground.

    Raises:
        ConfigError: if a configured group does not exist or is named twice.
    """
    groups = sorted({entry.group for entry in dataset.entries})
    folds = config.groups or dataset.folds
    named = [group for fold in folds for group in fold]
    _check_names(named, set(groups), "split.groups")
    if len(set(named)) < len(named):
        raise ConfigError(f"split.groups names a group twice: {', '.join(named)}.", "Name each group once.")
    places = (*folds, *((group,) for group in groups if group not in named))
    if config.groups or len(places) <= _MANY:
        return places
    return tuple(
        tuple(group for place in part for group in places[place]) for part in np.array_split(range(len(places)), 5)
    )


def _location(dataset: Dataset, config: SplitConfig) -> tuple[set[str], str]:
    folds = folds_of(dataset, config)
    if len(folds) < 2:
        raise ConfigError(
            f"The images lie at one place ({_told(folds[0])}), so none can be kept out.",
            "Use split.kind = 'seed' or 'list', or name groups that lie apart in split.groups.",
        )
    if config.fold >= len(folds):
        listed = "; ".join(f"{index}: {', '.join(fold)}" for index, fold in enumerate(folds))
        raise ConfigError(f"split.fold is {config.fold}, but the folds are {listed}.", "Choose one of them.")
    out = folds[config.fold]
    held = {entry.name for entry in dataset.entries if entry.group in out}
    return held, f"By location, fold {config.fold} of {len(folds)}: {_told(out)} kept out of training."


def _patch(dataset: Dataset, config: SplitConfig) -> tuple[set[str], str]:
    return set(), (
        f"Random patches of {config.patch} px, {config.share:.0%} of them kept out, seed {config.seed}. It leaks: "
        "patches of one image lie in both parts, so the figures are too good. Only to compare with the literature."
    )


def _listed(dataset: Dataset, config: SplitConfig) -> tuple[set[str], str]:
    known = {entry.name for entry in dataset.entries} | {entry.group for entry in dataset.entries}
    _check_names(config.validation, known, "split.validation")
    held = {entry.name for entry in dataset.entries if {entry.name, entry.group} & set(config.validation)}
    return held, f"Own list: {_told(config.validation)} kept out of training."


_KINDS = {"none": _none, "seed": _seed, "location": _location, "patch": _patch, "list": _listed}


def _shared_places(dataset: Dataset, training: Iterable[Entry], validation: Iterable[Entry]) -> list[str]:
    """Return the groups, joined to places by the dataset's folds, that have images in both parts."""
    place = {group: fold for fold in dataset.folds for group in fold}
    parts = [{place.get(entry.group, (entry.group,)) for entry in part} for part in (training, validation)]
    return sorted(group for fold in parts[0] & parts[1] for group in fold)


def _check_names(names: Iterable[str], known: set[str], where: str) -> None:
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3, 0.4) or sorted(known)[:5]
            raise ConfigError(f"{where} names '{name}', which does not exist.", f"Did you mean {', '.join(close)}?")


def _told(names: Sequence[str]) -> str:
    shown = ", ".join(names[:12])
    return shown if len(names) <= 12 else f"{shown} and {len(names) - 12} more"


def _tell_memory(entries: Sequence[Entry], say: Callable[[str], None]) -> None:
    """Tell how much the blocks of large rasters take; whole image files are small beside them."""
    needed = sum(entry.window.height * entry.window.width * _BYTES for entry in entries if entry.window is not None)
    if needed > _MUCH:
        say(
            f"{len(entries)} blocks are kept in memory, about {needed / 1e9:.0f} GB. If that is too much, lower "
            "data.block, so that less around the polygons is kept, or train on fewer rasters."
        )


def _load(entries: Iterable[Entry], say: Callable[[str], None]) -> list[LabelledImage]:
    images: list[LabelledImage] = []
    empty: list[LabelledImage] = []
    for entry in entries:
        try:
            image = entry.load()
        except DatasetError as error:
            remedy = f'{error.remedy} Or leave it out: split.exclude = ["{entry.name}"].'.strip()
            raise DatasetError(error.message, remedy) from error
        (images if (image.labels != IGNORE).any() else empty).append(image)
    if empty:
        say(f"{len(empty)} images have no labelled pixel and are left out: {_told([image.name for image in empty])}")
    return images


def _divide(images: Iterable[LabelledImage], config: SplitConfig) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Cut images into patches, of which a random share is kept out; what is left at the borders is dropped."""
    patches = [patch for image in images for patch in _patches(image, config.patch)]
    if len(patches) < 2:
        raise DatasetError(
            f"The images give {len(patches)} patches of {config.patch} px, too few to divide.", "Lower split.patch."
        )
    order = np.random.default_rng(config.seed).permutation(len(patches))
    held = set(order[: round(config.share * len(patches))].tolist())
    return (
        [patch for index, patch in enumerate(patches) if index not in held],
        [patch for index, patch in enumerate(patches) if index in held],
    )


def _patches(image: LabelledImage, side: int) -> list[LabelledImage]:
    height, width = image.labels.shape
    corners = [(row, col) for row in range(0, height - side + 1, side) for col in range(0, width - side + 1, side)]
    return [
        LabelledImage(
            f"{image.name}@{row},{col}",
            image.pixels[row : row + side, col : col + side],
            image.labels[row : row + side, col : col + side],
            image.group,
        )
        for row, col in corners
    ]


def class_counts(labels: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.int64]:
    """Return (K,) pixels of each channel; ``IGNORE`` is not counted."""
    counts: npt.NDArray[np.int64] = np.bincount(labels.ravel(), minlength=classes)[:classes]
    return counts


def _check_classes(training: Sequence[LabelledImage], scheme: ClassScheme, say: Callable[[str], None]) -> None:
    """Refuse to learn from fewer than two classes; tell which of the scheme's classes are missing."""
    counts = np.zeros(len(scheme.classes), np.int64)
    for image in training:
        counts += class_counts(image.labels, len(counts))
    present = [entry.name for entry, count in zip(scheme.classes, counts, strict=True) if count]
    if not training or not present:
        raise DatasetError("There is no labelled image to train on.", "Label some, or keep fewer of them out.")
    if len(present) < 2:
        raise DatasetError(
            f"All labels to train on are {present[0]}: there is nothing to tell apart.",
            f"Label a second class: {', '.join(entry.name for entry in scheme.classes)}.",
        )
    missing = [entry.name for entry in scheme.classes if entry.name not in present]
    if missing:
        say(f"Nothing to train on shows {', '.join(missing)}: the model will never predict it.")
