"""Classes that users write into attributes: by id or name, in any case, or not at all."""

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
    """Return the values of an attribute, whatever the case of its name.

    Raises:
        RequestError: if the layer has none of that name.
    """
    values = find_attribute(layer, name)
    if values is None:
        raise RequestError(
            f"The layer has no attribute '{name}'.", f"Choose the one with the class: {', '.join(layer.fields)}."
        )
    return values


def find_attribute(layer: VectorLayer, name: str) -> npt.NDArray[Any] | None:
    """Return the values of an attribute, whatever the case of its name; None where there is none."""
    for own, values in layer.fields.items():
        if own.casefold() == name.strip().casefold():
            return values
    return None


def class_indices_of(values: npt.NDArray[Any], scheme: ClassScheme) -> npt.NDArray[np.intp]:
    """Return the index in ``scheme.entries`` of each value, (N,); ``NO_CLASS`` where nobody has told the class.

    Empty values, 0 and Unlabeled tell no class.

    Raises:
        ClassSchemeError: naming values that are no class.
    """
    ids = {entry.id: index for index, entry in enumerate(scheme.classes)}
    known: dict[str, int] = {"": NO_CLASS, "0": NO_CLASS, str(scheme.unlabeled.id): NO_CLASS}
    known[scheme.unlabeled.name.casefold()] = NO_CLASS
    known.update({entry.name.casefold(): ids[entry.id] for entry in scheme.classes})
    known.update({str(class_id): index for class_id, index in ids.items()})
    texts = [_text(value) for value in values.tolist()]
    wrong = sorted({text for text in texts if text.casefold() not in known})
    if wrong:
        listed = ", ".join(f"'{text}'" for text in wrong[:8]) + (" …" if len(wrong) > 8 else "")
        names = ", ".join(f"{entry.id} {entry.name}" for entry in scheme.entries)
        raise ClassSchemeError(
            f"The reference has values that are no class of the map: {listed}.",
            f"Use ids or names among {names}; empty means not labelled.",
        )
    return np.array([known[text.casefold()] for text in texts], np.intp)


def _text(value: Any) -> str:
    """Return an id or a name; a whole number read as a real one loses its point."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:g}" if isinstance(value, float) and value.is_integer() else str(value).strip()
