"""Reads corrections of a classified raster from a vector layer, and applies them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from dubai_landcover_plugin.core.assessment.reference_labels import find_attribute, value_text
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.areas import Area, Areas, areas_of, crs_warnings, touches_raster
from dubai_landcover_plugin.core.io.class_map import Ids
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.core.teaching.labels import brush_widths, class_ids
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.drawn_layers import BRUSH, COLOUR, FROM, TIME, TO
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RequestError
from dubai_landcover_plugin.protocol.translation import joined, tr

ANY = NODATA_ID
"""In :attr:`Correction.source`: all classes."""
_NAME = "corrections"


@dataclass(frozen=True)
class Correction:
    """An area and its class.

    Args:
        area: The area.
        source: Id of the class that is replaced; :data:`ANY` for all.
        target: Id of the class that is set.
    """

    area: Area
    source: int
    target: int


class Corrections:
    """Corrections in the order in which they are applied; an :class:`.Edit`.

    Args:
        corrections: The corrections.
    """

    def __init__(self, corrections: Sequence[Correction]) -> None:
        self._corrections = tuple(corrections)
        self._areas = Areas([one.area for one in corrections])
        self.used = np.zeros(len(corrections), bool)

    def apply(self, ids: Ids, window: Window) -> Ids:
        """Return the corrected class ids of a window, (height, width) uint8; pixels without data stay.

        Args:
            ids: (height, width) uint8.
            window: Their place in the raster.
        """
        found = ids.copy()
        for index, place, inside in self._areas.masks(window):
            one, values = self._corrections[index], found[place]
            inside &= (values != NODATA_ID) if one.source == ANY else (values == one.source)
            inside &= values != one.target
            values[inside] = one.target
            self.used[index] |= inside.any()
        return found


def read_corrections(
    source: str, grid: Grid, scheme: ClassScheme, brush: float
) -> tuple[Corrections, ClassScheme, list[str]]:
    """Return the corrections of a layer, the classes of the corrected raster, and warnings.

    Classes that the raster does not have are new ones where the corrections have a colour for them.

    Args:
        source: As for :func:`.read_vector`.
        grid: Grid of the classified raster.
        scheme: Its classes.
        brush: Width of points and lines without one, px.

    Raises:
        RasterOpenError: if the layer cannot be read or is empty.
        RequestError: if it lacks the attribute ``to``, or a time or a width is invalid.
        ClassSchemeError: if a value is not a class of the raster.
        GeoreferenceError: if no correction is on the raster.
    """
    layer = read_vector(source)
    warnings = crs_warnings(layer, grid, tr(_NAME))
    targets = find_attribute(layer, TO)
    if targets is None:
        raise RequestError(
            tr("The corrections have no attribute '{name}' with the class to set.", name=TO),
            tr(
                "Choose another layer, or rename an attribute: {names}.",
                names=joined(layer.fields) or tr("there are none"),
            ),
        )
    scheme = _with_new_classes(scheme, targets.tolist(), _attribute(layer, COLOUR))
    target_ids = class_ids(targets.tolist(), scheme.entries, tr(_NAME), tr("raster"))
    source_ids = class_ids(_attribute(layer, FROM), scheme.entries, tr(_NAME), tr("raster"))
    areas = areas_of(layer, brush_widths(_attribute(layer, BRUSH), brush), grid)
    found = [
        Correction(area, source_ids[index], target_ids[index])
        for index in np.argsort(_times(layer), kind="stable").tolist()
        if (area := areas[index]) is not None and target_ids[index] != NODATA_ID
    ]
    if not found:
        raise RequestError(
            tr("No correction has a geometry and a class."), tr("Draw corrections, and set their class.")
        )
    if len(found) < len(areas):
        warnings.append(
            tr("{count:,} corrections without geometry or class were left out.", count=len(areas) - len(found))
        )
    inside = touches_raster([one.area for one in found], grid, tr(_NAME))
    if not all(inside):
        warnings.append(
            tr("{count:,} corrections are outside of the raster and were left out.", count=inside.count(False))
        )
    return Corrections([one for one, kept in zip(found, inside, strict=True) if kept]), scheme, warnings


def _with_new_classes(scheme: ClassScheme, targets: Sequence[Any], colours: Sequence[Any]) -> ClassScheme:
    """Return the classes with those that corrections with a colour make, which get the lowest free ids.

    Raises:
        ClassSchemeError: if a colour is invalid or there is no free id.
    """
    known = {entry.name.casefold() for entry in scheme.entries} | {str(entry.id) for entry in scheme.entries}
    new: list[LandCoverClass] = []
    for name, colour in zip(map(value_text, targets), map(value_text, colours), strict=True):
        if not name or not colour or name == str(NODATA_ID) or name.casefold() in known:
            continue
        used = {entry.id for entry in (*scheme.entries, *new)}
        free = next((number for number in range(1, 255) if number not in used), None)
        if free is None:
            raise ClassSchemeError(tr("There is no free id for the class '{name}': all 254 are used.", name=name))
        new.append(LandCoverClass(free, name, colour.upper()))
        known.add(name.casefold())
    return ClassScheme((*scheme.classes, *new), scheme.unlabeled)


def _attribute(layer: VectorLayer, name: str) -> list[Any]:
    """Return the values of an attribute; None for each feature where the layer does not have it."""
    values = find_attribute(layer, name)
    return [None] * len(layer.geometries) if values is None else values.tolist()


def _times(layer: VectorLayer) -> npt.NDArray[np.float64]:
    """Return the time of each correction, (N,) s since 1970; -inf for empty ones, which come first.

    Raises:
        RequestError: for a text that is not a date.
    """
    values = find_attribute(layer, TIME)
    if values is None:
        return np.zeros(len(layer.geometries))
    if values.dtype.kind == "M":
        seconds = values.astype("datetime64[ms]").astype(np.float64) / 1000
        seconds[np.isnat(values)] = -math.inf
        return seconds
    return np.array([_seconds(value) for value in values.tolist()], np.float64)


def _seconds(value: Any) -> float:
    """Return the time in an attribute, s since 1970; numbers are taken as they are, times without a zone as UTC."""
    text = value_text(value)
    if not text:
        return -math.inf
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        text = f"{text}T00:00:00"
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00").replace("/", "-"))
    except ValueError as error:
        raise RequestError(
            tr("The attribute '{name}' has the value '{text}', which is not a date with time.", name=TIME, text=text),
            tr("Write it as 2026-01-31T12:00:00, or leave it empty: then the order in the file counts."),
        ) from error
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).timestamp()
