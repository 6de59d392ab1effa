"""A run on a small raster, for the tests of this room."""

import numpy as np
import rasterio
import rasterio.shutil

from dubai_landcover_plugin.core.segmentation.novelty import NoveltyMeter, cell_statistics
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.ground_samples import DISTANCES, GroundSamples
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions


class Listener:
    """Keeps what a run says; cancels after ``patience`` progress reports."""

    def __init__(self, patience=None):
        self.lines, self.progress, self.patience = [], [], patience

    def report(self, done, total, text=""):
        self.progress.append((done, total))

    def log(self, level, text):
        self.lines.append((level, text))

    def cancelled(self):
        return self.patience is not None and len(self.progress) >= self.patience


def run(path, bundle, listener=None, extent=None, **options):
    output = path.with_name("classes.tif")
    paths = ("confidence", "novelty", "polygons", "report", "within", "probabilities")
    outputs = {key: options.pop(key) for key in paths if key in options}
    request = SegmentationRequest(
        str(path), str(output), SegmentOptions(**{"overwrite": True, **options}), extent, **outputs
    )
    result = run_segmentation(request, listener, bundle)
    with rasterio.open(output) as dataset:
        return dataset.read(1), result


def ground(height, width, colour, texture, seed=0):
    """Return (3, H, W) uint8 pixels of a mean colour and a standard deviation."""
    noise = np.random.default_rng(seed).normal(0, texture, (3, height, width))
    return np.clip(np.array(colour)[:, None, None] + noise, 0, 255).astype(np.uint8)


def _samples(cells):
    moved = NoveltyMeter(cells).distances(cells + np.random.default_rng(0).normal(0, 1, cells.shape))
    return GroundSamples(
        tuple(map(tuple, cells.tolist())), tuple(np.percentile(moved, np.linspace(0, 100, DISTANCES))), 75.0
    )


SAND = [ground(256, 256, (200 + 5 * i, 180 + 5 * i, 150), 10 + i, i) for i in range(6)]
GROUND_CELLS = np.concatenate([cell_statistics(image) for image in SAND])
GROUND_SAMPLES = _samples(GROUND_CELLS)
