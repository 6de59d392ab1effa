"""Selection of the labelled images of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ..config import SplitConfig
from ..data.dataset import Dataset, Entry, LabelledImage
from ..data.splits import choose, make_split
from ..errors import DatasetError


@dataclass(frozen=True, slots=True)
class Selection:
    """Selected labelled images.

    Args:
        entries: Images, at least one.
        description: Description of the selection for reports.
    """

    entries: tuple[Entry, ...]
    description: str


def select(
    dataset: Dataset, split: SplitConfig | None = None, names: Sequence[str] = (), groups: Sequence[str] = ()
) -> Selection:
    """Select the validation images of a split, or all labelled images, and optionally only some of them by name.

    Args:
        dataset: Labelled images.
        split: Split; None for all labelled images.
        names: Restrict the selection to images of these names; empty for all.
        groups: Restrict the selection to images of these groups; empty for all.

    Raises:
        ConfigError: if the split names unknown images, groups or folds.
        DatasetError: if a name is unknown or no image remains.
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
                f"The split holds out no labelled image. {description}",
                "Choose another split, or select images by --names or --groups.",
            )
    _check(names, {entry.name for entry in dataset.entries}, "image")
    _check(groups, {entry.group for entry in dataset.entries}, "group")
    chosen = tuple(
        entry for entry in entries if (not names or entry.name in names) and (not groups or entry.group in groups)
    )
    if not chosen:
        raise DatasetError("No labelled image of the split has these names and groups.", "Choose others.")
    if split is not None and (names or groups):
        description += f" Of these only {', '.join([*groups, *names])}."
    return Selection(chosen, description)


def _check(names: Sequence[str], known: set[str], kind: str) -> None:
    missing = [name for name in names if name not in known]
    if missing:
        listed = ", ".join(sorted(known)[:12]) + ("…" if len(known) > 12 else "")
        raise DatasetError(f"There is no labelled {kind} {', '.join(missing)}.", f"Available: {listed}.")


def _patches(dataset: Dataset, split: SplitConfig) -> tuple[tuple[Entry, ...], str]:
    """Return the validation patches of the split ``patch`` as entries."""
    files = {entry.name: entry for entry in dataset.entries}
    parts = make_split(dataset, split, report=lambda text: None)
    entries = tuple(
        replace(
            files[patch.name.rpartition("@")[0]],
            name=patch.name,
            group=patch.group,
            load=partial(_same, patch),
            check=tuple,
            window=None,
        )
        for patch in parts.validation
    )
    return entries, parts.description


def _same(image: LabelledImage) -> LabelledImage:
    return image
