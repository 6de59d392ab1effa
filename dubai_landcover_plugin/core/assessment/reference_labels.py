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


def attribute(layer: VectorLayer, name: str) -> npt.NDArray[Any]:
    """Return the values of an attribute, (N,); its name is case-insensitive.

    Raises:
        RequestError: if there is no such attribute.
    """
    values = find_attribute(layer, name)
    if values is None:
        raise RequestError(
            f"The layer has no attribute '{name}'.",
            f"Choose the attribute with the class: {', '.join(layer.fields)}.",
        )
    return values


def find_attribute(layer: VectorLayer, name: str) -> npt.NDArray[Any] | None:
    """Return the values of an attribute, (N,), whose name is case-insensitive; None if there is none."""
    for own, values in layer.fields.items():
        if own.casefold() == name.strip().casefold():
            return values
    return None


def class_indices_of(values: npt.NDArray[Any], scheme: ClassScheme) -> npt.NDArray[np.intp]:
    """Return the index in ``scheme.entries`` of each value, (N,); ``NO_CLASS`` for empty values, 0 and Unlabeled.

    Raises:
        ClassSchemeError: if values are not classes of the scheme; lists them.
    """
    ids = {entry.id: index for index, entry in enumerate(scheme.classes)}
    known: dict[str, int] = {"": NO_CLASS, "0": NO_CLASS, str(scheme.unlabeled.id): NO_CLASS}
    known[scheme.unlabeled.name.casefold()] = NO_CLASS
    known.update({entry.name.casefold(): ids[entry.id] for entry in scheme.classes})
    known.update({str(class_id): index for class_id, index in ids.items()})
    texts = [_text(value) for value in values.tolist()]
    unknown = sorted({text for text in texts if text.casefold() not in known})
    if unknown:
        listed = ", ".join(f"'{text}'" for text in unknown[:8]) + (" …" if len(unknown) > 8 else "")
        names = ", ".join(f"{entry.id} {entry.name}" for entry in scheme.entries)
        raise ClassSchemeError(
            f"The reference has values that are not classes of the map: {listed}.",
            f"Use ids or names among {names}; empty means not labelled.",
        )
    return np.array([known[text.casefold()] for text in texts], np.intp)


def _text(value: Any) -> str:
    """Return a value as text; integers that were read as floats get no decimal point."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value).strip()
