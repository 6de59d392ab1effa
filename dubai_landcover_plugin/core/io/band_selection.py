"""Finds the bands that a model reads: by number, by names in the file, by colour interpretation, last by position.

For a model that records the numbers of its bands in the training rasters these numbers count instead of the position.
Only red, green and blue are ever taken by position; whatever is not told by the file comes with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rasterio
from rasterio.enums import ColorInterp

from dubai_landcover_plugin.core.io.band_words import (
    BY_NUMBER,
    EXACT,
    common_name,
    names_at,
    read_name,
    says_other,
    stated_nanometres,
    words_of,
)
from dubai_landcover_plugin.protocol.errors import BandError
from dubai_landcover_plugin.protocol.model_metadata import is_unnamed_band
from dubai_landcover_plugin.protocol.translation import joined, marked, tr

_TAGS = ("eo:common_name", "common_name", "name", "band_name", "bandname", "long_name", "description")
_COMMON = _TAGS[:2]
_NOT_RGB = {
    ColorInterp.alpha, ColorInterp.hue, ColorInterp.saturation, ColorInterp.lightness, ColorInterp.cyan,
    ColorInterp.magenta, ColorInterp.yellow, ColorInterp.black,
}  # fmt: skip
_NO_MEANING = _NOT_RGB | {
    ColorInterp.undefined, ColorInterp.gray, ColorInterp.palette, ColorInterp.Y, ColorInterp.Cb, ColorInterp.Cr,
}  # fmt: skip
_GENERIC = re.compile(r"(?:band|channel|layer|b)?\d*|gray|grey")  # words of a name that say nothing about a band
_MAX_NAME = 100  # characters; longer descriptions are not names
_COLOURS = (marked("red"), marked("green"), marked("blue"))
_FIRST_COUNTS = (*_COLOURS, "nir")
_REMEDY = "choose the bands yourself: --bands, or Bands in QGIS"


@dataclass(frozen=True)
class Bands:
    """The bands that are read.

    Args:
        numbers: Band numbers from 1, in the order of the model's inputs.
        notes: Messages for the log.
        warnings: Warnings for the user.
    """

    numbers: tuple[int, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class _Found:
    """Bands found so far, by common name, and in which way."""

    bands: dict[str, int] = field(default_factory=dict)
    ways: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add(self, found: Mapping[str, int], way: str) -> None:
        """Add bands of names that are not found yet."""
        new = {name: band for name, band in found.items() if name not in self.bands and band not in self.bands.values()}
        self.bands.update(new)
        if new:
            self.ways.append(f"{way} ({joined(new)})" if self.ways or len(new) < len(found) else way)


def chosen_bands(
    dataset: rasterio.DatasetReader, wanted: tuple[str, ...], chosen: tuple[int, ...], trained: tuple[int, ...] = ()
) -> Bands:
    """Return the bands that the user has chosen, with a warning where the raster names them otherwise.

    Args:
        dataset: The raster.
        wanted: Names of the bands that the model reads.
        chosen: Band numbers from 1, one for each name.
        trained: Numbers of the bands in the training rasters; empty if unknown.

    Raises:
        BandError: if their number is not the model's, or the raster does not have them.
    """
    if len(chosen) != len(wanted):
        raise BandError(
            tr(
                "The model reads {count} bands ({names}), got {given}: {chosen}.",
                count=len(wanted),
                names=joined(wanted),
                given=len(chosen),
                chosen=list(chosen),
            ),
            tr("Give one band number for each, in that order."),
        )
    if max(chosen) > dataset.count:
        raise BandError(
            tr("Band {chosen} was asked for. {bands}", chosen=max(chosen), bands=band_list(dataset)),
            tr("Choose among those."),
        )
    differing = [
        tr("band {band} is read as {name}, the raster calls it {own}", band=band, name=name, own=own)
        for name, band, own in zip(wanted, chosen, band_names(dataset, chosen))
        if own != common_name(name) and not is_unnamed_band(own) and not is_unnamed_band(name)
    ]
    other = tr("; training read {listed}", listed=_listed(trained)) if trained and chosen != trained else ""
    note = tr(
        "Bands {listed} are read as {names}, as chosen{other}.",
        listed=_listed(chosen),
        names=_shown(wanted),
        other=other,
    )
    warning = tr("The chosen bands contradict the raster: {names}.", names=joined(differing, mark="; "))
    return Bands(chosen, (note,), (warning,) if differing else ())


def find_bands(dataset: rasterio.DatasetReader, wanted: tuple[str, ...], trained: tuple[int, ...] = ()) -> Bands:
    """Return the bands of some names: by names in the file, then colour interpretation, then number or position.

    Args:
        dataset: The raster.
        wanted: Names, e.g. ``("red", "green", "blue")``, as :func:`band_names` returns them.
        trained: Numbers of these bands in the training rasters, which count for bands that the raster does not name;
            empty takes the first ones that are nothing else for red, green and blue.

    Raises:
        BandError: if it has too few bands, another band at such a number, or does not say which band is one that is
            neither red, green nor blue.
    """
    named, numbered = _named_bands(dataset)
    described = _described_bands(dataset)
    common = {name: common_name(name) for name in wanted}
    named |= {name: described[name] for name in wanted if name in described and common[name] not in named}
    interpreted = _interpreted_bands(dataset)
    found = _Found()
    by_name = {name: named.get(common[name], named.get(name)) for name in wanted}
    found.add({name: band for name, band in by_name.items() if band is not None}, tr("names of the bands"))
    differing = [name for name, band in found.bands.items() if interpreted.get(common[name], band) != band]
    if differing:
        found.warnings.append(
            tr(
                "Names and colour interpretation of the bands differ for {names}: the names count. Choose the "
                "bands yourself if they are wrong.",
                names=joined(differing),
            )
        )
    if numbered:
        found.warnings.append(
            tr(
                "Bands named {names} are read as in Sentinel-2 and Landsat 8: B4 is red, B3 green, B2 blue. "
                "Choose the bands yourself for other sensors.",
                names=joined(numbered),
            )
        )
    if not set(wanted) <= set(found.bands):
        other = set(named.values())
        by_colour = {name: interpreted[common[name]] for name in wanted if common[name] in interpreted}
        by_colour = {name: band for name, band in by_colour.items() if band not in other}
        found.add(by_colour, tr("colour interpretation"))
    if not trained and all(map(is_unnamed_band, wanted)):
        trained = tuple(int(name.split()[1]) for name in wanted)  # the names are the numbers
    if trained:
        _add_by_number(dataset, wanted, trained, found)
    else:
        _add_by_position(dataset, wanted, set(named.values()), found)
    numbers = tuple(found.bands[name] for name in wanted)
    note = tr(
        "Bands {listed} are read as {names}, by {ways}.",
        listed=_listed(numbers),
        names=_shown(wanted),
        ways=tr(" and ").join(found.ways),
    )
    return Bands(numbers, (note,), tuple(found.warnings))


def _add_by_number(
    dataset: rasterio.DatasetReader, wanted: tuple[str, ...], trained: tuple[int, ...], found: _Found
) -> None:
    """Take the numbers in the training rasters for the names that are left, with a warning.

    Raises:
        BandError: if the raster has no such band, or names it otherwise.
    """
    left = {name: band for name, band in zip(wanted, trained) if name not in found.bands}
    if not left:
        return
    for name, band in left.items():
        (own,) = band_names(dataset, (band,)) if band <= dataset.count else ("",)
        # a band without a name in the training rasters may have any name here, but only one that is not read already
        if not own or band in found.bands.values() or not (is_unnamed_band(own) or is_unnamed_band(name)):
            meant = (
                tr("band {band}", band=band)
                if is_unnamed_band(name)
                else tr("{name} (band {band} of the training rasters)", name=name, band=band)
            )
            raise BandError(
                tr("The model reads {meant}. {bands}", meant=meant, bands=band_list(dataset)),
                bands_remedy(wanted),
            )
    found.bands.update(left)
    found.ways.append(tr("their numbers in the training rasters"))
    numbers = tuple(left.values())
    names = zip(numbers, band_names(dataset, numbers))
    listed = joined(f"{band}{'' if is_unnamed_band(name) else f' ({name})'}" for band, name in names)
    found.warnings.append(
        tr(
            "The training rasters do not name bands {listed}: bands {other_listed} of this raster are read. "
            "Choose the bands yourself if their order differs.",
            listed=_listed(numbers),
            other_listed=listed,
        )
        if all(map(is_unnamed_band, left))
        else tr(
            "The raster does not say which of its {count} bands are {missing}: bands {listed} are read, by "
            "their numbers in the training rasters. Choose the bands yourself if their order differs.",
            count=dataset.count,
            missing=joined(left),
            listed=listed,
        )
    )


def band_names(dataset: rasterio.DatasetReader, numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Return what a raster says that its bands are; ``band N`` where it says nothing.

    Names in the file come first, as common names where they are known (``nir``) and else in lower case
    (``height above ground``), then the colour interpretation.

    Args:
        dataset: The raster.
        numbers: Band numbers from 1.
    """
    named, _ = _named_bands(dataset)
    coloured = {name: band for name, band in _interpreted_bands(dataset).items() if name not in named}
    names: dict[int, str] = {}
    for source in (named, _described_bands(dataset), coloured):
        for name, band in source.items():
            if name not in names.values():
                names.setdefault(band, name)
    return tuple(names.get(band, f"band {band}") for band in numbers)


def bands_remedy(wanted: tuple[str, ...]) -> str:
    """Return what to do if a raster lacks bands that a model reads."""
    return tr("Use a raster with these bands: {names}; or {remedy}.", names=joined(wanted), remedy=tr(_REMEDY))


def _interpreted_bands(dataset: rasterio.DatasetReader) -> dict[str, int]:
    """Return the bands by the common name of their colour interpretation; the first of several that are RGB or nir."""
    names = [None if colour in _NO_MEANING else common_name(colour.name) for colour in dataset.colorinterp]
    return {
        name: names.index(name) + 1
        for name in dict.fromkeys(names)
        if name is not None and (name in _FIRST_COUNTS or names.count(name) == 1)
    }


def _described_bands(dataset: rasterio.DatasetReader) -> dict[str, int]:
    """Return the bands by their names in the file, in lower case; without names that are numbers or occur twice."""
    names = [" ".join(words_of(text or "")) for text in dataset.descriptions]
    return {
        name: band
        for band, name in enumerate(names, 1)
        if names.count(name) == 1
        and len(name) <= _MAX_NAME
        and not all(_GENERIC.fullmatch(word) for word in name.split())
    }


def _add_by_position(dataset: rasterio.DatasetReader, wanted: tuple[str, ...], named: set[int], found: _Found) -> None:
    """Take the first bands that are nothing else for the names that are left, with a warning."""
    left = [name for name in wanted if name not in found.bands]
    if not left:
        return
    if not set(map(common_name, wanted)) <= set(_COLOURS):
        raise BandError(
            tr(
                "The model reads {count} bands ({names}), but the raster does not say which band is {missing}. {bands}",
                count=len(wanted),
                names=joined(wanted),
                missing=joined(left),
                bands=band_list(dataset),
            ),
            tr("Name the bands in the file, or {remedy}. One band may be chosen several times.", remedy=tr(_REMEDY)),
        )
    other = named | set(found.bands.values()) | _with_other_names(dataset)
    free = [band for band, colour in enumerate(dataset.colorinterp, 1) if colour not in _NOT_RGB and band not in other]
    if len(free) < len(left):
        raise BandError(
            tr(
                "The model reads {count} bands ({names}). {bands}",
                count=len(wanted),
                names=joined(wanted),
                bands=band_list(dataset),
            ),
            tr("Use a raster with these bands, or {remedy} (one band may be given several times).", remedy=tr(_REMEDY)),
        )
    found.bands.update(zip(left, free))
    found.ways.append(tr("position"))
    found.warnings.append(
        tr(
            "The raster does not say which of its {count} bands are {missing}: bands {listed} were taken in "
            "that order.",
            count=dataset.count,
            missing=joined(left),
            listed=_listed(free[: len(left)]),
        )
        if len(left) > 1
        else tr(
            "The raster does not say which of its {count} bands is {missing}: band {band} was taken.",
            count=dataset.count,
            missing=left[0],
            band=free[0],
        )
    )


def band_list(dataset: rasterio.DatasetReader) -> str:
    """Return the bands of a raster with name, colour interpretation and type, for messages."""
    parts = [
        f"{band} ({joined(filter(None, (dataset.descriptions[band - 1], colour.name, kind)))})"
        for band, (colour, kind) in enumerate(zip(dataset.colorinterp, dataset.dtypes), 1)
    ]
    return tr(
        "{name} has {count} band(s): {names}.",
        name=Path(dataset.name).name,
        count=dataset.count,
        names=joined(parts[:20]),
    )


def _named_bands(dataset: rasterio.DatasetReader) -> tuple[dict[str, int], list[str]]:
    """Return the bands by common name, and the names of those that only a number identifies."""
    best: dict[str, tuple[int, int]] = {}  # common name: rank, band
    twice: set[str] = set()
    for band in range(1, dataset.count + 1):
        for rank, name in _readings(dataset, band):
            if name not in best or rank < best[name][0]:
                best[name] = rank, band
                twice.discard(name)
            elif rank == best[name][0] and band != best[name][1] and name not in _FIRST_COUNTS:
                twice.add(name)  # such as three bands called rededge: none is the red edge
    best = {name: found for name, found in best.items() if name not in twice}
    if not {"red", "green", "blue"} <= set(best):  # another sensor's numbers, or a part of them
        best = {name: found for name, found in best.items() if found[0] != BY_NUMBER}
    numbered = [_label(dataset, band) for name, (rank, band) in best.items() if rank == BY_NUMBER]
    return {name: band for name, (_, band) in best.items()}, numbered


def _readings(dataset: rasterio.DatasetReader, band: int) -> list[tuple[int, str]]:
    """Return the common names that a band may have, each with its rank."""
    tags = {key.lower(): str(value) for key, value in dataset.tags(band).items()}
    if tags.get("eo", "").startswith("common_name="):  # GDAL splits eo:common_name=red at the colon
        tags["eo:common_name"] = tags["eo"].partition("=")[2]
    found = [(EXACT, common_name(tags[key])) for key in _COMMON if key in tags]
    for text in (dataset.descriptions[band - 1], *(tags.get(key) for key in _TAGS)):
        found += read_name(text or "")
    length = _nanometres(dataset, band, tags)
    return found + (names_at(length) if length else [])


def _with_other_names(dataset: rasterio.DatasetReader) -> set[int]:
    """Return the bands whose names or interpretation say that they are not red, green or blue."""
    found = set()
    for band, text in enumerate(dataset.descriptions, 1):
        if says_other(text or ""):
            found.add(band)
    return found


def _nanometres(dataset: rasterio.DatasetReader, band: int, tags: Mapping[str, str]) -> float | None:
    """Return the central wavelength of a band, nm; None if the file does not state it."""
    imagery: dict[str, Any] = dataset.tags(band, ns="IMAGERY")
    try:
        if "CENTRAL_WAVELENGTH_UM" in imagery:
            return 1000 * float(imagery["CENTRAL_WAVELENGTH_UM"])
        value = float(tags["wavelength"])
    except (KeyError, ValueError):
        return stated_nanometres(dataset.descriptions[band - 1] or "")
    return value * 1000 if value < 100 else value  # µm or nm


def _label(dataset: rasterio.DatasetReader, band: int) -> str:
    return dataset.descriptions[band - 1] or tr("band {band}", band=band)


def _shown(names: tuple[str, ...]) -> str:
    """Return names of bands for the log; colours in the language in use."""
    return joined(tr(name) if name in _COLOURS else name for name in names)


def _listed(numbers: tuple[int, ...] | list[int]) -> str:
    return joined(map(str, numbers))
