"""Plain figures of a classified raster against a raster of the true classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion
from dubai_landcover_plugin.core.assessment.reference_raster import ReferenceRaster
from dubai_landcover_plugin.core.assessment.strata import NO_CLASS, strip_rows
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.protocol.errors import GeoreferenceError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.translation import tr


def compare_maps(
    truth: str | Path,
    predicted: str | Path,
    scheme: str | None = None,
    reference_scheme: str | None = None,
    monitor: Monitor | None = None,
) -> dict[str, Any]:
    """Compare a classified raster with the true classes on the same grid; Unlabeled and nodata are skipped.

    Args:
        truth: Raster with the true classes, see :class:`.ReferenceRaster`.
        predicted: The classified raster.
        scheme: Its classes that the user chose, see :class:`.ClassifiedSource`.
        reference_scheme: Those of ``truth``.
        monitor: Receives warnings.

    Returns:
        The metrics of :meth:`.Confusion.to_json`.

    Raises:
        GeoreferenceError: if the grids differ.
        ClassSchemeError: if the classes cannot be matched.
        RasterOpenError: if either is not a classified raster.
    """
    monitor = monitor or LoggingMonitor()
    with ClassifiedSource(predicted, scheme) as result:
        classes = result.scheme.classes
        with ReferenceRaster(str(truth), result.grid, result.scheme, reference_scheme) as reference:
            if reference.is_resampled:
                raise GeoreferenceError(
                    tr(
                        "{truth} and {predicted} have different grids: {size} and {width} × {height} px, or the same "
                        "size at another place.",
                        truth=truth,
                        predicted=predicted,
                        size=reference.size,
                        width=result.grid.width,
                        height=result.grid.height,
                    ),
                    tr("Resample one to the pixels of the other first."),
                )
            channels = np.full(256, IGNORE, np.uint8)
            channels[list(result.scheme.ids)] = np.arange(len(classes))
            confusion = Confusion.empty(len(classes))
            for first, ids in result.strips(strip_rows(result.grid)):
                indices = reference.read(first, first + len(ids))
                labels = np.where(indices == NO_CLASS, IGNORE, indices).astype(np.uint8)
                confusion += Confusion.of(labels, channels[ids], len(classes))
            notes = [*result.notes, *reference.notes()]
    for note in notes:
        monitor.log("warning", note)
    return confusion.to_json([entry.name for entry in classes])
