"""Reads the attributes of layers that people draw: classes and widths of brushes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dubai_landcover_plugin.core.assessment.reference_labels import value_text
from dubai_landcover_plugin.protocol.classes import NODATA_ID, LandCoverClass
from dubai_landcover_plugin.protocol.drawn_layers import BRUSH
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.requests.session import MAX_BRUSH
from dubai_landcover_plugin.protocol.translation import joined, tr

_NAMED_IN_ERRORS = 8


def class_ids(
    values: Iterable[Any],
    classes: Sequence[LandCoverClass],
    layer: str,
    owner: str,
    left_out: Sequence[LandCoverClass] = (),
) -> list[int]:
    """Return the class id of each value, which is a name or an id; 0 for empty values and 0.

    Args:
        values: Values of an attribute.
        classes: Classes that may occur.
        layer: The layer, for messages.
        owner: Where the classes are from, for messages.
        left_out: Classes that count as empty values.

    Raises:
        ClassSchemeError: naming the values that are not classes.
    """
    known = {"": NODATA_ID, str(NODATA_ID): NODATA_ID}
    for entry in classes:
        known |= {entry.name.casefold(): entry.id, str(entry.id): entry.id}
    for entry in left_out:
        known |= {entry.name.casefold(): NODATA_ID, str(entry.id): NODATA_ID}
    texts = [value_text(value) for value in values]
    unknown = sorted({text for text in texts if text.casefold() not in known})
    if unknown:
        raise ClassSchemeError(
            tr(
                "The {layer} have values that are not classes of the {owner}: {listed}.",
                layer=layer,
                owner=owner,
                listed=joined((f"'{text}'" for text in unknown), _NAMED_IN_ERRORS),
            ),
            tr(
                "Use names or ids among {names}; leave other {layer} empty.",
                names=joined(f"{entry.id} {entry.name}" for entry in classes),
                layer=layer,
            ),
        )
    return [known[text.casefold()] for text in texts]


def brush_widths(values: Iterable[Any], default: float) -> list[float]:
    """Return the values of the attribute ``brush``, px; ``default`` for empty ones.

    Raises:
        RequestError: for a value that is not a number in 0..1000.
    """
    widths = []
    for value in values:
        text = value_text(value)
        try:
            width = float(text) if text else default
        except ValueError:
            width = math.nan
        if not 0 <= width <= MAX_BRUSH:
            raise RequestError(
                tr(
                    "The attribute '{name}' must be a width in 0..{limit:g} px, got '{text}'.",
                    name=BRUSH,
                    limit=MAX_BRUSH,
                    text=text,
                ),
                tr("Correct it, or leave it empty."),
            )
        widths.append(width)
    return widths
