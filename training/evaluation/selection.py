"""Which labelled images an evaluation looks at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ..config import SplitConfig
from ..data.dataset import Dataset, Entry, LabelledImage
from ..data.splits import choose, make_split
from ..errors import DatasetError


@dataclass(frozen=True, slots=True)
class Selection:
    """Labelled images and why these.

    Args:
        entries: At least one.
        description: In words, for reports.
    """

    entries: tuple[Entry, ...]
    description: str


def select(
    dataset: Dataset, split: SplitConfig | None = None, names: Sequence[str] = (), groups: Sequence[str] = ()
) -> Selection:
    """Choose images: those that a split keeps out to validate on, or all; of these, the named ones.

    Args:
        dataset: What there is.
        split: The split; None for all labelled images.
        names: Only images of these names; empty for any.
        groups: Only images of these groups; empty for any.

    Raises:
        ConfigError: if the split names something that does not exist.
        DatasetError: if no image is left.
    """
    if split is None:
        named = ", ".join([*groups, *names])
        chosen_by = f"Labelled images chosen by name: {named}" if named else "All labelled images"
        entries, description = dataset.entries, f"{chosen_by}; the model may have been trained on them."
    elif split.kind == "patch":
        entries, description = _patches(dataset, split)
    else:
        choice = choose(dataset, split)
        entries, description = choice.validation, choice.description
        if not entries:
            raise DatasetError(
                f"The split keeps out no labelled image. {description}",
                "Choose another split, or images by --names or --groups.",
            )
    _check(names, {entry.name for entry in dataset.entries}, "image")
    _check(groups, {entry.group for entry in dataset.entries}, "group")
    chosen = tuple(
        entry for entry in entries if (not names or entry.name in names) and (not groups or entry.group in groups)
    )
    if not chosen:
        raise DatasetError("No labelled image has these names and groups and lies in the split.", "Choose others.")
    if split is not None and (names or groups):
        description += f" Of these only {', '.join([*groups, *names])}."
    return Selection(chosen, description)


def _check(wanted: Sequence[str], known: set[str], what: str) -> None:
    missing = [name for name in wanted if name not in known]
    if missing:
        listed = ", ".join(sorted(known)[:12]) + ("…" if len(known) > 12 else "")
        raise DatasetError(f"There is no labelled {what} {', '.join(missing)}.", f"There are {listed}.")


def _patches(dataset: Dataset, split: SplitConfig) -> tuple[tuple[Entry, ...], str]:
    """Return the patches of a leaking split as images of their own."""
    files = {entry.name: entry.image for entry in dataset.entries}
    made = make_split(dataset, split, say=lambda text: None)
    entries = tuple(
        Entry(patch.name, patch.group, files[patch.name.rpartition("@")[0]], partial(_same, patch))
        for patch in made.validation
    )
    return entries, made.description


def _same(image: LabelledImage) -> LabelledImage:
    return image
