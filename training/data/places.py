"""Places of labelled images: images that show common ground, or belong together by name, are at one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dubai_landcover_plugin.protocol.translation import tr

from ..config import SplitConfig
from ..errors import ConfigError
from .dataset import Dataset, Entry
from .ground import Ground
from .names import check_names

Names = tuple[str, ...]
"""Names of the groups or images of a place or fold."""

_MANY = 8  # largest number of places that are separate folds


def folds_of(dataset: Dataset, config: SplitConfig, ground: Ground | None = None) -> tuple[Names, ...]:
    """Return the folds of ``location``: the configured ones, or one per place.

    A place has the images of a group, those of a fold of the dataset, and all images that overlap them on the ground.
    If that joins all groups, as folders of several years of one area, the overlaps alone decide; if these join all
    images, as chips with overlap, the folds are the quarters of the area, and the split leaves out the training images
    that reach into the quarter held out. More than eight places are joined to five folds in the order of their names,
    because metrics on a single small image are unreliable and neighbours by name are often neighbours on the ground.

    Args:
        dataset: Labelled images.
        config: Configured folds; the groups that they do not name are places as above.
        ground: Overlaps of the images of the dataset; None to find them.

    Raises:
        ConfigError: if a configured group is unknown or occurs twice.
    """
    groups = sorted({entry.group for entry in dataset.entries})
    named = [group for fold in config.groups for group in fold]
    check_names(named, set(groups), "split.groups")
    if len(set(named)) < len(named):
        raise ConfigError(f"split.groups contains a group twice: {', '.join(named)}.", "Name each group once.")
    ground = ground or Ground(dataset.entries)
    if config.groups:
        rest = _joined([(group,) for group in groups if group not in named], dataset.entries, ground.pairs)
        return (*config.groups, *rest)
    places = _places(dataset, ground, ground.pairs)
    if len(places) == 1 and len(groups) > 1 and len(ground.pairs):
        places = _quarters(dataset.entries, ground) or places
    if len(places) <= _MANY:
        return places
    return tuple(
        tuple(name for place in part for name in places[place]) for part in np.array_split(range(len(places)), 5)
    )


def place_names(dataset: Dataset, entries: Iterable[Entry] | None = None) -> dict[str, str]:
    """Return the place of each image by its name, for statistics: blocks of one raster are at one place.

    Args:
        dataset: The dataset.
        entries: Images, or patches of images of the dataset; None for all images of the dataset.
    """
    blocks = [index for index, entry in enumerate(dataset.entries) if entry.window is not None]
    first: dict[str, int] = {}
    of_one_file = [(first.setdefault(str(dataset.entries[index].image), index), index) for index in blocks]
    ground = Ground(dataset.entries)
    pairs = np.concatenate([ground.pairs, np.array(of_one_file, np.int64).reshape(-1, 2)])
    found = {}
    for place in _places(dataset, ground, pairs):
        label = place[0] if len(place) == 1 else tr("{names} and {count} more", names=place[0], count=len(place) - 1)
        found.update(dict.fromkeys(place, label))
    names = {entry.name: found.get(entry.name) or found[entry.group] for entry in dataset.entries}
    if entries is None:
        return names
    # a patch is at the place of its image, see selection.py
    images = ((entry, entry.name.rpartition("@")[0]) for entry in entries)
    return {entry.name: names.get(entry.name) or names.get(image) or entry.group for entry, image in images}


def named_places(dataset: Dataset, ground: Ground) -> tuple[Names, ...]:
    """Return the groups, joined by the folds of the dataset; empty if overlaps join all to one place."""
    groups = _groups(dataset)
    joins_all = len(groups) > 1 and len(_joined(groups, dataset.entries, ground.pairs)) == 1
    return () if joins_all else tuple(groups)


def _groups(dataset: Dataset) -> list[Names]:
    """Return the folds of the dataset, and the groups of no fold by name."""
    listed = {group for fold in dataset.folds for group in fold}
    others = sorted({entry.group for entry in dataset.entries} - listed)
    return [*dataset.folds, *((group,) for group in others)]


def _places(dataset: Dataset, ground: Ground, pairs: npt.NDArray[np.int64]) -> tuple[Names, ...]:
    """Return groups joined by folds and pairs; images joined by pairs if that joins all groups to one place."""
    groups = _groups(dataset)
    joined = _joined(groups, dataset.entries, pairs)
    if len(joined) > 1 or len(groups) < 2 or not len(ground.pairs):
        return joined
    # images without a position stay together with their group
    located = ground.located
    singles = [(entry.name,) for entry, known in zip(dataset.entries, located, strict=True) if known]
    unlocated = {entry.group for entry, known in zip(dataset.entries, located, strict=True) if not known}
    parts = _joined([*singles, *((group,) for group in sorted(unlocated))], dataset.entries, pairs)
    return parts if len(parts) > 1 else joined


def _joined(places: Sequence[Names], entries: Sequence[Entry], pairs: npt.NDArray[np.int64]) -> tuple[Names, ...]:
    """Join places with common ground, in the order of the first place of each.

    Args:
        places: Names of groups or images.
        entries: N images; those of no place are ignored.
        pairs: (P, 2) int64 indices of images with common ground.
    """
    index = {name: number for number, place in enumerate(places) for name in place}
    of = np.array([index.get(entry.name, index.get(entry.group, -1)) for entry in entries], np.int64)
    first, second = of[pairs].T
    known = (first >= 0) & (second >= 0)
    edges = (np.ones(int(known.sum()), np.bool_), (first[known], second[known]))
    parts = connected_components(coo_array(edges, shape=(len(places), len(places))), directed=False)[1]
    joined: dict[int, list[str]] = {}
    for number, place in enumerate(places):
        joined.setdefault(int(parts[number]), []).extend(place)
    return tuple(map(tuple, joined.values()))


def _quarters(entries: Sequence[Entry], ground: Ground) -> tuple[Names, ...]:
    """Return the images of each quarter of an area by the position of their centres; empty for fewer than two.

    Quarters that all other images reach into are left out, because nothing would be trained.
    """
    indices = np.flatnonzero(ground.located)
    centres = ground.centres[indices]
    middle = centres.mean(axis=0)
    east = np.cross((0.0, 0.0, 1.0), middle) if abs(middle[2]) < 0.999 * np.linalg.norm(middle) else np.eye(3)[0]
    places = np.stack([centres @ east, centres @ np.cross(middle, east)], axis=1)
    upper = places > (places.min(axis=0) + places.max(axis=0)) / 2  # (n, 2)
    quarters: dict[tuple[bool, bool], list[str]] = {}
    for index, (right, top) in zip(indices.tolist(), upper.tolist(), strict=True):
        quarters.setdefault((not top, right), []).append(entries[index].name)
    found = [tuple(quarters[key]) for key in sorted(quarters)]
    usable = [quarter for quarter in found if len({*quarter, *overlapping(ground, entries, quarter)}) < len(entries)]
    return tuple(usable) if len(usable) > 1 else ()


def overlapping(ground: Ground, entries: Sequence[Entry], held: Iterable[str]) -> set[str]:
    """Return the names of the images that share ground with the images ``held``, without these."""
    names = set(held)
    found = set()
    for pair in ground.pairs.tolist():
        first, second = (entries[index].name for index in pair)
        if (first in names) != (second in names):
            found.add(second if first in names else first)
    return found
