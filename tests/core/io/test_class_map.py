"""Classified rasters: what is one, and reading it in strips."""

import json
import math
import os
import re

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core import assess_accuracy, draw_accuracy_sample, map_change, polygonize, write_report
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource, limited_cache
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass, coloured
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.requests import (
    AccuracyRequest,
    AccuracySampleRequest,
    ChangeRequest,
    PolygonizeRequest,
    ReportRequest,
)
from tests.factories import ONE_METRE, random_pixels, write_class_map, write_raster

IDS = np.arange(11 * 7).reshape(11, 7) % 7


@pytest.mark.parametrize("rows", [1, 4, 11, 50])
def test_strips_of_any_height_make_up_the_raster(tmp_path, rows):
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", IDS)) as source:
        strips = list(source.strips(rows))
    assert [first for first, _ in strips] == list(range(0, 11, rows))
    assert (np.concatenate([ids for _, ids in strips]) == IDS).all()


def test_grid_classes_and_model_are_those_of_the_file(tmp_path):
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", IDS, model="town")) as source:
        assert (source.scheme, source.model) == (DUBAI, "town")
        assert (source.grid.height, source.grid.width, source.grid.transform) == (11, 7, ONE_METRE)


@pytest.mark.parametrize("record", ["", "{", "[1, 2]", "null"])
def test_a_damaged_record_is_an_unknown_model(tmp_path, record):
    path = write_class_map(tmp_path / "m.tif", IDS)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(LANDCOVER_RUN=record)
    with ClassifiedSource(path) as source:
        assert source.model == ""


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        ("uint8", None),
        ("uint8", 255),
        ("uint8", 6),
        ("int8", -1),
        ("int16", -9999),
        ("uint16", 65535),
        ("int32", None),
        ("uint32", 0),
        ("int64", -1),
        ("uint64", None),
        ("float32", -3.4028234663852886e38),
        ("float32", -3.4e38),
        ("float32", math.nan),
        ("float64", -9999.5),
        ("float64", None),
    ],
)
def test_copies_in_other_types_have_the_same_ids(tmp_path, dtype, nodata):
    values = IDS.astype(dtype)
    wanted = np.where(nodata == IDS, 0, IDS)
    if nodata is not None:
        values[wanted == 0] = nodata
    path = write_raster(tmp_path / "copy.tif", values[None], nodata=nodata)
    with ClassifiedSource(path) as source:
        ids = source.read(2, 9)
        assert ids.dtype == np.uint8
        np.testing.assert_array_equal(ids, wanted[2:9])
        assert source.preview(11, 7).tolist() == wanted.tolist()


def test_pixels_behind_a_mask_or_an_alpha_band_have_no_class(tmp_path):
    valid = IDS % 2 == 1
    masked = write_raster(tmp_path / "mask.tif", IDS[None].astype(np.uint8))
    with rasterio.open(masked, "r+") as dataset:
        dataset.write_mask(valid)
    both = np.stack([IDS, np.where(valid, 255, 0)]).astype(np.uint8)
    for path in (masked, write_raster(tmp_path / "alpha.tif", both, photometric="MINISBLACK", alpha="YES")):
        with ClassifiedSource(path) as source:
            np.testing.assert_array_equal(source.read(0, 11), np.where(valid, IDS, 0))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_values_that_are_not_classes_are_named_wherever_they_are(tmp_path, dtype):
    values = IDS.astype(dtype)
    values[10, 2:5] = (9, 7, 200)
    with ClassifiedSource(write_raster(tmp_path / "m.tif", values[None])) as source:
        source.read(0, 10)
        with pytest.raises(ClassSchemeError, match=r"m\.tif contains .* not classes: 7, 9, 200\. Its classes"):
            source.read(10, 11)
        assert source.preview(11, 7)[10].tolist() == [0, 1, 0, 0, 0, 5, 6]


@pytest.mark.parametrize("value", [0.5, -1, 300, 1e30, math.inf])
def test_values_that_are_not_ids_are_refused(tmp_path, value):
    values = IDS.astype(np.float32)
    values[5, 5] = value
    with (
        ClassifiedSource(write_raster(tmp_path / "m.tif", values[None])) as source,
        pytest.raises(ClassSchemeError, match=re.escape(f"not classes: {np.float32(value).item():.10g}.")),
    ):
        source.read(0, 11)


def test_values_that_a_chosen_scheme_lacks_are_to_be_added_there(tmp_path):
    table = tmp_path / "own.csv"
    table.write_text("id,name\n1,Roof\n")
    with ClassifiedSource(write_raster(tmp_path / "m.tif", np.full((1, 3, 3), 2, np.uint8)), str(table)) as source:
        with pytest.raises(ClassSchemeError, match=r"not classes: 2\. Its classes are 1 Roof") as caught:
            source.read(0, 3)
        assert caught.value.remedy.startswith(f"Add them to the class scheme {table}, choose another one, or")


def test_many_values_are_counted(tmp_path):
    values = np.arange(100, 170, dtype=np.uint8).reshape(1, 10, 7)
    with (
        ClassifiedSource(write_raster(tmp_path / "m.tif", values)) as source,
        pytest.raises(ClassSchemeError, match="100, 101, 102, 103, 104, 105, 106, 107 and 62 more"),
    ):
        source.read(0, 10)


def test_a_scheme_of_all_ids_changes_nothing(tmp_path):
    classes = tuple(LandCoverClass(value, f"c{value}", "#000001") for value in range(1, 254))
    scheme = ClassScheme(classes, LandCoverClass(254, "Unlabeled", "#000002"))
    ids = np.arange(255, dtype=np.uint8)[None]
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", ids, scheme)) as source:
        assert (source.read(0, 1) == ids).all()


def test_the_users_classes_replace_those_of_the_raster(tmp_path):
    table = tmp_path / "classes.csv"
    table.write_text("id,name,colour\n" + "".join(f"{value},c{value},#00000{value}\n" for value in range(1, 7)))
    path = write_class_map(tmp_path / "m.tif", IDS)
    with ClassifiedSource(path, str(table)) as source:
        assert [entry.name for entry in source.scheme.classes] == ["c1", "c2", "c3", "c4", "c5", "c6"]
        assert source.notes == []
    with pytest.raises(ClassSchemeError, match=r"nothing\.csv cannot be used as class scheme"):
        ClassifiedSource(path, str(tmp_path / "nothing.csv"))


def test_assumed_classes_are_reported(tmp_path):
    with ClassifiedSource(write_raster(tmp_path / "m.tif", IDS[None].astype(np.uint8))) as source:
        assert source.scheme == coloured(DUBAI)
        assert source.notes[0].startswith("m.tif does not name its classes; assumed: 1 Water, 2 Land")


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (random_pixels(9, 9), "it has 3 bands of uint8, not one"),
        (np.ones((2, 9, 9), np.int16), "it has 2 bands of int16"),
        (np.ones((1, 9, 9), np.complex64), "its pixels are complex64"),
    ],
    ids=["image", "two", "complex"],
)
def test_other_rasters_are_refused_and_closed(tmp_path, pixels, words):
    path = write_raster(tmp_path / "o.tif", pixels)
    with pytest.raises(RasterOpenError, match=words):
        ClassifiedSource(path)
    path.rename(tmp_path / "moved.tif")  # an open file could not be renamed on Windows
    with pytest.raises(RasterOpenError):
        ClassifiedSource(path)


def test_damaged_class_names_are_refused(tmp_path):
    path = write_class_map(tmp_path / "m.tif", IDS)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(CLASS_2="Land blue")
    with pytest.raises(RasterOpenError, match=r"m\.tif is not a classified raster: Class colours must have the form"):
        ClassifiedSource(path)


def test_a_preview_shows_the_most_frequent_class(tmp_path):
    ids = np.full((8, 8), 2)
    ids[:4, :4] = 4
    ids[1:3, 1:3] = 1  # fewer pixels than the rest, in the middle of the cell
    with ClassifiedSource(write_class_map(tmp_path / "m.tif", ids)) as source:
        assert source.preview(2, 2).tolist() == [[4, 2], [2, 2]]


def test_a_damaged_block_is_an_error_with_the_path(tmp_path):
    ids = np.random.default_rng(0).integers(1, 6, (64, 64))
    path = tmp_path / "m.tif"
    write_class_map(path, ids, compress="deflate", tiled=True, blockxsize=16, blockysize=16)
    with rasterio.open(path) as dataset:
        start = int(dataset.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1))
    data = bytearray(path.read_bytes())
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    with ClassifiedSource(path) as source:
        assert (source.read(0, 16) == ids[:16]).all()
        with pytest.raises(RasterReadError, match=r"m\.tif cannot be read"):
            source.read(0, 64)


def test_the_cache_is_limited_inside_only():
    with rasterio.Env():
        with limited_cache():
            assert rasterio.env.getenv()["GDAL_CACHEMAX"] == 128 << 20
        assert "GDAL_CACHEMAX" not in rasterio.env.getenv()


class _Replacing:
    """Monitor that replaces a raster by one of the same size and time once the tool reads it."""

    def __init__(self, path):
        self._path, self._done = path, False

    def report(self, done, total, text=""):
        if self._done:
            return
        self._done = True
        status = os.stat(self._path)
        write_class_map(self._path.with_name("other.tif"), 6 - IDS)
        os.utime(self._path.with_name("other.tif"), ns=(status.st_atime_ns, status.st_mtime_ns))
        os.replace(self._path.with_name("other.tif"), self._path)

    def log(self, level, text):
        pass

    def cancelled(self):
        return False


@pytest.mark.parametrize(
    ("tool", "request_of"),
    [
        (polygonize, lambda path, out: PolygonizeRequest(path, f"{out}/p.gpkg", min_area=0)),
        (write_report, lambda path, out: ReportRequest(path, f"{out}/r.html")),
        (draw_accuracy_sample, lambda path, out: AccuracySampleRequest(path, f"{out}/s.gpkg", size=20)),
        (assess_accuracy, lambda path, out: AccuracyRequest(path, path.replace("m.", "n."), report=f"{out}/a.html")),
        (map_change, lambda path, out: ChangeRequest(path, path.replace("m.", "n."), f"{out}/c.tif", min_area=0)),
        (map_change, lambda path, out: ChangeRequest(path.replace("m.", "n."), path, f"{out}/c.tif", min_area=0)),
    ],
)
def test_a_raster_that_is_replaced_while_it_is_read_gives_no_result(tmp_path, tool, request_of):
    for name in ("m.tif", "n.tif"):
        write_class_map(tmp_path / name, IDS)
    (tmp_path / "out").mkdir()
    request = request_of(str(tmp_path / "m.tif"), str(tmp_path / "out"))
    with pytest.raises(RasterReadError, match=r"m\.tif was changed or replaced while it was read"):
        tool(request, _Replacing(tmp_path / "m.tif"))
    assert os.listdir(tmp_path / "out") == []
    tool(request)


def test_statistics_that_are_stored_while_it_is_read_change_nothing(tmp_path):
    path = write_class_map(tmp_path / "m.tif", IDS)
    with ClassifiedSource(path) as source:
        (tmp_path / "m.tif.aux.xml").write_text("<PAMDataset />")
        os.chmod(path, 0o600)
        assert (source.read(0, 11) == IDS).all()


class TestImageName:
    """Temporary results have no name of their own: polygons are named after the image."""

    def named(self, path, run):
        tags = {} if run is None else {"LANDCOVER_RUN": run if isinstance(run, str) else json.dumps(run)}
        write_class_map(path, np.ones((4, 4)))
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(**tags)
        with ClassifiedSource(path) as source:
            return source.image_name

    @pytest.mark.parametrize(
        ("run", "name"),
        [
            ({"request": {"input": "/data/town.jp2", "source": "Sharjah 2024"}}, "Sharjah 2024"),
            ({"request": {"input": "/data/town.jp2", "source": ""}}, "town.jp2"),
            ({"request": {"input": "C:\\data\\town.tif"}}, "town.tif"),
            ({"request": {"input": "/vsicurl/https://example.org/a/town.tif"}}, "town.tif"),
            ({"request": ["damaged"]}, "OUTPUT.tif"),
            ({"request": {"input": 3}}, "OUTPUT.tif"),
            ("damaged", "OUTPUT.tif"),
            (None, "OUTPUT.tif"),
        ],
    )
    def test_it_is_that_of_the_run(self, tmp_path, run, name):
        assert self.named(tmp_path / "OUTPUT.tif", run) == name
