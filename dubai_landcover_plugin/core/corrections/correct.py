"""Apply Corrections: the corrections of a layer, written to a new classified raster."""

from __future__ import annotations

from dubai_landcover_plugin.core.corrections.correction import read_corrections
from dubai_landcover_plugin.core.corrections.edited_raster import write_edited
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, EditResult


def apply_corrections(request: CorrectionsRequest, monitor: Monitor | None = None) -> EditResult:
    """Write a classified raster with corrections; the input stays as it is.

    Args:
        request: The raster, the corrections, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Returns:
        The outputs, and the pixels that changed by pair of classes.

    Raises:
        LandCoverError: if raster or corrections cannot be used, or an output cannot be written. The raster is complete
            or does not exist.
        RunCancelled: if the monitor cancels the run.

    Example:
        >>> from dubai_landcover_plugin.core import apply_corrections
        >>> from dubai_landcover_plugin.protocol.requests import CorrectionsRequest
        >>> result = apply_corrections(CorrectionsRequest("landcover.tif", "corrections.gpkg", "corrected.tif"))
        >>> result.changes
        {'Building → Land': 192}
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    with limited_cache(), ClassifiedSource(request.input, request.scheme) as source:
        corrections, scheme, warnings = read_corrections(request.corrections, source.grid, source.scheme, request.brush)
        return write_edited(request, source, scheme, corrections, "apply_corrections", warnings, monitor)
