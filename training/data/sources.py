"""Joins several folders of training data to one dataset, with partial labels and one ground sampling distance."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata

from ..bands import InputBands
from ..config import SourceConfig, TrainingConfig
from ..errors import ConfigError, DatasetError
from .class_table import read_class_table
from .dataset import Dataset, Entry, LabelledImage
from .files import LabelledFiles
from .label_values import LabelValues, label_values
from .layouts import open_dataset
from .masks import open_masks
from .resolution import at_gsd


def open_data(config: TrainingConfig, root: str | Path | LabelledFiles, bands: InputBands | None = None) -> Dataset:
    """List the labelled images of a configuration: those of its sources, or of a single folder without sources.

    Args:
        config: Sources, class table, ground sampling distance of the model.
        root: Data folder, to which the folders of the sources are relative, or files, without sources.
        bands: Bands to read, such as those of a model; None for those of the configuration.

    Raises:
        ConfigError: if the labels of a source name an unknown class.
        DatasetError: if a folder is missing, empty or of another layout, or its classes differ.
    """
    if not config.sources or isinstance(root, LabelledFiles):
        return _at_model_gsd(open_dataset(config.data, root, bands), config)
    root = Path(root)
    scheme = read_class_table(root / config.data.classes) if config.data.classes else DUBAI
    parts = [_open_source(source, config, root, scheme, bands) for source in config.sources]
    joined = Dataset(
        title=config.data.title or " ".join(_sentence(source) for source in config.sources),
        scheme=scheme,
        entries=tuple(entry for part in parts for entry in part.entries),
        unlabelled=tuple(name for part in parts for name in part.unlabelled),
        folds=tuple(fold for part in parts for fold in part.folds),
        notes=tuple(note for part in parts for note in part.notes),
        sources=config.sources,
    )
    return _at_model_gsd(joined, config)


def _at_model_gsd(dataset: Dataset, config: TrainingConfig) -> Dataset:
    """Return the dataset at the ground sampling distance of the model, unless that is still to be found."""
    return at_gsd(dataset, config.model.gsd) if config.model.gsd else dataset


def open_data_of(config: TrainingConfig, metadata: BundleMetadata, root: str | Path) -> Dataset:
    """List the labelled images for a model: read as it reads them, from the sources of its training or one folder.

    A folder that lacks the sources is opened as a single one, such as other images of the same kind.

    Args:
        config: Configuration of the training of the model.
        metadata: Metadata of the model.
        root: Data folder.

    Raises:
        DatasetError: see :func:`open_data`.
    """
    root = Path(root)
    if config.sources and not any((root / source.folder).is_dir() for source in config.sources):
        config = replace(config, sources=())
    config = replace(config, model=replace(config.model, gsd=metadata.gsd))
    return open_data(config, root, bands_of(config, metadata))


def bands_of(config: TrainingConfig, metadata: BundleMetadata) -> InputBands:
    """Return the bands that are read for a model: its own, which numbers in a configuration replace.

    Args:
        config: Configuration of the data, for example of the training of the model.
        metadata: Metadata of the model.
    """
    own = replace(InputBands.of_model(metadata), second=config.data.second)
    given = config.data.input_bands
    if given.numbers and given.numbers != own.numbers:
        return given.scaled_as(own)
    return own


def _sentence(source: SourceConfig) -> str:
    return f"{source.name}: {source.terms or 'terms not stated'}."


def _open_source(
    source: SourceConfig, config: TrainingConfig, root: Path, scheme: ClassScheme, bands: InputBands | None
) -> Dataset:
    data, folder = config.data, root / source.folder
    codes = label_codes(source, scheme)
    if source.layers:
        table = str((root / data.classes).resolve()) if data.classes else ""
        own = replace(
            data, classes=table, labels="", layers=source.layers, area=source.area, background=source.background
        )
        part = open_dataset(own, folder, bands)
    elif codes or source.layout == "masks":
        part = open_masks(data, folder, codes, (source.images, source.masks), scheme, bands)
    else:
        part = open_dataset(replace(data, classes=""), folder, bands)
        if part.scheme != scheme:
            raise DatasetError(
                f"Source '{source.name}' has the classes {_names(part.scheme)}; those of the run are {_names(scheme)}.",
                "Define the meaning of the mask values in the labels of the source.",
            )
    known = {entry.name for entry in part.entries} | set(part.unlabelled)
    for name in source.exclude:
        if name not in known:
            raise ConfigError(f"Source '{source.name}' excludes '{name}', which does not exist.")
    entries = tuple(_renamed(entry, source) for entry in part.entries if entry.name not in source.exclude)
    used = {entry.group for entry in entries}
    folds = (tuple(f"{source.name}/{group}" for group in fold) for fold in part.folds) if not source.place else ()
    kept = (tuple(group for group in fold if group in used) for fold in folds)
    return replace(
        part,
        entries=entries,
        unlabelled=tuple(f"{source.name}/{name}" for name in part.unlabelled if name not in source.exclude),
        folds=tuple(fold for fold in kept if fold),
        notes=tuple(f"{source.name}: {note}" for note in part.notes),
    )


def label_codes(source: SourceConfig, scheme: ClassScheme) -> LabelValues | None:
    """Return the meaning of the mask values of a source; None where values are class ids or colours.

    Raises:
        ConfigError: if a value is not a number or colour, or a class is unknown.
    """
    return label_values(source.labels, scheme, f"Source '{source.name}'")


def _names(scheme: ClassScheme) -> str:
    return ", ".join(entry.name for entry in scheme.classes)


def _renamed(entry: Entry, source: SourceConfig) -> Entry:
    place = entry.group
    if source.place:
        found = re.search(source.place, entry.name)
        if not found:
            raise DatasetError(f"Source '{source.name}': '{source.place}' finds no place in '{entry.name}'.")
        place = found[1]
    own = source.gsds.get(place, source.gsd)
    name, group = f"{source.name}/{entry.name}", f"{source.name}/{place}"
    return replace(entry, name=name, group=group, load=partial(_load, entry.load, name, group, source.name), gsd=own)


def _load(load: Callable[[], LabelledImage], name: str, group: str, source: str) -> LabelledImage:
    return replace(load(), name=name, group=group, source=source)
