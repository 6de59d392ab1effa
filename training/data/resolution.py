"""Ground sampling distance of the model and of its training images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from statistics import median

from dubai_landcover_plugin.core.grid.work_grid import GSD_TOLERANCE, MAX_UPSAMPLING, is_near, is_too_coarse
from dubai_landcover_plugin.protocol.translation import tr

from ..config import TrainingConfig
from ..errors import ConfigError
from ..start_config import OF_START
from .dataset import Dataset, Entry, LabelledImage
from .names import listing

_DECLARE = "state the pixel size of each source: [[sources]] with gsd"


def at_gsd(dataset: Dataset, gsd: float) -> Dataset:
    """Return a dataset whose images know their magnification to a ground sampling distance, as in a run.

    Args:
        dataset: Labelled images.
        gsd: Ground sampling distance of the model, m/px.
    """
    entries = (replace(entry, load=partial(_scaled, entry, gsd)) for entry in dataset.entries)
    return replace(dataset, entries=tuple(entries))


def _scaled(entry: Entry, gsd: float) -> LabelledImage:
    size = entry.pixel_size()
    if size is None or is_near(size, gsd) or is_too_coarse(size, gsd):
        return entry.load()
    across, down = size
    return replace(entry.load(), scale=(down / gsd, across / gsd))


def settle_gsd(
    config: TrainingConfig, dataset: Dataset, report: Callable[[str], None] = print, of_start: bool = False
) -> TrainingConfig:
    """Return a configuration with the ground sampling distance of the model: the configured one, or that of the images.

    Pixel sizes are those of the sources, else those of the georeference of the images or their masks.

    Args:
        config: Configuration; ``model.gsd`` is 0 for that of the images.
        dataset: Labelled images.
        report: Receives a line of text on the ground sampling distance.
        of_start: The configured one is that of the model that the training starts from: other images are resampled to
            it, as a run of that model does.

    Raises:
        ConfigError: if the images contradict each other or the configuration, or their pixel size is unknown.
    """
    unused = set(config.split.exclude)
    entries = [entry for entry in dataset.entries if not {entry.name, entry.group} & unused]
    sizes = {entry.name: size for entry in entries if (size := entry.pixel_size()) is not None}
    unknown = [entry.name for entry in entries if entry.name not in sizes]
    gsd = config.model.gsd or _common_gsd(sizes, unknown)
    stated = {entry.name for entry in entries if entry.gsd}
    for name, size in sizes.items():
        if name not in stated and not of_start and not is_near(size, gsd):
            raise ConfigError(
                f"model.gsd is {gsd:g} m, but {name} has pixels of {_metres(size)}.",
                hint=f"Leave model.gsd out, which takes it from the images, or {_DECLARE}, to resample them.",
            )
        if is_too_coarse(size, gsd):
            raise ConfigError(
                tr(
                    "The ground sampling distance of the model is {gsd:g} m, but {name} has pixels of {size}, more "
                    "than {limit:g} times coarser.",
                    gsd=gsd,
                    name=name,
                    size=_metres(size),
                    limit=MAX_UPSAMPLING,
                ),
                tr("Leave this image out, or start from a model of coarser images."),
                "Or raise model.gsd.",
            )
    origin = "as configured" if config.model.gsd else tr("that of the images")
    origin = tr("that of the start") if of_start else origin
    report(tr("Ground sampling distance: {gsd:g} m/px, {origin}.", gsd=gsd, origin=origin))
    if unknown:
        report(
            tr("{names}: without a georeference, the pixels count as {gsd:g} m.", names=listing(unknown, 3), gsd=gsd)
        )
    return replace(config, model=replace(config.model, gsd=gsd))


def describe_gsd(config: TrainingConfig, dataset: Dataset) -> list[str]:
    """Return lines of text on the ground sampling distance that a training would have, or why it would be refused.

    Args:
        config: Configuration; with ``architecture = "start"`` the start decides, and nothing is returned.
        dataset: Labelled images.
    """
    if config.model.architecture == OF_START and not config.model.gsd:
        return []
    lines: list[str] = []
    try:
        settle_gsd(config, dataset, lines.append)
    except ConfigError as error:
        lines.append(str(error))
    return lines


def _common_gsd(sizes: dict[str, tuple[float, float]], unknown: Sequence[str]) -> float:
    """Return the ground sampling distance of images, m/px, to three digits.

    Raises:
        ConfigError: if it is unknown or differs.
    """
    if unknown:
        raise ConfigError(
            tr("The pixel size of {names} is unknown: neither image nor mask has a CRS.", names=listing(unknown, 3)),
            tr("Give the pixel size."),
            f"Set model.gsd to it, m/px, or {_DECLARE}.",
        )
    distances = {name: (across * down) ** 0.5 for name, (across, down) in sizes.items()}
    finest, coarsest = min(distances, key=distances.__getitem__), max(distances, key=distances.__getitem__)
    if distances[coarsest] > GSD_TOLERANCE * distances[finest]:
        raise ConfigError(
            tr(
                "The pixel sizes contradict each other: {fine:.3g} m in {one}, {coarse:.3g} m in {other}; "
                "they may differ by a factor of {factor:g}.",
                fine=distances[finest],
                one=finest,
                coarse=distances[coarsest],
                other=coarsest,
                factor=GSD_TOLERANCE,
            ),
            tr("Resample the images to one pixel size, or train a model for each."),
            f"Or set model.gsd and {_DECLARE}.",
        )
    return float(f"{median(distances.values()):.3g}")


def _metres(size: tuple[float, float]) -> str:
    return f"{size[0]:.3g}×{size[1]:.3g} m"
