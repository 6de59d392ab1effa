"""Opens the data of a run: ground sampling distance and bands are those of the data, or of the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..bands import InputBands
from ..config import TrainingConfig
from ..data.band_names import identify_bands
from ..data.dataset import Dataset
from ..data.files import LabelledFiles
from ..data.resolution import at_gsd, settle_gsd
from ..data.sources import open_data
from .start import Start, bands_to_read, in_order, match_bands, settle_model


def open_training_data(
    config: TrainingConfig, root: str | Path | LabelledFiles, start: Start | None, report: Callable[[str], None] = print
) -> tuple[TrainingConfig, Dataset, InputBands]:
    """Return the configuration with the network and ground sampling distance of a run, its images and their bands.

    Args:
        config: Configuration of the run.
        root: Data folder, or files.
        start: Weights that the run starts from; None for new ones.
        report: Receives lines of text on ground sampling distance and bands.

    Raises:
        ConfigError: if the ground sampling distance is contradictory, or the bands are not those of the start.
        DatasetError: see :func:`.open_data`.
    """
    settled = settle_model(config, start)
    of_start = settled.model.gsd != config.model.gsd
    dataset = open_data(settled, root, bands_to_read(settled.data, start))
    found = settle_gsd(settled, dataset, report, of_start)
    bands = identify_bands(dataset.entries, bands_to_read(settled.data, start), report)
    if start is not None:
        matched = match_bands(bands, start)
        if matched != bands:
            bands, found = matched, in_order(found, matched)
            report(f"The bands are read in the order of {start.name}: {bands}.")
            dataset = open_data(found, root, bands)
    return found, dataset if settled.model.gsd else at_gsd(dataset, found.model.gsd), bands
