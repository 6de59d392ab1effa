"""How much of the machine a run takes: cores, memory, threads. Never changes a class."""

from __future__ import annotations

from dataclasses import dataclass

from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.io.raster_writer import BLOCK
from dubai_landcover_plugin.core.runtimes.hardware import cores, free_memory
from dubai_landcover_plugin.core.runtimes.selection import Limits
from dubai_landcover_plugin.core.segmentation.plan import Plan
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest

_MB = 1 << 20
_ENGINE = 350 * _MB  # measured: Python, the libraries and the shipped network, compiled for windows of 576×608 px
_COMFORT = 450 * _MB  # what a run takes on top where it need not save
_CACHE = (32 * _MB, 256 * _MB)  # least and most for decoded blocks
_CORES_FOR_EACH_READER = 8  # one thread decodes JPEG for about so many that compute
_MOST_READERS = 4
_REMOTE = ("/vsicurl", "/vsis3", "/vsigs", "/vsiaz", "/vsioss", "http://", "https://", "s3://", "gs://", "az://")


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may take.

    Args:
        limits: Of the runtime.
        readers: Threads that decode.
        cache: For decoded blocks, bytes.
        memory: What was allowed, bytes.
        needed: What is expected at most, bytes.
    """

    limits: Limits
    readers: int
    cache: int
    memory: int
    needed: int

    def __str__(self) -> str:
        return (
            f"Memory: about {self.needed / _MB:,.0f} of {self.memory / _MB:,.0f} MB allowed; "
            f"{self.limits.threads} cores, {self.readers} of them decoding too."
        )


def make_budget(
    request: SegmentationRequest, plan: Plan, source: RasterSource, metadata: BundleMetadata, threads: int | None = None
) -> Budget:
    """Settle what a run takes.

    Args:
        request: What to do.
        plan: Its windows.
        source: Its raster.
        metadata: Of the model.
        threads: Cores to use; None for all that the process may use.
    """
    threads = threads or cores()
    allowed = request.options.memory
    memory = free_memory() // 2 if allowed is None else allowed * _MB
    band = _band_bytes(request, plan, metadata)
    lean = memory < _ENGINE + _COMFORT + band
    readers = 1 if lean else _readers(request.input, plan, source, threads)
    wanted = source.block_bytes(plan.tiles.window_shape[0] * plan.work.scale[0]) * 5 // 4
    cache = _CACHE[0] if lean else min(max(wanted, _CACHE[0]), _CACHE[1])
    height, width = plan.tiles.window_shape
    window = height * width * (len(metadata.bands) + 4 * metadata.spec.classes)
    queue = window * (4 if lean else 4 + 2 * threads) + readers * len(plan.tiles.col_starts) * height * width * 3
    needed = _ENGINE + band + min(cache, wanted) + queue
    return Budget(Limits(threads, lean), readers, cache, memory, needed)


def is_remote(path: str) -> bool:
    """Return whether GDAL fetches a raster over the network."""
    return path.startswith(_REMOTE)


def _readers(path: str, plan: Plan, source: RasterSource, threads: int) -> int:
    """Return how many threads decode: more where many cores wait for pixels, or where pixels come from afar."""
    wanted = _MOST_READERS if is_remote(path) else threads // _CORES_FOR_EACH_READER if source.is_compressed else 1
    return max(min(wanted, _MOST_READERS, len(plan.tiles.col_starts) // 2), 1)


def _band_bytes(request: SegmentationRequest, plan: Plan, metadata: BundleMetadata) -> int:
    """Return what grows with the width of the raster: rows on their way, and sums that two bands share."""
    tiles = plan.tiles
    maps = 2 if request.confidence else 1
    rows = tiles.window_shape[0] * (1 + maps) + BLOCK * maps
    shared = 2 * max(tiles.overlap, tiles.window_shape[0] // 8) * 4 * metadata.spec.classes
    held = 0 if plan.work.is_native else 2 * tiles.window_shape[0] * 4 * metadata.spec.classes
    return round(tiles.width * (shared + held) + tiles.width * plan.work.scale[1] * rows)
