"""Memory, cores and reader threads of a run. They depend on the machine and never change the result."""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.core.io.raster_references import is_remote
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.raster_writer import BLOCK
from dubai_landcover_plugin.core.runtimes.candidates import Limits
from dubai_landcover_plugin.core.runtimes.hardware import cores, free_memory
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from dubai_landcover_plugin.protocol.translation import tr

_MB = 1 << 20
_ENGINE = 350 * _MB  # measured: Python, the libraries and the shipped network, compiled for windows of 576×608 px
_HEADROOM = 450 * _MB  # additional memory of a run that does not have to save memory
_CACHE = (32 * _MB, 256 * _MB)  # minimum and maximum of GDAL's cache of decoded blocks
_CORES_PER_READER = 8  # one thread decodes JPEG fast enough for about this many cores
_MAX_READERS = 4


@dataclass(frozen=True, slots=True)
class Budget:
    """Resources of a run.

    Args:
        limits: Limits of the runtime.
        readers: Threads that read and decode.
        cache: Size of GDAL's block cache, bytes.
        memory: Memory limit, bytes.
        needed: Expected peak memory, bytes.
    """

    limits: Limits
    readers: int
    cache: int
    memory: int
    needed: int

    def __str__(self) -> str:
        return tr(
            "Memory: about {needed:,.0f} of {memory:,.0f} MB allowed; {cores} cores, reader threads: {readers}.",
            needed=self.needed / _MB,
            memory=self.memory / _MB,
            cores=self.limits.threads,
            readers=self.readers,
        )


def make_budget(
    request: SegmentationRequest, plan: Plan, source: RasterSource, metadata: BundleMetadata, threads: int | None = None
) -> Budget:
    """Return the threads, the block cache and the expected memory of a run.

    Args:
        request: The request; its ``memory`` option (MB) is the limit, by default half of the free memory.
        plan: The windows.
        source: The open raster.
        metadata: Metadata of the model.
        threads: Number of cores to use; None for all cores available to the process.
    """
    threads = threads or cores()
    limit = request.options.memory
    memory = free_memory() // 2 if limit is None else limit * _MB
    # Buffers that grow with the raster's width are fixed; below the headroom, the run trades speed for memory (lean).
    tile_row = _tile_row_bytes(request, plan, metadata)
    lean = memory < _ENGINE + _HEADROOM + tile_row
    readers = 1 if lean else _readers(request.input, plan, source, threads)
    # Block cache: the blocks that one tile row touches and a quarter more, so that none is decoded twice.
    # The novelty raster reads them once more, resampled runs too where pixels may be invalid, with blocks of their own.
    blocks = source.block_bytes(plan.tiles.window_shape[0] * plan.work.scale[0]) * 5 // 4
    blocks *= 1 + bool(request.novelty) + (source.may_have_gaps and not plan.work.is_native)
    cache = _CACHE[0] if lean else min(max(blocks, _CACHE[0]), _CACHE[1])
    # Queue: windows in flight (bands of 1 or 4 bytes and float32 probabilities), and one tile row of windows read ahead
    # by each reader.
    height, width = plan.tiles.window_shape
    pixel = len(metadata.bands) * (1 if metadata.scaling is None else 4)
    window = height * width * (pixel + 4 * metadata.spec.classes)
    queue = window * (4 if lean else 4 + 2 * threads) + readers * len(plan.tiles.col_starts) * height * width * pixel
    needed = _ENGINE + tile_row + min(cache, blocks) + queue
    return Budget(Limits(threads, lean), readers, cache, memory, needed)


def _readers(path: str, plan: Plan, source: RasterSource, threads: int) -> int:
    """Return the number of reader threads: several for remote rasters, or for compressed ones on many cores."""
    count = _MAX_READERS if is_remote(path) else threads // _CORES_PER_READER if source.is_compressed else 1
    return max(min(count, _MAX_READERS, len(plan.tiles.col_starts) // 2), 1)


def _tile_row_bytes(request: SegmentationRequest, plan: Plan, metadata: BundleMetadata) -> int:
    """Return the size of the buffers that grow with the raster's width, bytes."""
    tiles = plan.tiles
    maps = 1 + bool(request.confidence) + bool(request.novelty)
    maps += metadata.spec.classes if request.probabilities else 0
    # Rows of raster pixels, 1 byte each: validity and output maps of a tile row, and a row of blocks of each writer.
    rows = tiles.window_shape[0] * plan.work.scale[0] * (1 + maps) + BLOCK * maps
    # float32 sums shared by two tile rows, held twice.
    shared = 2 * max(tiles.overlap, tiles.window_shape[0] // 8) * 4 * metadata.spec.classes
    return round(tiles.width * shared + tiles.width * plan.work.scale[1] * rows)
