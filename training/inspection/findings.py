"""Inspects labelled data before training and collects all problems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import isolated, tr

from ..config import SourceConfig
from ..data.dataset import NOT_CLASS, Dataset, Entry, LabelledImage
from ..data.splits import class_counts
from ..errors import DatasetError, in_words

_ALIKE = 4  # largest Hamming distance of the 64-bit hashes of near-duplicates
_FLAT = 3.0  # standard deviation in grey levels below which a hash would only reflect noise
_LISTED = 12
_SPARSE = 0.2  # labelled share below which most random chips would have no label


@dataclass(frozen=True, slots=True)
class ImageReport:
    """Contents of one labelled image.

    Args:
        name: Short name.
        group: Place of the image.
        height: Height, px.
        width: Width, px.
        counts: (K,) int64 pixels of each class.
        partial: (K,) int64 pixels with the partial label "not k" of each class k.
        dhash: 64-bit perceptual hash, or None for an image without structure.
        notes: Notes on its labels.
        source: Name of its source; empty without ``[[sources]]``.
    """

    name: str
    group: str
    height: int
    width: int
    counts: npt.NDArray[np.int64]
    partial: npt.NDArray[np.int64]
    dhash: int | None
    notes: tuple[str, ...] = ()
    source: str = ""

    @property
    def pixels(self) -> int:
        """Number of pixels, labelled or not."""
        return self.height * self.width

    @property
    def labelled(self) -> int:
        """Number of pixels with a class or a partial label."""
        return int(self.counts.sum() + self.partial.sum())


@dataclass(frozen=True, slots=True)
class Inspection:
    """Contents and problems of a dataset.

    Args:
        dataset: The dataset.
        images: Labelled images that could be loaded.
        errors: One message for each image that could not be loaded; these stop a training.
        problems: Findings that may degrade a training.
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
    def partial(self) -> npt.NDArray[np.int64]:
        """(K,) pixels with the partial label of each class."""
        return sum_partial(self.images, self.scheme)

    @property
    def partial_channels(self) -> list[int]:
        """Channels with partial labels."""
        return np.flatnonzero(self.partial).tolist()

    @property
    def labelled(self) -> int:
        """Number of pixels with a class or a partial label."""
        return sum(image.labelled for image in self.images)

    @property
    def pixels(self) -> int:
        """Number of pixels of the labelled images."""
        return sum(image.pixels for image in self.images)

    def by_group(self) -> Iterator[tuple[str, list[ImageReport]]]:
        """Yield every place with its images."""
        for group in sorted({image.group for image in self.images}):
            yield group, [image for image in self.images if image.group == group]

    def by_source(self) -> Iterator[tuple[SourceConfig, list[ImageReport]]]:
        """Yield every source with its images."""
        for source in self.dataset.sources:
            yield source, [image for image in self.images if image.source == source.name]


def sum_counts(images: Iterable[ImageReport], scheme: ClassScheme) -> npt.NDArray[np.int64]:
    """Return (K,) pixels of each class over several images."""
    total = np.zeros(len(scheme.classes), np.int64)
    for image in images:
        total += image.counts
    return total


def sum_partial(images: Iterable[ImageReport], scheme: ClassScheme) -> npt.NDArray[np.int64]:
    """Return (K,) pixels with the partial label of each class over several images."""
    total = np.zeros(len(scheme.classes), np.int64)
    for image in images:
        total += image.partial
    return total


def partial_names(scheme: ClassScheme) -> list[str]:
    """Return the names of the partial labels, such as ``not Building``, by channel."""
    return [tr("not {name}", name=entry.name) for entry in scheme.classes]


def inspect_dataset(
    dataset: Dataset,
    look: Callable[[LabelledImage], None] | None = None,
    report: Callable[[str], None] = print,
    hints: bool = True,
) -> Inspection:
    """Load every image once and collect contents and problems.

    Args:
        dataset: Labelled images.
        look: Called with each image that could be loaded, for pictures.
        report: Receives lines of text on the progress.
        hints: Whether errors name settings of a configuration, too.
    """
    images: list[ImageReport] = []
    errors: list[str] = []
    for done, entry in enumerate(dataset.entries, 1):
        try:
            image = entry.load()
        except DatasetError as error:
            errors.append(str(error) if hints else in_words(error))
            continue
        images.append(_report(entry, image, dataset.scheme))
        if look is not None:
            look(image)
        if done % 50 == 0:
            report(tr("{done} of {total} images read", done=done, total=len(dataset.entries)))
    problems = [
        *_sparse(images),
        *_single_classes(images, dataset.scheme),
        *_missing_classes(images, dataset.scheme),
        *(f"{isolated(image.name)}: {note}" for image in images for note in image.notes),
        *_twins(images),
    ]
    return Inspection(dataset, tuple(images), tuple(errors), tuple(problems))


def _report(entry: Entry, image: LabelledImage, scheme: ClassScheme) -> ImageReport:
    height, width = image.labels.shape
    notes = list(entry.check())
    if (image.labels == IGNORE).all():
        notes.insert(0, tr("no pixel is labelled; the image is not used."))
    counts = class_counts(image.labels, len(scheme.classes))
    # subtracting NOT_CLASS maps partial labels to channels, and wraps classes around to values from 128
    partial = class_counts(image.labels - np.uint8(NOT_CLASS), len(scheme.classes))
    return ImageReport(
        name=entry.name,
        group=entry.group,
        height=height,
        width=width,
        counts=counts,
        partial=partial,
        dhash=difference_hash(image.picture),
        notes=tuple(notes),
        source=image.source,
    )


def difference_hash(pixels: npt.NDArray[np.uint8]) -> int | None:
    """Return the 64-bit difference hash (dHash) of an image, or None for an image without structure.

    The image is averaged to 8×9 grey cells; each bit is the sign of the difference of two horizontal neighbours. The
    hash is nearly invariant to scaling and compression.

    Args:
        pixels: (H, W, 3) uint8.
    """
    small = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX), np.float64)
    if small.std() < _FLAT:
        return None
    # one bit for each of 8 × 8 differences
    bits = np.packbits(small[:, 1:] > small[:, :-1])
    return int.from_bytes(bits.tobytes(), "big")


def _twins(images: list[ImageReport]) -> list[str]:
    """Report pairs of near-duplicates, which would leak between the parts of a split."""
    known = [image for image in images if image.dhash is not None]
    hashes = np.array([image.dhash for image in known], np.uint64)
    pairs: list[tuple[str, str]] = []
    for index, image in enumerate(known[:-1]):
        # Hamming distance to all following images
        alike = np.bitwise_count(hashes[index + 1 :] ^ hashes[index]) <= _ALIKE
        pairs.extend((image.name, known[index + 1 + other].name) for other in np.flatnonzero(alike))
    return [
        tr("{one} and {other} are nearly identical: keep them in the same part of a split.", one=one, other=other)
        for one, other in pairs
    ]


def _single_classes(images: list[ImageReport], scheme: ClassScheme) -> list[str]:
    """Report images with a single class on more than half of their pixels, whose labels may be incomplete."""
    single = [
        image
        for image in images
        if not image.partial.any() and np.count_nonzero(image.counts) == 1 and 2 * image.labelled > image.pixels
    ]
    named = [(image.name, scheme.classes[int(np.argmax(image.counts))].name) for image in single]
    if len(named) <= _LISTED:
        return [
            tr("{image} has only {name}: check whether its labels are complete.", image=image, name=name)
            for image, name in named
        ]
    listed = ", ".join(f"{image} ({name})" for image, name in named[:_LISTED])
    return [tr("{count} images have a single class: {listed}…", count=len(named), listed=listed)]


def _sparse(images: list[ImageReport]) -> list[str]:
    labelled, pixels = sum(image.labelled for image in images), sum(image.pixels for image in images)
    if not images or labelled > _SPARSE * pixels:
        return []
    return [
        tr(
            "Only {share:.1%} of the pixels are labelled: label places completely rather than single objects.",
            share=labelled / pixels,
        )
    ]


def _missing_classes(images: list[ImageReport], scheme: ClassScheme) -> list[str]:
    """Report classes without labels, and classes that occur at a single place and thus cannot also be validated."""
    problems = []
    for channel, entry in enumerate(scheme.classes):
        places = {image.group for image in images if image.counts[channel]}
        if not places:
            problems.append(tr("No image has labels of {name}: a model will not predict it.", name=entry.name))
        elif len(places) == 1 and len({image.group for image in images}) > 1:
            problems.append(
                tr(
                    "{name} occurs only in {place}: it cannot be both trained and validated.",
                    name=entry.name,
                    place=places.pop(),
                )
            )
    return problems
