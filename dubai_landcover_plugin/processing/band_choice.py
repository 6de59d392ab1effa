"""Bands of an image: pickers for red, green and blue, and a list for models with other bands."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingParameterBand, QgsProcessingParameterString

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.protocol.errors import BandError
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.translation import joined, tr

COLOURS = ("red", "green", "blue")
_LIST = "BANDS"


def add_bands(algorithm: LandCoverAlgorithm, item: Described) -> None:
    """Add the pickers ``RED``, ``GREEN`` and ``BLUE``, and the list ``BANDS``.

    The list is a text, because QGIS's list of bands has no order: ticking 3, 2, 1 gives 1, 2, 3.

    Args:
        algorithm: The algorithm.
        item: The option of the list.
    """
    titles = (tr("Red band"), tr("Green band"), tr("Blue band"))
    help_text = tr(
        "Choose all three, or none: then bands are found by their names, by their colour interpretation, and else the "
        "first ones are used. For models of red, green and blue."
    )
    for colour, title in zip(COLOURS, titles):
        parameter = QgsProcessingParameterBand(
            colour.upper(), f"{tr('Image')}: {title}", parentLayerParameterName="INPUT", optional=True
        )
        algorithm.add(parameter, help_text, advanced=True)
    parameter = QgsProcessingParameterString(_LIST, item.option.label(tr), optional=True)
    more = tr("Separate numbers by semicolons, such as 4;3;2. It replaces the three bands chosen above.")
    algorithm.add(parameter, f"{tr(item.option.help)} {more}", advanced=True)


def chosen_bands(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext, names: Sequence[str]
) -> tuple[int, ...] | None:
    """Return the band numbers in the order of the model's inputs; None where the engine finds them.

    Args:
        algorithm: The algorithm; without the parameters nothing is chosen.
        parameters: Values of its parameters.
        context: Processing's context.
        names: Names of the model's bands.

    Raises:
        BandError: for a list that is none, one or two of the three bands, and a model of others than these three.
    """
    if algorithm.parameterDefinition(_LIST) is None:
        return None
    listed = _listed(algorithm, parameters, context)
    if listed:
        return listed
    given = {
        colour: algorithm.parameterAsInt(parameters, colour.upper(), context)
        for colour in COLOURS
        if parameters.get(colour.upper()) not in (None, "", -1)
    }
    if not given:
        return None
    missing = [tr(colour) for colour in COLOURS if colour not in given]
    if missing:
        raise BandError(
            tr("No band is chosen for {names}.", names=joined(missing)), tr("Choose all three bands or none.")
        )
    if sorted(names) != sorted(COLOURS):
        raise BandError(
            tr("The model reads {n} bands ({names}), not red, green and blue.", n=len(names), names=joined(names)),
            tr("Give their numbers in the list of bands instead."),
        )
    return tuple(given[name] for name in names)


def _listed(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> tuple[int, ...]:
    """Return the numbers of the list, which scripts and models also give as a list or a number."""
    value = parameters.get(_LIST)
    if not isinstance(value, (list, tuple, int)):
        value = re.split(r"[;,\s]+", algorithm.parameterAsString(parameters, _LIST, context).strip())
    parts = [str(part).strip() for part in (value if isinstance(value, (list, tuple)) else [value])]
    try:
        return tuple(int(part) for part in parts if part)
    except ValueError:
        raise BandError(
            tr("The bands '{text}' are not numbers.", text=";".join(parts)),
            tr("Separate numbers by semicolons, such as 4;3;2."),
        ) from None
