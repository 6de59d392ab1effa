"""Warnings about intervals of zero width: all units of a sample agree, or none does, so that no variance is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.translation import tr

_ALPHA = 0.05
_UNITS = {
    "points": ("points", "points on {name}", "points of {name} in the reference"),
    "polygons": ("polygons", "polygons on {name}", "polygons of {name} in the reference"),
}
"""Units of a sample: all, those mapped as a class, those of a class in the reference."""
_ZERO = 1e-9  # widths and distances from 0 and 1 below this are rounding errors


def zero_width_notes(
    scheme: ClassScheme,
    units: str,
    overall: tuple[IntervalEstimate, int],
    users: tuple[Sequence[IntervalEstimate], npt.NDArray[Any]],
    producers: tuple[Sequence[IntervalEstimate], npt.NDArray[Any]],
) -> list[str]:
    """Return a warning for each figure whose interval is ± 0, with the limit of an exact interval.

    The limit is that of Clopper and Pearson for n of n, or 0 of n, units of equal weight at 95 % confidence:
    0.05^(1/n), or 1 − 0.05^(1/n). It is exact for the user's accuracy of a class that is a stratum, and approximate for
    the others.

    Args:
        scheme: Classes of the map.
        units: Units of the sample: ``points`` or ``polygons``.
        overall: Overall accuracy and number of units.
        users: (K,) user's accuracies, and the number of units that are mapped as each class.
        producers: (K,) producer's accuracies, and the number of units of each class in the reference.

    Source:
        C. J. Clopper, E. S. Pearson 1934, The use of confidence or fiducial limits illustrated in the case of the
        binomial, https://doi.org/10.1093/biomet/26.4.404
    """
    found = [_note(overall[0], overall[1], tr(_UNITS[units][0]), tr("overall accuracy"))]
    for index, entry in enumerate(scheme.classes):
        name = tr("user's accuracy of {name}", name=entry.name)
        mapped = tr(_UNITS[units][1], name=entry.name)
        found.append(_note(users[0][index], int(users[1][index]), mapped, name, exact=True))
        name = tr("producer's accuracy of {name}", name=entry.name)
        labelled = tr(_UNITS[units][2], name=entry.name)
        found.append(_note(producers[0][index], int(producers[1][index]), labelled, name))
    return [note for note in found if note]


def _note(figure: IntervalEstimate, count: int, units: str, name: str, exact: bool = False) -> str:
    """Return the warning about a figure; empty where its interval has a width or is undefined.

    Args:
        figure: The figure.
        count: Number of units.
        units: The units in words.
        name: The figure in words.
        exact: Whether the limit is exact; other figures weight units of several strata unequally.
    """
    if not (count and figure.margin <= _ZERO and min(figure.value, 1 - figure.value) <= _ZERO):
        return ""
    limit = _ALPHA ** (1 / count)
    if figure.value > 0.5:
        seen = (
            tr("All {count} {units} agree", count=count, units=units)
            if count > 1
            else tr("The only one of the {units} agrees", units=units)
        )
        bound = tr("at least") if exact else tr("at least about")
    else:
        seen, limit = tr("None of the {count} {units} agrees", count=count, units=units), 1 - limit
        bound = tr("at most") if exact else tr("at most about")
    return tr(
        "{seen}. The interval of ± 0 is too narrow: the {name} is {bound} {percent:.0f} %, at 95 % confidence.",
        seen=seen,
        name=name,
        bound=bound,
        percent=100 * limit,
    )
