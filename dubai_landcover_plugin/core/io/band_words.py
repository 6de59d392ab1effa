"""Common names of bands, and how files spell them.

The names are those of the STAC extension EO where it has one, in a spelling of their own where sensors differ:
``red_edge``, ``red_edge2``, ``red_edge3`` (705, 740, 783 nm), ``swir1`` and ``swir2`` (1.6 and 2.2 µm). ``height`` is
the height above ground, ``elevation`` that above the datum.
"""

from __future__ import annotations

import re
import unicodedata

EXACT, BY_LENGTH, AMONG, BY_NUMBER = range(4)
"""Ranks of readings of a name, the surest first: the name itself, a wavelength, a word among others, a number."""

# Words of a band's name. Plain names come first: of "green" and "green i", "green" is the green band.
_WORDS = {
    "red": {"red", "r", "rot", "rouge", "rojo", "rosso", "vermelho"},
    "green": {"green", "g", "gre", "grun", "gruen", "vert", "verde"},
    "blue": {"blue", "b", "blu", "blau", "bleu", "azul"},
    "nir": {"nir", "n", "ir", "pir", "nir1", "nir08", "near", "nearinfrared", "nearir"}
    | (_INFRARED := {"infrared", "infrarot", "infrarouge", "infrarrojo", "infrarosso", "infravermelho"}),
}
# Whole names, as words in lower case.
_NAMES = {
    "nir": {"near infrared", "near ir"},
    "coastal": {"coastal", "coastal blue", "coastal aerosol"},
    "yellow": {"yellow"},
    "pan": {"pan", "panchromatic"},
    "red_edge": {
        *("red edge", "rededge", "re", "re1", "vegetation red edge"),
        *("red edge 1", "red edge1", "rededge 1", "rededge1", "rededge071"),
    },
    "red_edge2": {"red edge 2", "red edge2", "rededge 2", "rededge2", "re2", "rededge075"},
    "red_edge3": {"red edge 3", "red edge3", "rededge 3", "rededge3", "re3", "rededge078"},
    "swir1": {"swir1", "swir 1", "swir16", "swir 16"},
    "swir2": {"swir2", "swir 2", "swir22", "swir 22"},
    "thermal": {"thermal", "thermal infrared", "tir", "lwir"},
    "height": {
        *("height", "height above ground", "hag", "ndsm", "chm", "canopy height", "canopy height model"),
        *("normalized digital surface model", "normalised digital surface model"),
    },
    "elevation": {"elevation", "altitude", "dsm", "dem", "dtm", "digital surface model", "digital elevation model"},
    "ndvi": {"ndvi"},
    "ndwi": {"ndwi"},
}
SURFACE = {"dsm", "digital surface model", "surface", "surface model", "surface elevation"}
TERRAIN = {"dtm", "digital terrain model", "terrain", "terrain model", "terrain elevation", "bare earth"}
"""Names of elevations with and without buildings and trees; their difference is the height above ground."""
_COMMON = {spelling: name for name, spellings in _NAMES.items() for spelling in spellings}
_OTHERS = {
    "coastal", "edge", "rededge", "re", "yellow", "pan", "panchromatic", "swir", "swir1", "swir2", "swir16", "swir22",
    "thermal", "tir", "lwir", "cirrus", "mask", "alpha", "ndvi", "qa", "scl", "aerosol", "std", "stddev", "ratio",
}  # fmt: skip
_NUMBERED = {
    "b02": "blue",
    "b03": "green",
    "b04": "red",
    "b2": "blue",
    "b3": "green",
    "b4": "red",
    "b08": "nir",
    "b8": "nir",
}
_NANOMETRES = {
    "coastal": (400, 449),
    "blue": (450, 515),
    "green": (520, 590),
    "red": (620, 690),
    "red_edge": (695, 725),
    "red_edge2": (730, 750),
    "nir": (770, 900),
    "swir1": (1550, 1750),
    "swir2": (2050, 2350),
}
_FRAME = {"band", "channel", "layer"}
# A wavelength or a range, with a unit; the unit may be missing where there is nothing else.
_NUMBER = r"(\d+(?:\.\d+)?)"
_LENGTH = re.compile(
    rf"{_NUMBER}(?:\s*(?:-|–|to)\s*{_NUMBER})?\s*(nm|nanomet|um\b|µm|μm|micromet|microns?\b)", re.IGNORECASE
)


def words_of(text: str) -> list[str]:
    """Return the words of a name in lower case, without accents."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))
    return [word for word in re.split(r"[\W_]+", plain.lower()) if word]


def is_called(text: str, names: set[str]) -> bool:
    """Return whether a band's name is one of some names, in any case, with any signs between its words."""
    return " ".join(words_of(text)) in names


def common_name(text: str) -> str:
    """Return the common name for a name, such as ``swir1`` for ``SWIR 16``; others in lower case.

    Names that only a part of the words gives are not changed: ``slope red`` is not ``red``.
    """
    exact = [name for rank, name in read_name(text) if rank == EXACT]
    return exact[0] if exact else " ".join(text.casefold().split())


def says_other(text: str) -> bool:
    """Return whether a name says that a band is not red, green or blue."""
    return bool(set(words_of(text)) & _OTHERS)


def read_name(text: str) -> list[tuple[int, str]]:
    """Return the common names in a band's name, each with its rank."""
    words = [word for word in words_of(re.sub(r"([a-z])([A-Z])", r"\1 \2", text)) if word not in _FRAME]
    plain = [word for word in words if not re.fullmatch(r"b\d+a?", word)]  # B5 Red Edge 1
    rest = [word for word in plain if not re.fullmatch(r"\d+a?", word)]
    for spelling in (" ".join(plain), " ".join(rest), "".join(words_of(text))):  # nDSM is one word
        if spelling in _COMMON:
            return [(EXACT, _COMMON[spelling])]
    if set(rest) & _OTHERS:
        return []
    colours = [name for name, spellings in _WORDS.items() if set(rest) & spellings]
    if {"near", *_INFRARED} & set(rest):
        colours = ["nir"]
    if len(colours) == 1:
        return [(EXACT if len(rest) == 1 else AMONG, colours[0])]
    numbers = [word for word in words if word not in ("sr", "toa")]
    if not colours and len(numbers) == 1 and numbers[0] in _NUMBERED:
        return [(BY_NUMBER, _NUMBERED[numbers[0]])]
    return []


def names_at(nanometres: float) -> list[tuple[int, str]]:
    """Return the common names of a wavelength, each with its rank."""
    return [(BY_LENGTH, name) for name, (low, high) in _NANOMETRES.items() if low <= nanometres <= high]


def stated_nanometres(text: str) -> float | None:
    """Return the wavelength in a band's name, nm, the middle of a range; None without one."""
    stated = _LENGTH.search(text)
    if stated is None:
        return float(text) if re.fullmatch(r"\s*\d{3,4}(\.\d+)?\s*", text) else None
    middle = (float(stated[1]) + float(stated[2] or stated[1])) / 2
    return middle if stated[3].lower().startswith("n") else 1000 * middle
