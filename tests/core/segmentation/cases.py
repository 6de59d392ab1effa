"""A run on a small raster, for the tests of this room."""

import rasterio
import rasterio.shutil

from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
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
    outputs = {key: options.pop(key) for key in ("confidence", "polygons", "report") if key in options}
    request = SegmentationRequest(
        str(path), str(output), SegmentOptions(**{"overwrite": True, **options}), extent, **outputs
    )
    result = run_segmentation(request, listener, bundle)
    with rasterio.open(output) as dataset:
        return dataset.read(1), result
