"""Memory belongs to a band of windows, not to the raster."""

import subprocess
import sys

import numpy as np
import pytest

from tests.factories import ROOT, write_class_map, write_raster

RUN = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.core.segmentation.segment import segment_raster
options = SegmentOptions(model=sys.argv[2], window=256, overwrite=True, runtime="torch", device="cpu")
segment_raster(SegmentationRequest(sys.argv[3], sys.argv[4], options, confidence=sys.argv[5]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak_memory(program, arguments, environment):
    """Run a program that prints its largest resident memory last, in a new process; return that number."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource.getrusage")
def test_a_raster_four_times_as_tall_takes_the_same_memory(tmp_path, tiny_model, clean_environment):
    peaks = []
    for height in (2048, 4 * 2048):
        pixels = np.random.default_rng(0).integers(1, 255, (3, height, 512), np.uint8)
        path = write_raster(tmp_path / "input.tif", pixels, tiled=True, blockxsize=256, blockysize=256)
        paths = [ROOT, tiny_model, path, tmp_path / "o.tif", tmp_path / "c.tif"]
        peaks.append(peak_memory(RUN, paths, clean_environment))
    assert peaks[1] < 1.2 * peaks[0], peaks


POLYGONS = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from dubai_landcover_plugin.core.polygons.polygonize import polygonize
from dubai_landcover_plugin.protocol.requests.polygons import PolygonizeRequest
print(polygonize(PolygonizeRequest(sys.argv[2], sys.argv[3], overwrite=True)).conservation)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource.getrusage")
def test_polygons_of_a_raster_four_times_as_tall_take_the_same_memory(tmp_path, clean_environment):
    peaks = []
    tile = np.random.default_rng(0).integers(1, 5, (64, 64), np.uint8).repeat(8, 0).repeat(8, 1)
    for copies in (12, 48):
        path = write_class_map(tmp_path / "classes.tif", np.tile(tile, (copies, 1)), compress="deflate")
        peaks.append(peak_memory(POLYGONS, [ROOT, path, tmp_path / "polygons.gpkg"], clean_environment))
    assert peaks[1] < 1.2 * peaks[0], peaks
