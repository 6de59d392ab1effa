"""Divides labelled images into training and validation images without common pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import random_split

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import english, tr

from ..config import SplitConfig
from ..errors import ConfigError, DatasetError
from .dataset import NOT_CLASS, Dataset, Entry, LabelledImage
from .ground import Ground
from .names import check_names, listing
from .places import Names, folds_of, named_places, overlapping

_BYTES = 4  # memory of a pixel of 8 bits: red, green, blue and label
_FEW = 8  # images; of fewer, ``auto`` holds out a quarter of each
_MUCH = 4e9  # bytes from which the memory of the images is reported


@dataclass(frozen=True, slots=True)
class Split:
    """Decoded images of a split.

    Args:
        training: Training images.
        validation: Validation images; may be empty.
        description: Description of the split in English, for checkpoints and cards; names leakage.
        shown: The description in the language in use; empty for that in English.
    """

    training: tuple[LabelledImage, ...]
    validation: tuple[LabelledImage, ...]
    description: str
    shown: str = ""


Sentence = Callable[[], str]
"""A sentence, translated when it is called."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Training and validation images of a split, not loaded, and the sentences that describe it."""

    training: tuple[Entry, ...]
    validation: tuple[Entry, ...]
    sentences: tuple[Sentence, ...] = field(compare=False)

    @property
    def shown(self) -> str:
        """The description in the language in use."""
        return " ".join(sentence() for sentence in self.sentences)

    @property
    def description(self) -> str:
        """The description in English."""
        with english():
            return self.shown


def make_split(dataset: Dataset, config: SplitConfig, report: Callable[[str], None] = print) -> Split:
    """Choose and load the images of a split.

    Args:
        dataset: Labelled images.
        config: Kind and parameters of the split.
        report: Receives lines of text on the split.

    Raises:
        ConfigError: if the split names unknown images, groups or folds.
        DatasetError: if an image cannot be loaded, or the training images have fewer than two classes.
    """
    if dataset.unlabelled:
        total = len(dataset.entries) + len(dataset.unlabelled)
        report(
            tr(
                "{count} of {total} images have no labels: {names}",
                count=len(dataset.unlabelled),
                total=total,
                names=listing(dataset.unlabelled),
            )
        )
    choice = choose(dataset, config)
    _report_memory((*choice.training, *choice.validation), report)
    training, validation = _load(choice.training, report), _load(choice.validation, report)
    if config.kind == "patch":
        training, validation = _divide(training, config)
    _check_classes(training, dataset.scheme, report)
    report(tr("Split: {text}", text=choice.shown))
    report(
        tr("{count} training images, {held} validation images", count=len(training), held=len(validation)),
    )
    return Split(tuple(training), tuple(validation), choice.description, choice.shown)


def choose(dataset: Dataset, config: SplitConfig) -> Choice:
    """Choose the images of a split without loading them; for ``patch`` all are in ``training``.

    For ``quarter`` all are in both parts and load with the labels of their part only.

    Raises:
        ConfigError: if the split names unknown images, groups or folds.
    """
    if config.kind == "auto":
        config = _settled(dataset, config)
    known = {name for entry in dataset.entries for name in (entry.name, entry.group)} | set(dataset.unlabelled)
    check_names(config.exclude, known, "split.exclude")
    ground = Ground(dataset.entries if config.kind not in ("none", "patch") else ())
    held, sentence = _KINDS[config.kind](dataset, config, ground)
    exclusions = _exclusions(config)
    kept = [entry for entry in dataset.entries if not {entry.name, entry.group} & set(config.exclude)]
    if config.kind == "quarter":
        return _quarters(kept, (sentence, *_overlap_note(ground, dataset.entries, kept), *exclusions))
    validation = tuple(entry for entry in kept if entry.name in held)
    common = overlapping(ground, dataset.entries, (entry.name for entry in validation))
    training = tuple(entry for entry in kept if entry.name not in held | common)
    left_out = [entry.name for entry in kept if entry.name in common - held]
    if left_out and not training:
        raise ConfigError(
            tr(
                "No training image remains: all {count} show the same ground as those held out ({names}).",
                count=len(left_out),
                names=listing([entry.name for entry in validation]),
            ),
            tr("Hold out fewer images, or add images of other ground."),
        )
    sentences = [sentence]
    if left_out:
        sentences.append(
            lambda: tr(
                "{count} images show the same ground as those and are not used: {names}.",
                count=len(left_out),
                names=listing(left_out),
            )
        )
    leaks = _shared_places(named_places(dataset, ground), training, validation)
    if leaks:
        sentences.append(
            lambda: tr(
                "It leaks: images of {names} are in both parts, so the metrics are too optimistic.",
                names=listing(leaks),
            )
        )
    alike = _same_names(training, validation) if dataset.sources else []
    if alike:
        sentences.append(
            lambda: (
                f"Places of one name in different sources are in both parts: {listing(alike)}. Without a CRS, images "
                "are not compared on the ground: if these show the same one, hold out both."
            )
        )
    return Choice(training, validation, (*sentences, *exclusions))


def _exclusions(config: SplitConfig) -> tuple[Sentence, ...]:
    return (lambda: f"Not used: {', '.join(config.exclude)}.",) if config.exclude else ()


def _settled(dataset: Dataset, config: SplitConfig) -> SplitConfig:
    """Return the split that ``auto`` stands for: places if there are enough images, else a quarter of each image."""
    by_quarter, by_location = replace(config, kind="quarter"), replace(config, kind="location")
    kept = [entry for entry in dataset.entries if not {entry.name, entry.group} & set(config.exclude)]
    if len(kept) < _FEW or len(folds_of(dataset, config)) < 2:
        return by_quarter
    choice = choose(dataset, by_location)
    # a single held-out image would decide by its own content alone, a large part would leave too little to train
    enough = 2 <= len(choice.validation) <= len(choice.training)
    return by_location if enough else by_quarter


def _quarter(dataset: Dataset, config: SplitConfig, ground: Ground) -> tuple[set[str], Sentence]:
    return set(), lambda: tr(
        "A quarter of each image held out: a strip along its left, upper, right or lower side in turn. Both parts show "
        "the same places: the metrics hold for more ground like this, and are too optimistic for other places."
    )


def _overlap_note(ground: Ground, entries: Sequence[Entry], kept: Sequence[Entry]) -> tuple[Sentence, ...]:
    names = {entry.name for entry in kept}
    pairs = [{entries[index].name for index in pair} for pair in ground.pairs.tolist()]
    common = sorted(set().union(*(pair for pair in pairs if pair <= names)))
    if not common:
        return ()
    return (
        lambda: tr(
            "It leaks: these show common ground, held out in one and trained in another: {names}.",
            names=listing(common),
        ),
    )


def _quarters(entries: Sequence[Entry], sentences: tuple[Sentence, ...]) -> Choice:
    parts = [
        tuple(replace(entry, load=partial(_load_quarter, entry, side % 4, held)) for side, entry in enumerate(entries))
        for held in (False, True)
    ]
    return Choice(parts[0], parts[1], sentences)


def _load_quarter(entry: Entry, side: int, held: bool) -> LabelledImage:
    """Return an image with the labels inside (``held``) or outside the strip along its left, upper, right, lower side.

    The pixels remain, so that predictions near the border of the strip have their surroundings, as in a run.
    """
    image = entry.load()
    across = image.labels.shape[1 - side % 2]
    position = np.arange(across) if side < 2 else np.arange(across)[::-1]
    inside = position < max(across // 4, 1)  # (W,) for left and right, (H,) for upper and lower
    mask = inside[None, :] if side % 2 == 0 else inside[:, None]
    labels = np.where(mask == held, image.labels, np.uint8(IGNORE))
    return replace(image, labels=labels)


def _none(dataset: Dataset, config: SplitConfig, ground: Ground) -> tuple[set[str], Sentence]:
    return set(), lambda: "All labelled images are training images; there is no validation."


def _seed(dataset: Dataset, config: SplitConfig, ground: Ground) -> tuple[set[str], Sentence]:
    """Apply ``torch.utils.data.random_split`` to the sorted list of all images, including unlabelled ones."""
    names = sorted([entry.name for entry in dataset.entries] + list(dataset.unlabelled))
    if config.images >= len(names):
        raise ConfigError(f"split.images is {config.images}, but there are {len(names)} images.", "Set it to fewer.")
    lengths = [len(names) - config.images, config.images]
    _, held = random_split(cast(Any, names), lengths, generator=torch.Generator().manual_seed(config.seed))
    chosen = {names[index] for index in held.indices}
    labelled = chosen - set(dataset.unlabelled)
    text = f"Random split of {len(names)} images into {lengths[0]} and {lengths[1]} with seed {config.seed}"
    if not labelled:
        text += f". None of the {config.images} images held out has labels here, so there is no validation"
    elif len(labelled) < len(chosen):
        text += f"; only {len(labelled)} of the images held out have labels here"
    return labelled, lambda: f"{text}."


def _location(dataset: Dataset, config: SplitConfig, ground: Ground) -> tuple[set[str], Sentence]:
    folds = folds_of(dataset, config, ground)
    if len(folds) < 2:
        raise ConfigError(
            f"All images are at one place ({listing(folds[0])}), so none can be held out.",
            "Use split.kind = 'seed' or 'list', or define separate groups in split.groups.",
        )
    if config.fold >= len(folds):
        listed = "; ".join(f"{index}: {', '.join(fold)}" for index, fold in enumerate(folds))
        raise ConfigError(f"split.fold is {config.fold}, but the folds are {listed}.", "Choose one of them.")
    out = folds[config.fold]
    held = {entry.name for entry in dataset.entries if {entry.name, entry.group} & set(out)}
    return held, lambda: tr(
        "By location, fold {fold} of {count}: {names} held out.", fold=config.fold, count=len(folds), names=listing(out)
    )


def _patch(dataset: Dataset, config: SplitConfig, ground: Ground) -> tuple[set[str], Sentence]:
    return (
        set(),
        lambda: (
            f"Random patches of {config.patch} px, {config.share:.0%} of them held out, seed {config.seed}. It leaks: "
            "patches of one image are in both parts, so the metrics are too optimistic. Only for comparison with the "
            "literature."
        ),
    )


def _listed(dataset: Dataset, config: SplitConfig, ground: Ground) -> tuple[set[str], Sentence]:
    known = {entry.name for entry in dataset.entries} | {entry.group for entry in dataset.entries}
    check_names(config.validation, known, "split.validation")
    held = {entry.name for entry in dataset.entries if {entry.name, entry.group} & set(config.validation)}
    return held, lambda: f"Own list: {listing(config.validation)} held out."


_KINDS = {
    "none": _none,
    "seed": _seed,
    "location": _location,
    "quarter": _quarter,
    "patch": _patch,
    "list": _listed,
}


def _shared_places(places: Iterable[Names], training: Iterable[Entry], validation: Iterable[Entry]) -> list[str]:
    """Return the groups of the places that have images in both parts."""
    of = {group: place for place in places for group in place}
    parts = [{of[entry.group] for entry in part if entry.group in of} for part in (training, validation)]
    return sorted(group for place in parts[0] & parts[1] for group in place)


def _same_names(training: Iterable[Entry], validation: Iterable[Entry]) -> list[str]:
    """Return ``held and trained`` for places without a CRS whose names, ``source/place``, differ in the source only."""
    trained, held = ({entry.group: entry for entry in part if "/" in entry.group} for part in (training, validation))
    by_name: dict[str, list[str]] = {}
    for group in trained:
        by_name.setdefault(group.partition("/")[2].casefold(), []).append(group)
    return [
        f"{group} and {other}"
        for group, entry in sorted(held.items())
        for other in by_name.get(group.partition("/")[2].casefold(), ())
        if other != group and (entry.grid() is None or trained[other].grid() is None)
    ]


def _report_memory(entries: Sequence[Entry], report: Callable[[str], None]) -> None:
    """Report the memory of the blocks of large rasters; whole image files are small in comparison."""
    needed = sum(entry.window.height * entry.window.width * _BYTES for entry in entries if entry.window is not None)
    if needed > _MUCH:
        report(
            tr(
                "{count} blocks are kept in memory, about {needed:.0f} GB. If this is too much, use fewer rasters, or "
                "label fewer places.",
                count=len(entries),
                needed=needed / 1e9,
            )
        )


def _load(entries: Iterable[Entry], report: Callable[[str], None]) -> list[LabelledImage]:
    images: list[LabelledImage] = []
    empty: list[LabelledImage] = []
    for entry in entries:
        try:
            image = entry.load()
        except DatasetError as error:
            hint = f'{error.hint} Or exclude it: split.exclude = ["{entry.name}"].'.strip()
            raise DatasetError(error.message, error.remedy, hint) from error
        (images if (image.labels != IGNORE).any() else empty).append(image)
    if empty:
        report(
            tr(
                "{count} images have no labelled pixel and are not used: {names}",
                count=len(empty),
                names=listing([image.name for image in empty]),
            )
        )
    return images


def _divide(images: Iterable[LabelledImage], config: SplitConfig) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """Cut images into patches and hold out a random share of them; incomplete patches at the borders are dropped."""
    patches = [patch for image in images for patch in _patches(image, config.patch)]
    if len(patches) < 2:
        raise DatasetError(
            f"The images yield {len(patches)} patches of {config.patch} px, too few to divide.", "Lower split.patch."
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
            bands=image.bands,
        )
        for row, col in corners
    ]


def class_counts(labels: npt.NDArray[np.uint8], classes: int) -> npt.NDArray[np.int64]:
    """Return the pixels of each channel, (K,) int64, without ``IGNORE`` and partial labels."""
    counts: npt.NDArray[np.int64] = np.bincount(labels.ravel(), minlength=classes)[:classes]
    return counts


def _check_classes(training: Sequence[LabelledImage], scheme: ClassScheme, report: Callable[[str], None]) -> None:
    """Check that at least two classes have labels, and report the classes without labels."""
    counts, others = np.zeros((2, len(scheme.classes)), np.int64)
    for image in training:
        counts += class_counts(image.labels, len(counts))
        others += class_counts(image.labels - np.uint8(NOT_CLASS), len(counts))
    present = [entry.name for entry, count in zip(scheme.classes, counts, strict=True) if count]
    if not training or not present:
        raise DatasetError(tr("There is no labelled training image."), tr("Label some images, or hold out fewer."))
    if len(present) < 2 and not others.any():
        raise DatasetError(
            tr("All training labels are {name}, but at least two classes are required.", name=present[0]),
            tr("Label a second class: {names}.", names=", ".join(entry.name for entry in scheme.classes)),
        )
    missing = [entry.name for entry in scheme.classes if entry.name not in present]
    if missing:
        report(tr("No training label for {names}: the model will not predict it.", names=", ".join(missing)))
