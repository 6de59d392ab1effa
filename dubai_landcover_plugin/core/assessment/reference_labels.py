"""Reads reference classes from attributes: ids or names, case-insensitive, or empty."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.strata import NO_CLASS
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.translation import joined, tr


def attribute(layer: VectorLayer, name: str) -> npt.NDArray[Any]:
    """Return the values of an attribute, (N,); its name is case-insensitive.

    Raises:
        RequestError: if there is no such attribute.
    """
    values = find_attribute(layer, name)
    if values is None:
        raise RequestError(
            tr("The layer has no attribute '{name}'.", name=name),
            tr("Choose the attribute with the class: {names}.", names=joined(layer.fields)),
        )
    return values


def find_attribute(layer: VectorLayer, name: str) -> npt.NDArray[Any] | None:
    """Return the values of an attribute, (N,), whose name is case-insensitive; None if there is none."""
    for own, values in layer.fields.items():
        if own.casefold() == name.strip().casefold():
            return values
    return None


def class_indices_of(
    values: npt.NDArray[Any], scheme: ClassScheme, reference: ClassScheme | None = None
) -> npt.NDArray[np.intp]:
    """Return the index in ``scheme.entries`` of each value, (N,); ``NO_CLASS`` for empty values, 0 and Unlabeled.

    Args:
        values: (N,) ids or names of classes.
        scheme: Classes of the map.
        reference: Classes of the values, matched with those of the map by name; None for those of the map.

    Raises:
        ClassSchemeError: if values are not classes of the map; lists them.
    """
    given = reference or scheme
    index_of = {entry.name.casefold(): index for index, entry in enumerate(scheme.classes)}
    known: dict[str, int] = {"": NO_CLASS, "0": NO_CLASS, str(given.unlabeled.id): NO_CLASS}
    known[given.unlabeled.name.casefold()] = NO_CLASS
    classes = [(entry, index_of.get(entry.name.casefold())) for entry in given.classes]
    known.update({entry.name.casefold(): index for entry, index in classes if index is not None})
    known.update({str(entry.id): index for entry, index in classes if index is not None})
    texts = [value_text(value) for value in values.tolist()]
    unknown = sorted({text for text in texts if text.casefold() not in known})
    if unknown:
        listed = joined((f"'{text}'" for text in unknown), 8)
        names = joined(f"{entry.id} {entry.name}" for entry in scheme.entries)
        raise ClassSchemeError(
            tr("The reference has values that are not classes of the map: {listed}.", listed=listed),
            tr("Use ids or names among {names}; empty means not labelled.", names=names)
            if reference is None
            else tr(
                "The map has {names}: name the classes of the class scheme of the reference like these.", names=names
            ),
        )
    return np.array([known[text.casefold()] for text in texts], np.intp)


def value_text(value: Any) -> str:
    """Return a value as text; integers that were read as floats get no decimal point."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value).strip()
