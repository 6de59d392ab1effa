"""Finds out what the bands of the training rasters are, so that a model can say it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dubai_landcover_plugin.protocol.model_metadata import is_unnamed_band
from dubai_landcover_plugin.protocol.translation import tr

from ..bands import InputBands
from ..errors import DatasetError
from .dataset import Entry
from .pixels import open_image


def identify_bands(entries: Sequence[Entry], bands: InputBands, report: Callable[[str], None] = print) -> InputBands:
    """Return the bands with the names that the files give them and with their numbers.

    Bands that no file names keep their numbers as names, ``band N``. Bands that were chosen by name have numbers if
    these are equal in all files. Files that cannot be opened are skipped: loading them fails.

    Args:
        entries: Labelled images.
        bands: Bands to read.
        report: Receives a line of text on the bands if they are not red, green and blue by name.

    Raises:
        DatasetError: if files give a band different names.
    """
    if bands.are_rgb:
        return bands
    found: dict[Path, tuple[tuple[int, ...], tuple[str, ...]]] = {}
    for path in dict.fromkeys(entry.image for entry in entries):
        try:
            with open_image(path, bands) as source:
                found[path] = source.bands, source.band_names
        except DatasetError:
            continue
    names = tuple(_name(index, name, found) for index, name in enumerate(bands.names))
    orders = {numbers for numbers, _ in found.values()}
    numbers = bands.numbers if len(bands.numbers) == len(names) else orders.pop() if len(orders) == 1 else ()
    if numbers and not all(map(is_unnamed_band, names)):
        listed = ", ".join(map(str, numbers))
        report(tr("Bands: the network reads {names} (bands {numbers}).", names=", ".join(names), numbers=listed))
    else:
        report(tr("Bands: the network reads {names}.", names=", ".join(names)))
    return replace(bands, names=names, numbers=numbers, fixed=False)


def _name(index: int, given: str, found: dict[Path, tuple[tuple[int, ...], tuple[str, ...]]]) -> str:
    """Return the name of an input: the configured one, else that of the files that name it."""
    if not is_unnamed_band(given):
        return given
    named = {names[index]: path for path, (_, names) in found.items() if not is_unnamed_band(names[index])}
    if len(named) > 1:
        listed = ", ".join(tr("{name} in {path}", name=name, path=path) for name, path in list(named.items())[:3])
        raise DatasetError(
            tr("{band} is {listed}.", band=given.capitalize(), listed=listed),
            tr("Choose the bands by name, or leave files out."),
            'For example data.bands = ["nir", "red", "green"].',
        )
    return next(iter(named), given)
