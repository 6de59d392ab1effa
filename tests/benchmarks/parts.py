"""What a run does besides the network, each alone and in one thread: CPU seconds for each Mpx."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.core.segmentation.blending import TileRowBlender
from dubai_landcover_plugin.core.segmentation.class_rows import MapOutputs
from dubai_landcover_plugin.core.segmentation.executor import make_class_maps, open_job
from dubai_landcover_plugin.core.segmentation.window_reader import WindowReader
from dubai_landcover_plugin.protocol.classes import NODATA_ID
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions


def measure_parts(source: Path, target: Path) -> dict[str, float]:
    """Return CPU seconds for each Mpx of the raster, by what they were spent on."""
    bundle = open_bundle("dubai")
    with ExitStack() as stack:
        job = open_job(stack, SegmentationRequest(str(source), str(target), SegmentOptions(overwrite=True)), bundle)
        tiles = job.plan.tiles
        mpx = job.source.grid.height * job.source.grid.width / 1e6
        reader = stack.enter_context(WindowReader(job.plan, [job.source], bundle.metadata))
        items = []
        reading = _cpu(lambda: items.extend(item for batch in reader.batches(tiles, 1) for item in batch))
        style = RasterStyle(NODATA_ID, "Land cover", {entry.id: entry.rgb for entry in bundle.metadata.scheme.entries})
        writer = stack.enter_context(LandCoverWriter(target, job.source.grid, style))
        rows: list[np.ndarray] = []
        outputs = _Rows(job.source.grid, rows)
        maps = make_class_maps(stack, job, outputs)
        blender = TileRowBlender(tiles, len(bundle.metadata.scheme.ids), bundle.metadata.receptive_radius)
        draw = np.random.default_rng(0)
        coarse = draw.random((len(bundle.metadata.scheme.ids), 20, 20), np.float32)
        height, width = tiles.window_shape
        smooth = coarse.repeat(-(-height // 20), 1).repeat(-(-width // 20), 2)[:, :height, :width]

        def blend() -> None:
            for item in items:
                maps.set_validity(item.window, item.valid)
                for block in blender.add(item.window, smooth.copy()):
                    maps.add_block(block)

        blending = _cpu(blend)
        counting = MapOutputs(job.source.grid, bundle.metadata.scheme.ids, writer, None)
        writing = _cpu(lambda: [counting.write_rows(part, None) for part in rows])
        writer._verify, verify = (lambda: None), writer._verify
        overviews = _cpu(lambda: writer.finish({}))
        verification = _cpu(verify)
    parts = {
        "reading and decoding": reading, "blending and deciding": blending, "counting and writing": writing,
        "overviews": overviews, "verification": verification,
    }  # fmt: skip
    return {name: seconds / mpx for name, seconds in parts.items()}


class _Rows:
    """Keeps rows, as a run's outputs would take them."""

    with_confidence = False
    with_probabilities = False

    def __init__(self, grid: object, rows: list[np.ndarray]) -> None:
        self.grid, self.row, self._rows = grid, 0, rows

    def write_rows(
        self, labels: np.ndarray, confidence: np.ndarray | None, probabilities: np.ndarray | None = None
    ) -> None:
        self._rows.append(labels.copy())
        self.row += len(labels)


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
