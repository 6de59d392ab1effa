import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from rasterio._err import CPLE_FileIOError

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io import raster_writer as writer_module
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import sweep_partials
from tests.factories import ONE_METRE, ROOT

STYLE = RasterStyle(0, "Land cover", {0: (0, 0, 0), 1: (10, 20, 30)})


def grid(height, width):
    return Grid(height, width, ONE_METRE, rasterio.crs.CRS.from_epsg(32640))


def write(path, pixels, rows_at_once=100, cog=False):
    with LandCoverWriter(path, grid(*pixels.shape), STYLE, cog=cog) as writer:
        for row in range(0, len(pixels), rows_at_once):
            writer.write_rows(pixels[row : row + rows_at_once])
        writer.finish({"KEY": "value"})
        writer.place()


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (511, 30), (512, 512), (1300, 700)])
def test_rows_come_back_with_place_palette_tags_and_overviews(tmp_path, shape, cog):
    pixels = np.random.default_rng(0).integers(0, 2, shape, np.uint8)
    path = tmp_path / "classes.tif"
    write(path, pixels, cog=cog)
    assert os.listdir(tmp_path) == ["classes.tif"]
    with rasterio.open(path) as dataset:
        assert (dataset.read(1) == pixels).all()
        assert dataset.transform == ONE_METRE
        assert dataset.nodata == 0
        assert dataset.colormap(1)[1][:3] == (10, 20, 30)
        assert dataset.tags()["KEY"] == "value"
        assert dataset.descriptions == ("Land cover",)
        assert dataset.profile["compress"] == "deflate"
        assert bool(dataset.overviews(1)) == (max(shape) > 256)
        assert (dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG") == cog


def test_a_cloud_optimised_file_that_went_wrong_is_not_put_into_place(tmp_path, monkeypatch):
    def spoiled(source, target, **options):
        with rasterio.open(source) as dataset, rasterio.open(target, "w", **dataset.profile) as copy:
            copy.write(np.zeros(dataset.shape, np.uint8), 1)

    monkeypatch.setattr(rasterio.shutil, "copy", spoiled)
    with pytest.raises(OutputError, match="did not become a cloud-optimised GeoTIFF"):
        write(tmp_path / "classes.tif", np.ones((600, 600), np.uint8), cog=True)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_while_a_file_is_optimised_is_an_error_of_the_output(tmp_path, monkeypatch):
    def fail(source, target, **options):
        raise CPLE_FileIOError(3, 3, "No space left on device")

    monkeypatch.setattr(rasterio.shutil, "copy", fail)
    with pytest.raises(OutputError, match="could not be written"):
        write(tmp_path / "classes.tif", np.ones((600, 600), np.uint8), cog=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("step", ["_write_blocks", "_add_overviews", "_optimise", "_verify", "place"])
def test_a_folder_that_is_removed_in_the_run_is_an_error_of_the_output(tmp_path, monkeypatch, step):
    done = getattr(LandCoverWriter, step)

    def remove(writer, *arguments):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        return done(writer, *arguments)

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(LandCoverWriter, step, remove)
    with pytest.raises(OutputError, match=r"could not be|cannot be"):
        write(tmp_path / "out" / "classes.tif", np.ones((600, 600), np.uint8), cog=True)


@pytest.mark.parametrize(
    "rows", [np.zeros((2, 9), np.uint8), np.zeros((2, 10), np.int16), np.zeros((13, 10), np.uint8)]
)
def test_rows_that_do_not_fit_are_refused(tmp_path, rows):
    with (
        LandCoverWriter(tmp_path / "o.tif", grid(12, 10), STYLE) as writer,
        pytest.raises(OutputError, match="do not fit"),
    ):
        writer.write_rows(rows)
    assert os.listdir(tmp_path) == []


def test_leaving_without_finish_leaves_nothing(tmp_path):
    with LandCoverWriter(tmp_path / "o.tif", grid(12, 10), STYLE) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
    assert os.listdir(tmp_path) == []


def test_missing_rows_are_refused(tmp_path):
    with LandCoverWriter(tmp_path / "o.tif", grid(12, 10), STYLE) as writer:
        writer.write_rows(np.ones((5, 10), np.uint8))
        with pytest.raises(OutputError, match="5 of 12 rows"):
            writer.finish({})
    assert os.listdir(tmp_path) == []


def test_an_error_keeps_the_older_file(tmp_path):
    path = tmp_path / "o.tif"
    write(path, np.ones((12, 10), np.uint8))
    before = path.read_bytes()

    def fail_half_way():
        with LandCoverWriter(path, grid(12, 10), STYLE) as writer:
            writer.write_rows(np.zeros((5, 10), np.uint8))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert path.read_bytes() == before


def test_a_file_that_reads_back_differently_is_no_result(tmp_path, monkeypatch):
    numbers = iter(range(100))
    monkeypatch.setattr(writer_module.zlib, "crc32", lambda data: next(numbers))
    with pytest.raises(OutputError, match="reads back differently at rows 0–11"):
        write(tmp_path / "o.tif", np.ones((12, 10), np.uint8))
    assert os.listdir(tmp_path) == []


FULL_DISK = """
import resource, signal, sys
import numpy as np, rasterio
sys.path.insert(0, sys.argv[2])
from tests.core.io.test_raster_writer import write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
pixels = np.random.default_rng(0).integers(0, 255, (2048, 1024), np.uint8)
try:
    write(sys.argv[1], pixels)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX resource limits")
def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path, clean_environment):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "o.tif"), str(ROOT)],
        capture_output=True,
        text=True,
        env=clean_environment,
        check=False,
    )
    assert done.stdout.startswith("OutputError"), done.stderr
    assert "Free some space" in done.stdout
    assert os.listdir(tmp_path) == []


KILLED = """
import sys, time
import numpy as np
sys.path.insert(0, sys.argv[2])
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter
from tests.core.io.test_raster_writer import STYLE, grid
with LandCoverWriter(sys.argv[1], grid(4096, 512), STYLE) as writer:
    writer.write_rows(np.ones((2048, 512), np.uint8))
    print("half", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_run_leaves_no_output_and_the_next_one_sweeps_up(tmp_path, clean_environment):
    path = tmp_path / "o.tif"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path), str(ROOT)], stdout=subprocess.PIPE, text=True, env=clean_environment
    )
    assert process.stdout.readline() == "half\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not path.exists()
    assert len(os.listdir(tmp_path)) == 1  # the partial file
    sweep_partials(tmp_path)
    assert os.listdir(tmp_path) == []
