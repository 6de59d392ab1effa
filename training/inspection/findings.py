"""Looks at labelled data before anything is trained: what is there, and every problem, not the first alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import ClassScheme

from ..data.dataset import Dataset, Entry, LabelledImage
from ..data.splits import class_counts
from ..errors import DatasetError

_ALIKE = 4  # of 64 bits that the hashes of near-duplicates differ in at most
_FLAT = 3.0  # grey levels: below this deviation an image has no hash, noise would make it
_LISTED = 12
_SPARSE = 0.2  # labelled share below which most random chips would show no label


@dataclass(frozen=True, slots=True)
class ImageReport:
    """What one labelled image holds.

    Args:
        name: Short name.
        group: Its place.
        height: Rows.
        width: Columns.
        counts: (K,) int64 pixels of each class.
        dhash: 64-bit perceptual hash, or None for an image without structure.
        notes: What a user should know about its labels.
    """

    name: str
    group: str
    height: int
    width: int
    counts: npt.NDArray[np.int64]
    dhash: int | None
    notes: tuple[str, ...] = ()

    @property
    def pixels(self) -> int:
        """All pixels, labelled or not."""
        return self.height * self.width


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a dataset holds.

    Args:
        dataset: What was looked at.
        images: Labelled images that could be loaded.
        errors: What stops training: one message for each image that could not be loaded.
        problems: What training survives but may suffer from.
    """

    dataset: Dataset
    images: tuple[ImageReport, ...]
    errors: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def scheme(self) -> ClassScheme:
        """The classes."""
        return self.dataset.scheme

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """(K,) pixels of each class."""
        return sum_counts(self.images, self.scheme)

    @property
    def pixels(self) -> int:
        """All pixels of the labelled images."""
        return sum(image.pixels for image in self.images)

    def by_group(self) -> Iterator[tuple[str, list[ImageReport]]]:
        """Yield every place with its images."""
        for group in sorted({image.group for image in self.images}):
            yield group, [image for image in self.images if image.group == group]


def sum_counts(images: Iterable[ImageReport], scheme: ClassScheme) -> npt.NDArray[np.int64]:
    """Return (K,) pixels of each class over several images."""
    total = np.zeros(len(scheme.classes), np.int64)
    for image in images:
        total += image.counts
    return total


def inspect_dataset(
    dataset: Dataset, look: Callable[[LabelledImage], None] | None = None, say: Callable[[str], None] = print
) -> Inspection:
    """Load every image once and report on all of them.

    Args:
        dataset: What to look at.
        look: Is shown each image that could be loaded, for pictures.
        say: Receives a line now and then on how far it is.
    """
    images: list[ImageReport] = []
    errors: list[str] = []
    for done, entry in enumerate(dataset.entries, 1):
        try:
            image = entry.load()
        except DatasetError as error:
            errors.append(str(error))
            continue
        images.append(_report(entry, image, dataset.scheme))
        if look is not None:
            look(image)
        if done % 50 == 0:
            say(f"{done} of {len(dataset.entries)} images read")
    problems = [
        *_sparse(images),
        *_single_classes(images, dataset.scheme),
        *_missing_classes(images, dataset.scheme),
        *(f"{image.name}: {note}" for image in images for note in image.notes),
        *_twins(images),
    ]
    return Inspection(dataset, tuple(images), tuple(errors), tuple(problems))


def _report(entry: Entry, image: LabelledImage, scheme: ClassScheme) -> ImageReport:
    height, width = image.labels.shape
    notes = list(entry.check())
    if (image.labels == IGNORE).all():
        notes.insert(0, "no pixel is labelled; it is not used.")
    counts = class_counts(image.labels, len(scheme.classes))
    return ImageReport(entry.name, entry.group, height, width, counts, difference_hash(image.pixels), tuple(notes))


def difference_hash(pixels: npt.NDArray[np.uint8]) -> int | None:
    """Return a 64-bit hash that survives scaling and recompression, or None for an image without structure.

    Each bit tells whether one of 8×9 means of grey is brighter than its left neighbour ("dHash").

    Args:
        pixels: (H, W, 3) uint8.
    """
    small = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX), np.float64)
    if small.std() < _FLAT:
        return None
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _twins(images: list[ImageReport]) -> list[str]:
    """Name pairs of images that look the same; in two parts of a split they would leak."""
    known = [image for image in images if image.dhash is not None]
    hashes = np.array([image.dhash for image in known], np.uint64)
    pairs: list[str] = []
    for index, image in enumerate(known[:-1]):
        alike = np.bitwise_count(hashes[index + 1 :] ^ hashes[index]) <= _ALIKE
        pairs.extend(f"{image.name} and {known[index + 1 + other].name}" for other in np.flatnonzero(alike))
    return [f"{pair} look the same: keep them in one part of a split." for pair in pairs]


def _single_classes(images: list[ImageReport], scheme: ClassScheme) -> list[str]:
    """Name images that show one class on more than half of their pixels: labels may have been forgotten."""
    single = [
        image for image in images if np.count_nonzero(image.counts) == 1 and 2 * image.counts.sum() > image.pixels
    ]
    named = [f"{image.name} is {scheme.classes[int(np.argmax(image.counts))].name} only" for image in single]
    if len(named) <= _LISTED:
        return [f"{text}: look whether its labels are complete." for text in named]
    return [f"{len(named)} images show a single class: {', '.join(named[:_LISTED])}…"]


def _sparse(images: list[ImageReport]) -> list[str]:
    labelled, pixels = sum(int(image.counts.sum()) for image in images), sum(image.pixels for image in images)
    if not images or labelled > _SPARSE * pixels:
        return []
    return [
        f"Only {labelled / pixels:.1%} of the pixels are labelled: set chips.balance = 1, so that each chip has some."
    ]


def _missing_classes(images: list[ImageReport], scheme: ClassScheme) -> list[str]:
    """Name classes that no image shows, or a single place alone: no split can both train and validate those."""
    problems = []
    for channel, entry in enumerate(scheme.classes):
        places = {image.group for image in images if image.counts[channel]}
        if not places:
            problems.append(f"No image shows {entry.name}: a model will never predict it.")
        elif len(places) == 1 and len({image.group for image in images}) > 1:
            problems.append(f"{entry.name} occurs in {places.pop()} alone: it cannot be learnt and validated both.")
    return problems
