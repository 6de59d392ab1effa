"""Labelled images that are named one by one, wherever they are: rasters with a layer of polygons, or with masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import InputBands
from ..config import DataConfig
from .dataset import Dataset
from .label_values import label_values
from .layers import read_layer
from .masks import mask_dataset
from .polygons import polygon_dataset


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """Files of a dataset.

    Args:
        images: Rasters by name.
        scheme: Classes of the labels.
        title: Description of the data in English, for the model's file, one sentence.
        origin: Where the classes come from, in words.
        labels: Vector file with polygons; None with masks.
        masks: Masks by the names of their images; empty with a vector file.
        gsd: Pixel size of images without georeference, m; 0 if it is not known.
        shown: Description of the data in the language in use.
    """

    images: Mapping[str, Path]
    scheme: ClassScheme
    title: str
    origin: str
    labels: Path | None = None
    masks: Mapping[str, Path] | None = None
    gsd: float = 0.0
    shown: str = ""


def open_files(config: DataConfig, files: LabelledFiles, bands: InputBands | None = None) -> Dataset:
    """List the labelled images, without decoding them.

    Args:
        config: Layer and field of the labels, meaning of mask values, bands, blocks.
        files: The files.
        bands: Bands to read; None for those of the configuration.

    Raises:
        DatasetError: if no label lies on an image, or the layer cannot be used.
    """
    dataset = _open(config, files, bands)
    if not files.gsd:
        return dataset
    entries = (entry if entry.grid() is not None else replace(entry, gsd=files.gsd) for entry in dataset.entries)
    return replace(dataset, entries=tuple(entries))


def _open(config: DataConfig, files: LabelledFiles, bands: InputBands | None) -> Dataset:
    classes = files.scheme, files.origin
    if files.labels is None:
        codes = label_values(config.values, files.scheme, tr("The meaning of mask values"))
        read = bands or config.input_bands
        return mask_dataset(files.images, files.masks or {}, classes, codes, read, files.title)
    layer = read_layer(files.labels, files.scheme, config.layer, config.field)
    return polygon_dataset(config, files.images, layer, classes, files.title, bands)
