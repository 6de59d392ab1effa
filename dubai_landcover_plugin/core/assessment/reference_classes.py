"""Classes of a reference, matched with those of the map."""

from __future__ import annotations

from typing import Any

import numpy as np

from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, Indices, class_indices
from dubai_landcover_plugin.core.io.class_scheme import read_scheme, scheme_of
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import joined, tr

_ASSUMED = "The reference does not name its classes: its values are taken for ids of the map."


def matched_scheme(given: str | None, scheme: ClassScheme) -> ClassScheme | None:
    """Return the classes of a reference that the user chose; None if none were chosen.

    Args:
        given: File of any kind that names classes, see :func:`.read_scheme`; None or empty for none.
        scheme: Classes of the map.

    Raises:
        ClassSchemeError: if the file cannot be read, or no class has the name of a class of the map.
    """
    if not given:
        return None
    reference = read_scheme(given)
    _check_names(given, reference, scheme)
    return reference


def reference_indices(path: str, dataset: Any, scheme: ClassScheme, given: str | None = None) -> tuple[Indices, str]:
    """Return the map's class index of each value of a reference raster, and a note where names had to be assumed.

    Classes are matched by name: those of the chosen classes, else those that the raster names. The values of a raster
    without names are ids of the map.

    Args:
        path: The reference raster, for messages.
        dataset: The raster, open.
        scheme: Classes of the map.
        given: Classes of the reference that the user chose, see :func:`matched_scheme`.

    Returns:
        (256,) int16, ``NO_CLASS`` for other values, and the note; empty without one.

    Raises:
        ClassSchemeError: if no class of the reference has the name of a class of the map.
    """
    reference = matched_scheme(given, scheme) or _own_scheme(path, dataset, scheme)
    if reference is None:
        return class_indices(scheme), tr(_ASSUMED)
    index_of = {entry.name.casefold(): index for index, entry in enumerate(scheme.entries)}
    indices = np.full(256, NO_CLASS, np.int16)
    for entry in reference.entries:
        indices[entry.id] = index_of.get(entry.name.casefold(), NO_CLASS)
    return indices, ""


def _own_scheme(path: str, dataset: Any, scheme: ClassScheme) -> ClassScheme | None:
    """Return the classes that a raster names; None if it names none, or the names are damaged."""
    try:
        reference = scheme_of(dataset)
    except ClassSchemeError:
        return None
    if reference is not None:
        _check_names(path, reference, scheme)
    return reference


def _check_names(source: str, reference: ClassScheme, scheme: ClassScheme) -> None:
    names = {entry.name.casefold() for entry in scheme.classes}
    if not any(entry.name.casefold() in names for entry in reference.classes):
        raise ClassSchemeError(
            tr(
                "No class of the reference has the name of a class of the map: {source} has {listed}, the map "
                "{other_listed}.",
                source=source,
                listed=_listed(reference),
                other_listed=_listed(scheme),
            ),
            tr("Choose the classes of the reference, with the names of the map (--reference-scheme)."),
        )


def _listed(scheme: ClassScheme) -> str:
    return joined(entry.name for entry in scheme.classes)
