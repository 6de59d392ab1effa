"""Opens the data of a run: ground sampling distance, bands and scaling are those of the data, or of the start."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dubai_landcover_plugin.protocol.translation import tr

from ..bands import InputBands
from ..config import TrainingConfig
from ..data.band_names import identify_bands
from ..data.band_statistics import standardized
from ..data.dataset import Dataset
from ..data.files import LabelledFiles
from ..data.resolution import at_gsd, settle_gsd
from ..data.sources import open_data
from ..data.splits import choose
from ..errors import ConfigError
from .further_bands import has_further, scaled_with_start
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
        ConfigError: if the ground sampling distance is contradictory, the bands or their scaling are not those of the
            start, or the configuration asks for what these bands cannot have.
        DatasetError: see :func:`.open_data`.
    """
    settled = settle_model(config, start)
    of_start = settled.model.gsd != config.model.gsd
    read = bands_to_read(settled.data, start)
    if start is not None and len(read.names) == len(start.bands.names):
        read = read.scaled_as(start.bands)
    dataset = open_data(settled, root, read)
    found = settle_gsd(settled, dataset, report, of_start)
    bands = identify_bands(dataset.entries, read, report)
    if start is not None:
        matched = match_bands(bands, start)
        if matched != bands:
            bands, found = matched, in_order(found, matched)
            report(tr("The bands are read in the order of {start}: {bands}.", start=start.name, bands=bands))
            dataset = open_data(found, root, found.data.input_bands.scaled_as(bands))
    if start is not None and has_further(bands, start.bands):
        bands = scaled_with_start(choose(dataset, config.split).training, read, bands, start.bands)
        dataset = open_data(found, root, read.scaled_as(bands))
        report(
            tr(
                "{start} reads {bands}; the filters of the further bands begin with zero.",
                start=start.name,
                bands=start.bands,
            )
        )
    elif settle_scaling(config, bands, start) == "standardize" and bands.scaling is None:
        bands = standardized(choose(dataset, config.split).training, read).with_names_of(bands)
        dataset = open_data(found, root, read.scaled_as(bands))
    if bands.scaling is not None:
        limits = bands.scaling.describe(bands.names)
        report(tr("Scaling: values of every type, standardized by band; {limits}.", limits=limits))
    _check(config, bands)
    return found, dataset if settled.model.gsd else at_gsd(dataset, found.model.gsd), bands


def settle_scaling(config: TrainingConfig, bands: InputBands, start: Start | None) -> str:
    """Return ``stretch`` or ``standardize`` for the scaling of a configuration.

    Raises:
        ConfigError: if the start has the other one.
    """
    wanted = config.data.scaling
    if start is not None:
        own = "stretch" if start.bands.scaling is None else "standardize"
        if wanted not in ("auto", own):
            raise ConfigError(
                f"data.scaling is '{wanted}', but {start.name} was trained with '{own}'.",
                "Leave data.scaling out, or start without it.",
            )
        return own
    return wanted if wanted != "auto" else "stretch" if len(bands.names) == 3 else "standardize"


def _check(config: TrainingConfig, bands: InputBands) -> None:
    """Check that a configuration asks for nothing that only red, green and blue of 8 bits have.

    Raises:
        ConfigError: if it does.
    """
    if bands.scaling is not None and config.chips.stretch:
        raise ConfigError(
            f"chips.stretch is {config.chips.stretch:g}: it imitates the stretch to 8 bits, but the bands are "
            "standardized.",
            "Set chips.stretch = 0, or data.scaling = 'stretch'.",
        )
    if config.data.scenes and config.data.scene_share and not (bands.are_rgb and bands.scaling is None):
        raise ConfigError(
            f"data.scenes draws red, green and blue of 8 bits, but the network reads {bands}.",
            "Set data.scene_share = 0.",
        )
