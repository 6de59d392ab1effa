"""Adds statistics of the training images to a model file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.bundle.save import replace_metadata

from ..data.chips import draw_scenes
from ..data.ground_samples import ground_samples
from ..data.places import place_names
from ..data.sources import bands_of, open_data_of
from ..data.splits import choose
from ..data.values import are_stretched, value_statistics
from ..errors import DatasetError
from .export import config_of


def add_statistics(path: str | Path, root: str | Path) -> str:
    """Store values and ground samples of the training images in a model file, and return a description of the result.

    Training images are those that the configuration in the model file does not hold out. Weights and further graphs of
    the network do not change.

    Args:
        path: The model file, replaced atomically.
        root: Data folder, as for training.

    Raises:
        BundleError: if the model file cannot be read or written.
        ConfigError: if its configuration does not fit the data.
        DatasetError: if there are no images, or one cannot be read.
    """
    path = Path(path)
    metadata = open_bundle(path).metadata
    config = config_of(metadata)
    dataset = open_data_of(config, metadata, root)
    entries = choose(dataset, config.split).training
    stretched = are_stretched(entries, bands_of(config, metadata))
    values = value_statistics((entry.load() for entry in entries), stretched)
    if values is None:
        raise DatasetError(f"No training image of the model is in {root}.", "Give the data that it was trained on.")
    place_of = place_names(dataset, entries)
    scenes = draw_scenes(config.data, metadata.scheme, metadata.gsd)
    ground = ground_samples(((place_of[entry.name], entry.load().at_model_gsd()) for entry in entries), scenes)
    replace_metadata(path, replace(metadata, values=values, ground=ground))
    kept = "" if len(values.images) == len(entries) else f" of {len(entries)}"
    lines = [f"{path}: the values of {len(values.images)}{kept} training images were added."]
    if ground is None:
        lines.append("The images are too few or too small for samples of their ground.")
    else:
        lines.append(
            f"{len(ground.cells)} samples of the ground were added; runs warn of a novelty above {ground.usual:.0f} %."
        )
    return "\n".join(lines)
