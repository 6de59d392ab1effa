"""Chooses the bands of a raster for a model, and adds those that are derived from others."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from dubai_landcover_plugin.core.io.band_selection import Bands, band_names, chosen_bands, find_bands
from dubai_landcover_plugin.core.io.band_stack import BandStack, derivable
from dubai_landcover_plugin.core.io.band_words import SURFACE, TERRAIN, common_name, is_called
from dubai_landcover_plugin.core.io.source_dataset import SourceOptions
from dubai_landcover_plugin.protocol.derived_bands import RECIPES, inputs_of
from dubai_landcover_plugin.protocol.translation import tr

_HEIGHT = "height"


def select_bands(dataset: Any, wanted: tuple[str, ...], options: SourceOptions) -> tuple[Any, Bands]:
    """Return the dataset, with derived bands where the model reads some, and the bands to read.

    Numbers that the user has chosen are those of all bands but the derived ones, and then of further bands that these
    need, see :func:`.inputs_of`.

    Args:
        dataset: The raster.
        wanted: Names of the bands that the model reads.
        options: Choices of the user, and numbers in the training rasters.

    Raises:
        BandError: if the raster lacks bands.
    """
    chosen, trained = options.bands, options.trained
    height = None if chosen is not None else _height_above_ground(dataset, wanted)
    if height:
        dataset = dataset if isinstance(dataset, BandStack) else BandStack(dataset, None, ExitStack())
        number = dataset.derive(_HEIGHT, height, normalized=False)
        selected, with_height = select_bands(dataset, wanted, options)
        note = tr(
            "{name} (band {number}) is band {surface} (surface) minus band {terrain} (terrain).",
            name=_HEIGHT,
            number=number,
            surface=height[0],
            terrain=height[1],
        )
        return selected, replace(with_height, notes=(*with_height.notes, note))
    derived = derivable(wanted, band_names(dataset, tuple(range(1, dataset.count + 1))))
    if chosen is not None:
        derived = derivable(wanted, ())  # numbers say what a raster's own names do not
    if not derived:
        if chosen is not None:
            return dataset, chosen_bands(dataset, wanted, chosen, trained)
        return dataset, find_bands(dataset, wanted, trained)
    kept = tuple(name for name in wanted if name not in derived)
    inputs = tuple(dict.fromkeys((*kept, *inputs_of(tuple(map(common_name, derived))))))
    if chosen is not None:
        found = chosen_bands(dataset, inputs, chosen)
    else:
        numbers = dict(zip(wanted, trained))
        known = tuple(numbers[name] for name in inputs) if set(inputs) <= set(numbers) else ()
        found = find_bands(dataset, inputs, known)
    stack = dataset if isinstance(dataset, BandStack) else BandStack(dataset, None, ExitStack())
    places = dict(zip(map(common_name, inputs), found.numbers))
    notes = []
    for name in derived:
        first, second = RECIPES[common_name(name)]
        places[common_name(name)] = stack.derive(name, (places[first], places[second]))
        notes.append(
            tr(
                "{name} is computed from bands {first_band} ({first}) and {second_band} ({second}).",
                name=name,
                first_band=places[first],
                first=first,
                second_band=places[second],
                second=second,
            )
        )
    bands = tuple(places[common_name(name)] for name in wanted)
    return stack, Bands(bands, (*found.notes, *notes), found.warnings)


def _height_above_ground(dataset: Any, wanted: tuple[str, ...]) -> tuple[int, int] | None:
    """Return the bands with the elevation of surface and terrain, if the raster has both, but no height; else None."""
    names = dataset.descriptions
    if _HEIGHT not in map(common_name, wanted) or _HEIGHT in band_names(dataset, tuple(range(1, len(names) + 1))):
        return None
    found = [
        [band for band, text in enumerate(names, 1) if is_called(text or "", spellings)]
        for spellings in (SURFACE, TERRAIN)
    ]
    return (found[0][0], found[1][0]) if all(len(bands) == 1 for bands in found) else None
