"""Writes an edited copy of a classified raster: verified, with the metadata of Segment Land Cover."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
from rasterio.enums import Resampling

from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.attribute_table import LAND_COVER, legend_xml
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, Ids
from dubai_landcover_plugin.core.io.edits import EDITS_TAG, earlier_edits
from dubai_landcover_plugin.core.io.output_check import refuse_inputs
from dubai_landcover_plugin.core.io.outputs import outputs_of
from dubai_landcover_plugin.core.io.qml import raster_style_beside
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.segmentation.class_rows import MapOutputs
from dubai_landcover_plugin.core.segmentation.run_progress import CHECKING, EDITING, RunProgress
from dubai_landcover_plugin.core.segmentation.vector_outputs import (
    VectorSteps,
    check_classes,
    vector_names,
    write_vectors,
)
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import NODATA_ID, ClassScheme
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, EditResult, RecodeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.translation import tr

_KEPT_TAGS = ("LANDCOVER_RUN", "ERROR_RATIOS")  # of the run that classified the raster
_STRIP_PIXELS, _STRIP_ROWS = 1 << 22, 512

Counts = npt.NDArray[np.int64]


class Edit(Protocol):
    """Changes class ids of windows."""

    used: npt.NDArray[np.bool_]
    """(N,) whether each of the edits has changed a pixel."""

    def apply(self, ids: Ids, window: Window) -> Ids:
        """Return the edited class ids of a window, (height, width) uint8, as a new array."""
        ...


def write_edited(
    request: CorrectionsRequest | RecodeRequest,
    source: ClassifiedSource,
    scheme: ClassScheme,
    edit: Edit,
    tool: str,
    warnings: Sequence[str],
    monitor: Monitor,
) -> EditResult:
    """Write the edited raster and the requested vector files.

    Memory does not grow with the raster: strips of rows are read, edited and written one after the other.

    Args:
        request: Paths and options.
        source: The classified raster.
        scheme: Classes of the edited raster: those of the source, and new ones.
        edit: The changes.
        tool: Name of the tool, for the record in the tags of the raster.
        warnings: Messages for the user.
        monitor: Receives progress and messages; may cancel.

    Raises:
        LandCoverError: if the raster cannot be read or an output cannot be written. The raster is complete or does not
            exist.
        RunCancelled: if the monitor cancels; no raster is written then.
    """
    started = time.perf_counter()
    refuse_inputs(outputs_of(request), source.files)
    check_classes(request, scheme, "raster")
    found = [*source.notes, *warnings]
    for text in found:
        monitor.log("warning", text)
    colours = {NODATA_ID: (0, 0, 0), **{entry.id: entry.rgb for entry in scheme.entries}}
    style = RasterStyle(NODATA_ID, LAND_COVER, colours, Resampling.mode)
    progress = RunProgress(monitor, (EDITING, CHECKING, *vector_names(request)))
    progress.measure(source.grid.height * source.grid.width)
    with ExitStack() as stack:
        writer = stack.enter_context(
            LandCoverWriter(
                request.output, source.grid, style, source.ground_control_points, overwrite=request.overwrite
            )
        )
        outputs = MapOutputs(source.grid, [entry.id for entry in scheme.entries], writer, None)
        progress.enter(EDITING)
        counts = _edit_strips(source, edit, outputs, progress)
        progress.enter(CHECKING)
        result = _result(request, source, scheme, edit, outputs, counts, found)
        pixels = {number: int(count) for number, count in enumerate(outputs.pixels)}
        legend = partial(legend_xml, scheme, pixels)
        tags = _tags(request, source, scheme, tool, result)
        writer.finish(tags, legend, raster_style_beside(request, scheme.entries))
        raise_if_cancelled(monitor)
        source.check_unchanged()
        writer.place()
    steps = VectorSteps(
        request.output, request, request.confidence, request.min_area, request.simplify, request.overwrite
    )
    write_vectors(steps, scheme, progress)
    progress.finish()
    return replace(result, seconds=round(time.perf_counter() - started, 3))


def _edit_strips(source: ClassifiedSource, edit: Edit, outputs: MapOutputs, monitor: Monitor) -> Counts:
    """Edit and write all strips; return the pixels by class before and after, (256, 256)."""
    grid = source.grid
    counts = np.zeros((256, 256), np.int64)
    rows = max(min(_STRIP_PIXELS // grid.width, _STRIP_ROWS), 1)
    for first, before in source.strips(rows):
        raise_if_cancelled(monitor)
        after = edit.apply(before, Window(first, 0, len(before), grid.width))
        changed = before != after
        pairs = before[changed].astype(np.uint16) << 8 | after[changed]
        counts += np.bincount(pairs, minlength=counts.size).reshape(counts.shape)
        outputs.write_rows(after, None)
        monitor.report(first + len(before), grid.height, tr("editing"))
    return counts


def _result(
    request: CorrectionsRequest | RecodeRequest,
    source: ClassifiedSource,
    scheme: ClassScheme,
    edit: Edit,
    outputs: MapOutputs,
    counts: Counts,
    warnings: Sequence[str],
) -> EditResult:
    entries = scheme.entries
    return EditResult(
        output=request.output,
        edits=len(edit.used),
        unused=int((~edit.used).sum()),
        changed=int(counts.sum()),
        changes=by_pair(counts, scheme),
        pixels={entry.name: int(outputs.pixels[entry.id]) for entry in entries},
        area_m2=(
            None
            if source.grid.crs is None
            else {entry.name: round(float(outputs.area_m2[entry.id]), 3) for entry in entries}
        ),
        polygons=request.polygons,
        buildings=request.buildings,
        roads=request.roads,
        scheme=scheme.to_json(),
        seconds=0.0,
        warnings=tuple(warnings),
    )


def by_pair(counts: Counts, scheme: ClassScheme) -> dict[str, int]:
    """Return the changed pixels by ``OLD → NEW``, most first."""
    names = {entry.id: entry.name for entry in scheme.entries}
    pairs = [(int(counts[old, new]), old, new) for old, new in zip(*np.nonzero(counts))]
    return {f"{names[old]} → {names[new]}": count for count, old, new in sorted(pairs, key=lambda pair: -pair[0])}


def _tags(
    request: CorrectionsRequest | RecodeRequest,
    source: ClassifiedSource,
    scheme: ClassScheme,
    tool: str,
    result: EditResult,
) -> Mapping[str, str]:
    """Return the tags of the raster: those of the run, the classes, and all edits so far."""
    edit = {
        "tool": tool,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "request": request.to_json(),
        "edits": result.edits,
        "unused": result.unused,
        "changed": result.changed,
        "changes": result.changes,
    }
    kept = {name: source.tags[name] for name in _KEPT_TAGS if name in source.tags}
    return {**kept, **class_tags(scheme), EDITS_TAG: dumps([*earlier_edits(source.tags), edit])}
