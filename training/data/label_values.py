"""The meaning of mask values: numbers or colours that stand for a class, a partial label or no label."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import ConfigError
from .dataset import NOT_CLASS

_NOT = "not "
_NUMBER, _COLOUR = re.compile(r"-?\d{1,10}"), re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class LabelValues:
    """Labels of mask values: channel, ``NOT_CLASS`` plus channel, or ``IGNORE``.

    Args:
        labels: Label by value: whole numbers, or colours as 0xRRGGBB.
        are_colours: Whether the values are colours.
    """

    labels: Mapping[int, int]
    are_colours: bool = False

    def of(self, values: npt.NDArray[np.generic]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """Return the label of each value, uint8, and where a value has a meaning, bool."""
        keys = np.array(sorted(self.labels), np.int64)
        found = np.array([self.labels[key] for key in keys.tolist()], np.uint8)
        place = np.searchsorted(keys, values).clip(0, len(keys) - 1)
        known: npt.NDArray[np.bool_] = keys[place] == values
        return np.where(known, found[place], IGNORE).astype(np.uint8), known

    @property
    def listed(self) -> str:
        """The values, for messages."""
        return ", ".join(f"#{value:06X}" if self.are_colours else str(value) for value in sorted(self.labels))


def label_of(meaning: str, scheme: ClassScheme, where: str) -> int:
    """Return the label of a text: ``NAME``, ``not NAME``, or empty for no label.

    Args:
        meaning: The text.
        scheme: The classes.
        where: What has the meaning, for messages.

    Raises:
        ConfigError: if there is no such class.
    """
    negative = meaning.casefold().startswith(_NOT)
    name = meaning[len(_NOT) :] if negative else meaning
    if not name.strip():
        return IGNORE
    try:
        entry = scheme.by_name(name)
        channel = scheme.classes.index(entry)
    except (ClassSchemeError, ValueError) as error:
        names = ", ".join(one.name for one in scheme.classes)
        raise ConfigError(
            tr("{where} means '{meaning}', but there is no class '{name}'.", where=where, meaning=meaning, name=name),
            tr(
                "The classes are {names}. Partial labels are such as 'not {example}'.",
                names=names,
                example=scheme.classes[0].name,
            ),
        ) from error
    return channel + NOT_CLASS if negative else channel


def label_values(table: Mapping[str, str], scheme: ClassScheme, where: str) -> LabelValues | None:
    """Return the meaning of mask values; None for an empty table.

    Args:
        table: Meaning by value: numbers such as ``255``, or colours such as ``#FF0000``.
        scheme: The classes.
        where: The table, for messages.

    Raises:
        ConfigError: if a value is neither, both kinds occur, or a class is unknown.
    """
    if not table:
        return None
    texts = [str(text).strip() for text in table]
    colours = [_COLOUR.fullmatch(text) is not None for text in texts]
    for text, colour in zip(texts, colours, strict=True):
        if not colour and not _NUMBER.fullmatch(text):
            raise ConfigError(
                tr("{where}: '{text}' is not a mask value.", where=where, text=text),
                tr("Write whole numbers such as 255, or colours such as #FF0000."),
            )
    if any(colours) and not all(colours):
        raise ConfigError(
            tr("{where} has numbers and colours: {names}.", where=where, names=", ".join(texts)),
            tr("A mask has one kind of values."),
        )
    numbers = [int(text[1:], 16) if colour else int(text) for text, colour in zip(texts, colours, strict=True)]
    if len(set(numbers)) < len(numbers):
        raise ConfigError(
            tr("{where} has a value twice: {names}.", where=where, names=", ".join(texts)), tr("Name each value once.")
        )
    meanings = [
        label_of(str(meaning), scheme, tr("{where}: value {text}", where=where, text=text))
        for text, meaning in zip(texts, table.values(), strict=True)
    ]
    return LabelValues(dict(zip(numbers, meanings, strict=True)), all(colours))
