"""Preview Land Cover: a part of a raster, classified as a run over the whole raster would."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, open_bundle
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.placement import drawn_transform
from dubai_landcover_plugin.core.io.files import temporary_folder, write_bytes
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.core.teaching.model import is_teachable
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.classes import coloured
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.preview import PreviewRequest, PreviewResult
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.requests.session import OpenSession, ViewRequest
from dubai_landcover_plugin.protocol.translation import tr


def preview_land_cover(request: PreviewRequest, monitor: Monitor | None = None) -> PreviewResult:
    """Classify a part of a raster and write it without overviews, run record and verification.

    Models that can be taught give the classes of a run over the whole raster, see :class:`.TeachingSession`. Other
    models run over the extent alone, so that their windows, and a few pixels, differ.

    Args:
        request: The raster, the extent, outputs and options.
        monitor: Receives progress and messages, may cancel; by default they go to :mod:`logging`.

    Raises:
        LandCoverError: if raster or model cannot be used, the extent is too large or misses the raster, or an output
            cannot be written.
        RunCancelled: if the monitor cancels.

    Example:
        >>> from dubai_landcover_plugin.core import preview_land_cover
        >>> from dubai_landcover_plugin.protocol.requests import PreviewRequest
        >>> extent = (300_000, 2_799_936, 300_048, 2_800_000)
        >>> result = preview_land_cover(PreviewRequest("image.tif", "preview.tif", extent=extent))
        >>> result.height, result.width
        (64, 48)
    """
    started = time.perf_counter()
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    bundle = open_bundle(request.options.model)
    result = _view(request, monitor) if is_teachable(bundle) else _run(request, bundle, monitor)
    for warning in result.warnings:
        monitor.log("warning", warning)
    return replace(result, seconds=round(time.perf_counter() - started, 3))


def _view(request: PreviewRequest, monitor: Monitor) -> PreviewResult:
    """Classify the extent with the windows of a run over the raster."""
    with TeachingSession(OpenSession(request.input, request.options), monitor) as session:
        described = session.describe()
        for note in described.notes:
            monitor.log("info", note)
        extent = request.extent or _bounds(session.job.source.grid)
        view = session.view(ViewRequest(extent, request.output, confidence=request.confidence), monitor)
        scheme = coloured(session.scheme, request.options.colours).to_json()
    return PreviewResult(
        view.output, view.confidence, view.height, view.width, view.pixels, scheme, 0.0, described.warnings
    )


def _run(request: PreviewRequest, bundle: ModelBundle, monitor: Monitor) -> PreviewResult:
    """Run over the extent, and keep the rasters alone."""
    with temporary_folder(request.output) as folder:
        classes, confidence = folder / "classes.tif", folder / "confidence.tif"
        asked = SegmentationRequest(
            request.input,
            str(classes),
            request.options,
            request.extent,
            confidence=str(confidence) if request.confidence else None,
        )
        result = run_segmentation(asked, monitor, bundle)
        write_bytes(request.output, classes.read_bytes(), overwrite=request.options.overwrite)
        if request.confidence:
            write_bytes(request.confidence, confidence.read_bytes(), overwrite=request.options.overwrite)
    note = tr(
        "The model {model} was run over the extent alone: a few pixels of a run over the raster differ.",
        model=bundle.metadata.name,
    )
    return PreviewResult(
        request.output,
        request.confidence,
        result.height,
        result.width,
        result.pixels,
        coloured(bundle.metadata.scheme, request.options.colours).to_json(),
        0.0,
        (note,),
    )


def _bounds(grid: Grid) -> tuple[float, float, float, float]:
    """Return west, south, east and north of a raster as it is drawn."""
    transform = drawn_transform(grid)
    corners = np.array([transform @ (col, row) for col in (0, grid.width) for row in (0, grid.height)])
    (west, south), (east, north) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return west, south, east, north
