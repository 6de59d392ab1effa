"""Memory belongs to a band of windows, not to the raster."""

import subprocess
import sys

import numpy as np
import pytest

from .conftest import ROOT, write_raster

RUN = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from dubai_landcover_plugin.core.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.core.segment import segment_raster
options = SegmentOptions(model=sys.argv[2], window=256, overwrite=True)
segment_raster(SegmentationRequest(sys.argv[3], sys.argv[4], options, confidence=sys.argv[5]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource.getrusage")
def test_a_raster_four_times_as_tall_takes_the_same_memory(tmp_path, tiny_model, clean_environment):
    peaks = []
    for height in (2048, 4 * 2048):
        pixels = np.random.default_rng(0).integers(1, 255, (3, height, 512), np.uint8)
        path = write_raster(tmp_path / "input.tif", pixels, tiled=True, blockxsize=256, blockysize=256)
        paths = [ROOT, tiny_model, path, tmp_path / "o.tif", tmp_path / "c.tif"]
        done = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, paths)],
            capture_output=True,
            text=True,
            env=clean_environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout.split()[-1]))
    assert peaks[1] < 1.2 * peaks[0]
