"""Recode Classes: classes of a classified raster replaced by others, written to a new raster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dubai_landcover_plugin.core.corrections.edited_raster import write_edited
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.areas import Areas, read_areas
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, Ids, limited_cache
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.teaching.labels import class_ids
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.corrections import EditResult, RecodeRequest
from dubai_landcover_plugin.protocol.translation import joined, tr


def recode_classes(request: RecodeRequest, monitor: Monitor | None = None) -> EditResult:
    """Write a classified raster in which classes are replaced by others; the input stays as it is.

    Args:
        request: The raster, the pairs of classes, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Returns:
        The outputs, and the pixels that changed by pair of classes.

    Raises:
        LandCoverError: if raster, classes or polygons cannot be used, or an output cannot be written. The raster is
            complete or does not exist.
        RunCancelled: if the monitor cancels the run.

    Example:
        >>> from dubai_landcover_plugin.core import recode_classes
        >>> from dubai_landcover_plugin.protocol.requests import RecodeRequest
        >>> result = recode_classes(RecodeRequest("landcover.tif", "recoded.tif", ("Land=Vegetation", "Road=Land")))
        >>> result.pixels["Land"] == result.changes["Road → Land"]
        True
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    with limited_cache(), ClassifiedSource(request.input, request.scheme) as source:
        pairs = _pairs(request, source.scheme)
        areas, warnings = read_areas(request.within, source.grid) if request.within else (None, [])
        return write_edited(request, source, source.scheme, Recoding(pairs, areas), "recode_classes", warnings, monitor)


class Recoding:
    """Replacement of classes; an :class:`.Edit`.

    Args:
        pairs: Old and new id of each class.
        areas: Where pixels are replaced; None everywhere.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], areas: Areas | None = None) -> None:
        self._old = [old for old, _ in pairs]
        self._table = np.arange(256, dtype=np.uint8)
        self._table[self._old] = [new for _, new in pairs]
        self._areas = areas
        self.used = np.zeros(len(pairs), bool)

    def apply(self, ids: Ids, window: Window) -> Ids:
        """Return the recoded class ids of a window, (height, width) uint8.

        Args:
            ids: (height, width) uint8.
            window: Their place in the raster.
        """
        found = self._table[ids] if self._areas is None else ids.copy()
        for _, place, inside in () if self._areas is None else self._areas.masks(window):
            # From the given ids, so that overlapping polygons do not replace twice.
            found[place][inside] = self._table[ids[place][inside]]
        changed = np.bincount(ids[found != ids], minlength=256)
        self.used |= changed[self._old] > 0
        return found


def _pairs(request: RecodeRequest, scheme: ClassScheme) -> list[tuple[int, int]]:
    """Return old and new id of each pair.

    Raises:
        ClassSchemeError: if a class is unknown, or two names are those of one class.
    """
    old = class_ids([first for first, _ in request.pairs], scheme.entries, tr("pairs"), tr("raster"))
    new = class_ids([second for _, second in request.pairs], scheme.entries, tr("pairs"), tr("raster"))
    if NODATA_ID in (*old, *new):
        raise ClassSchemeError(
            tr("The pairs {names} have the id 0, which is no data.", names=joined(request.classes)),
            tr("Replace classes by classes."),
        )
    if len(set(old)) < len(old):
        raise ClassSchemeError(
            tr("The pairs {names} replace a class twice.", names=joined(request.classes)),
            tr("Give one pair for each class."),
        )
    return list(zip(old, new))
