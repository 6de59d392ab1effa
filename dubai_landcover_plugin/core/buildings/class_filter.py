"""Polygons of one class in a layer of several classes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import joined, tr

_FIELDS = ("class_id", "class")
_MOST_LISTED = 20  # classes named in a message


def polygons_of_class(layer: VectorLayer, name_or_id: str, source: str) -> VectorLayer:
    """Return the features of a class, by the attributes ``class_id`` and ``class`` that polygons of this project have.

    Args:
        layer: The layer.
        name_or_id: Class id or name; case does not matter.
        source: Path of the layer, for messages.

    Raises:
        ClassSchemeError: if the layer has features but neither attribute, or none of the class; the message lists the
            classes that it has.
    """
    fields = {name.lower(): values for name, values in layer.fields.items()}
    present = [fields[name] for name in _FIELDS if name in fields]
    if not len(layer.geometries):
        return layer
    if not present:
        raise ClassSchemeError(
            tr(
                "{source} has no attribute class or class_id; it has {names}.",
                source=source,
                names=joined(layer.fields) or tr("none"),
            ),
            tr("Give no class to take all polygons, or choose a layer of Classified Raster to Polygons."),
        )
    wanted = name_or_id.strip().casefold()
    chosen = np.logical_or.reduce([_texts(values) == wanted for values in present])
    if not chosen.any():
        names = sorted({str(value) for value in present[-1].tolist()})
        raise ClassSchemeError(
            tr(
                "{source} has no polygons of class {name}; it has {listed}.",
                source=source,
                name=name_or_id,
                listed=joined(names, _MOST_LISTED),
            ),
            tr("Choose one of these."),
        )
    return replace(
        layer,
        geometries=layer.geometries[chosen],
        fields={name: values[chosen] for name, values in layer.fields.items()},
    )


def _texts(values: npt.NDArray[Any]) -> npt.NDArray[np.object_]:
    """Return values as texts for comparison, (N,); numbers such as 4.0 are written as whole ones."""
    whole = (int(value) if isinstance(value, float) and value.is_integer() else value for value in values.tolist())
    return np.array([str(value).strip().casefold() for value in whole], object)


def note_on_classes(layer: VectorLayer) -> str:
    """Return a warning if a layer has both attributes and polygons of several classes; else an empty string."""
    fields = {name.lower(): values for name, values in layer.fields.items()}
    names = sorted({str(value) for value in fields["class"].tolist()}) if set(_FIELDS) <= set(fields) else []
    if len(names) < 2:
        return ""
    return tr(
        "Polygons of {names} are all taken as buildings. Choose one of these classes to take it alone.",
        names=joined(names, _MOST_LISTED),
    )
