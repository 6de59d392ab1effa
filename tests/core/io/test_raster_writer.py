import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio._err import CPLE_FileIOError

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io import raster_writer as writer_module
from dubai_landcover_plugin.core.io.attribute_table import is_legend, legend_xml
from dubai_landcover_plugin.core.io.outputs import legend_path
from dubai_landcover_plugin.core.io.qml import is_raster_style, raster_style, with_mark
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter, RasterStyle
from dubai_landcover_plugin.protocol import placement
from dubai_landcover_plugin.protocol.classes import DUBAI
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


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize("shape", [(2, 1, 1), (5, 1300, 300)])
def test_several_bands_have_names_and_are_verified(tmp_path, shape, cog, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 101, shape, np.uint8)
    path, names = tmp_path / "bands.tif", tuple(f"Class {number}" for number in range(shape[0]))
    style = RasterStyle(255, names, None, rasterio.enums.Resampling.average)
    with LandCoverWriter(path, grid(*shape[1:]), style, cog=cog) as writer:
        for row in range(0, shape[1], 100):
            writer.write_rows(pixels[:, row : row + 100])
        with pytest.raises(OutputError, match="do not fit"):
            writer.write_rows(pixels[0, :1])
        writer.finish({"KEY": "value"})
        writer.place()
    with rasterio.open(path) as dataset:
        assert (dataset.read() == pixels).all()
        assert dataset.descriptions == names
        assert dataset.nodata == 255
        assert dataset.profile["tiled"]
        assert rasterio.enums.ColorInterp.alpha not in dataset.colorinterp
    verify = LandCoverWriter._verify

    def damaged(self):
        with rasterio.open(self._partial, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
            last = dataset.read(shape[0])
            dataset.write(last ^ 1, shape[0])
        verify(self)

    monkeypatch.setattr(LandCoverWriter, "_verify", damaged)
    with LandCoverWriter(tmp_path / "damaged.tif", grid(*shape[1:]), style) as writer:
        writer.write_rows(pixels)
        with pytest.raises(OutputError, match="reads back differently at rows 0"):
            writer.finish({})


@pytest.mark.parametrize("cog", [False, True])
@pytest.mark.parametrize("colours", [None, {0: (0, 0, 0), 1: (10, 20, 30)}])
def test_grey_bands_store_differences_and_those_with_a_palette_do_not(tmp_path, colours, cog):
    slope = np.add.outer(np.arange(600), np.arange(700)).astype(np.uint8)
    path = tmp_path / "band.tif"
    with LandCoverWriter(path, grid(600, 700), RasterStyle(255, "Band", colours), cog=cog) as writer:
        writer.write_rows(slope)
        writer.finish({})
        writer.place()
    for level in (None, 0):
        with rasterio.open(path, **({} if level is None else {"overview_level": level})) as dataset:
            assert level is not None or (dataset.read(1) == slope).all()
            found = dataset.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR", "1")
            assert found == ("2" if colours is None else "1")


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
from dubai_landcover_plugin.core.io.qml import is_raster_style, raster_style, with_mark
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


CRS_TEXTS = [
    "EPSG:32640+5773", "EPSG:4979", "OGC:CRS84", "ESRI:54009", "EPSG:2263", 'LOCAL_CS["site",UNIT["metre",1]]',
    "+proj=laea +lat_0=52 +lon_0=10 +ellps=GRS80 +units=m", "+proj=utm +zone=40 +ellps=intl +towgs84=-87,-98,-121",
]  # fmt: skip
BESIDE = ["EPSG:32640+4979", "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +datum=WGS84"]


@pytest.mark.parametrize(("cog", "legend"), [(False, True), (True, False), (False, False)])
@pytest.mark.parametrize("text", [*CRS_TEXTS, *BESIDE])
def test_any_crs_is_kept_in_the_file_or_beside_it(tmp_path, text, cog, legend):
    crs = rasterio.crs.CRS.from_user_input(text)
    path = tmp_path / "o.tif"
    small = Affine(1e-5, 0, 55, 0, -1e-5, 25)
    with LandCoverWriter(path, Grid(12, 10, small, crs), STYLE, cog=cog) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
        writer.finish({}, partial(legend_xml, DUBAI, {}) if legend else None)
        writer.place()
    side_file = ["o.tif.aux.xml"] if legend or text in BESIDE else []
    assert sorted(os.listdir(tmp_path)) == ["o.tif", *side_file]
    with rasterio.open(path) as dataset:
        assert dataset.crs == crs or text == "OGC:CRS84"
    if legend:
        assert is_legend(legend_path(path).read_text())


@pytest.mark.parametrize("earlier", [True, False])
def test_a_raster_gets_its_legend_or_is_not_there(tmp_path, monkeypatch, earlier):
    path = tmp_path / "o.tif"
    if earlier:
        path.write_text("earlier")
    moved = placement._move
    monkeypatch.setattr(placement, "_move", lambda *given: moved(*given) or (_ for _ in ()).throw(KeyboardInterrupt))
    writer = LandCoverWriter(path, grid(12, 10), STYLE)
    writer.write_rows(np.ones((12, 10), np.uint8))
    writer.finish({}, partial(legend_xml, DUBAI, {}))
    with pytest.raises(KeyboardInterrupt):
        writer.place()
    monkeypatch.undo()
    writer.abort()
    assert sorted(os.listdir(tmp_path)) == (["o.tif", "o.tif.aux.xml"] if earlier else [])
    assert not earlier or path.read_bytes() != b"earlier"


def write_styled(path, style=None):
    """A raster with the style of its classes beside it."""
    with LandCoverWriter(path, grid(12, 10), STYLE) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
        writer.finish({}, style=raster_style(DUBAI.entries) if style is None else style)
        writer.place()
    beside = path.with_suffix(".qml")
    return beside.read_text(encoding="utf-8") if beside.exists() else None


class TestStyle:
    def test_it_is_beside_the_raster_and_replaced_with_it(self, tmp_path):
        text = write_styled(tmp_path / "o.tif")
        assert is_raster_style(text)
        (tmp_path / "o.qml").write_text(with_mark(raster_style(DUBAI.entries[:2])))
        assert write_styled(tmp_path / "o.tif") == text
        assert write_styled(tmp_path / "o.tif", style="") is None

    @pytest.mark.parametrize("style", ["<qgis version='3.40.6-Bratislava'/>", with_mark("<qgis/>")])
    def test_styles_of_users_and_of_vector_layers_are_kept(self, tmp_path, style):
        (tmp_path / "o.qml").write_text(style)
        assert write_styled(tmp_path / "o.tif") == style

    def test_it_is_left_out_where_polygons_would_be_read_with_it(self, tmp_path):
        (tmp_path / "o.gpkg").touch()  # has its style inside
        assert write_styled(tmp_path / "o.tif") is not None
        (tmp_path / "o.geojson").touch()
        assert write_styled(tmp_path / "o.tif") is None

    def test_a_style_that_cannot_be_written_is_no_error(self, tmp_path):
        (tmp_path / "o.qml").mkdir()
        with LandCoverWriter(tmp_path / "o.tif", grid(12, 10), STYLE) as writer:
            writer.write_rows(np.ones((12, 10), np.uint8))
            writer.finish({}, style=raster_style(DUBAI.entries))
            writer.place()
        assert sorted(os.listdir(tmp_path)) == ["o.qml", "o.tif"]


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_legend_is_beside_a_link_and_its_raster(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "o.tif").symlink_to(tmp_path / "data" / "r.tif")
    with LandCoverWriter(tmp_path / "o.tif", grid(12, 10), STYLE) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
        writer.finish({}, partial(legend_xml, DUBAI, {}))
        writer.place()
    for path in (tmp_path / "o.tif", tmp_path / "data" / "r.tif"):
        assert is_legend(legend_path(path).read_text())


@pytest.mark.parametrize(
    "changes",
    [{"crs": None}, {"crs": rasterio.crs.CRS.from_epsg(32639)}, {"transform": ONE_METRE @ Affine.scale(1.01)}],
)
def test_a_file_at_another_place_is_not_a_result(tmp_path, monkeypatch, changes):
    given = grid(12, 10)

    class Misplaced(LandCoverWriter):
        def _create(self, control_points):
            self._grid = replace(given, **changes)
            dataset = super()._create(control_points)
            self._grid = given
            return dataset

    with Misplaced(tmp_path / "o.tif", given, STYLE) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
        with pytest.raises(OutputError, match="reads back at another place"):
            writer.finish({})
    assert os.listdir(tmp_path) == []


def test_a_side_file_of_an_earlier_raster_goes(tmp_path):
    path = tmp_path / "o.tif"
    with LandCoverWriter(path, Grid(12, 10, ONE_METRE, rasterio.crs.CRS.from_user_input(BESIDE[0])), STYLE) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
        writer.finish({})
        writer.place()
    write(path, np.ones((12, 10), np.uint8))
    assert os.listdir(tmp_path) == ["o.tif"]


@pytest.mark.parametrize("transform", [Affine.identity(), Affine.scale(1, -1), Affine(1, 0, 4, 0, -1, -6)])
def test_rasters_without_georeferencing(tmp_path, transform):
    with LandCoverWriter(tmp_path / "o.tif", Grid(12, 10, transform, None), STYLE) as writer:
        writer.write_rows(np.ones((12, 10), np.uint8))
        writer.finish({})
        writer.place()
    with rasterio.open(tmp_path / "o.tif") as dataset:
        assert dataset.transform == transform
