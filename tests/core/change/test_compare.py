import csv
import json
import os
import subprocess
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS
from rasterio.warp import transform as warp_points

from dubai_landcover_plugin.core.change import compare as change_run
from dubai_landcover_plugin.core.change.alignment import align
from dubai_landcover_plugin.core.change.change_codes import MISSING, UNCERTAIN, UNKNOWN, ChangeCoding
from dubai_landcover_plugin.core.change.compare import map_change
from dubai_landcover_plugin.core.change.coregistration import estimate_shift
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.grid_reader import GridReader, whole_offset
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from tests.factories import ONE_METRE, read_layer, write_class_map, write_raster

UTM40 = CRS.from_epsg(32640)
UNLABELED = 6


def scheme(*names, first=1):
    classes = tuple(LandCoverClass(first + i, name, f"#{i:02X}{i:02X}{i:02X}") for i, name in enumerate(names))
    return ClassScheme(classes, LandCoverClass(first + len(names), "Unlabeled", "#9B9B9B"))


def town(height=160, width=200, seed=0):
    """Blocks, streets and a few houses: a map with edges everywhere."""
    rng = np.random.default_rng(seed)
    ids = np.full((height, width), 2, np.uint8)
    for _ in range(height * width // 300):
        row, col = rng.integers(0, height), rng.integers(0, width)
        tall, wide = rng.integers(4, 18, 2)
        ids[row : row + tall, col : col + wide] = rng.integers(1, 6)
    return ids


def built(ids, seed=5, houses=6):
    """The same map with houses added on land; and where they are."""
    later, rng = ids.copy(), np.random.default_rng(seed)
    for _ in range(houses):
        row, col = (int(rng.integers(10, size - 24)) for size in ids.shape)
        later[row : row + 12, col : col + 14] = 4
    return later, (later != ids)


@pytest.fixture
def make(tmp_path):
    """Write a class map."""

    def write(name, ids, classes=DUBAI, model="", **profile):
        return write_class_map(tmp_path / name, ids, classes, model, **profile)

    return write


@pytest.fixture
def compare(tmp_path, make):
    """Compare two arrays or paths; return the outcome and the codes."""

    def run(earlier, later, **options):
        first, second = (
            value if isinstance(value, str) else make(f"{name}.tif", value)
            for name, value in (("earlier", earlier), ("later", later))
        )
        output = str(tmp_path / "change.tif")
        outcome = map_change(ChangeRequest(first, second, output, overwrite=True, **options)).to_json()
        with rasterio.open(output) as dataset:
            return outcome, dataset.read(1)

    return run


def by_name(outcome):
    return {code["name"]: code["pixels"] for code in outcome["legend"]}


# The request


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"output": "o.png"}, "must end in .tif"),
        ({"csv": "o.txt"}, "must end in .csv"),
        ({"report": "o.pdf"}, "must end in .html"),
        ({"polygons": "o.kml"}, "must end in .gpkg"),
        ({"later": "a.tif"}, "same raster"),
        ({"later": ""}, "needed"),
        ({"min_confidence": 0.5}, "needs a confidence raster"),
        ({"min_confidence": 60.0, "later_confidence": "c.tif"}, r"in 0\.\.1"),
        ({"min_area": -1.0}, "at least 0"),
        ({"csv": "o.csv", "report": "o.html", "polygons": "o.csv"}, "must end in"),
    ],
)
def test_wrong_requests_are_refused_with_the_limit(values, words):
    with pytest.raises(RequestError, match=words):
        ChangeRequest(**{"earlier": "a.tif", "later": "b.tif", "output": "o.tif", **values})


def test_a_request_survives_json():
    request = ChangeRequest("a.tif", "b.tif", "o.tif", "o.gpkg", min_confidence=0.5, earlier_confidence="c.tif")
    assert ChangeRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


# The coding


def test_codes_read_as_from_and_to():
    coding = ChangeCoding(DUBAI, DUBAI)
    assert coding.dtype == np.uint8
    names = {code.name: code.id for code in coding.legend()}
    assert names["Land → Building"] == 24
    assert names["Land unchanged"] == 22
    assert names["Uncertain"] == 1
    assert len(names) == 26
    assert len({code.rgb for code in coding.legend()}) == 26


@settings(max_examples=40)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 200))
def test_codes_are_unique_and_clear_of_no_data_and_uncertain(first, second, start):
    earlier = scheme("Water", *(f"a{i}" for i in range(first - 1)), first=min(start, 254 - first))
    later = scheme("water ", *(f"b{i}" for i in range(second - 1)))
    coding = ChangeCoding(earlier, later)
    codes = coding.codes.ravel().tolist()
    assert len(set(codes)) == len(codes) == coding.count**2
    assert coding.count == first + second - 1
    assert min(codes) > UNCERTAIN
    assert max(codes) <= np.iinfo(coding.dtype).max


def test_classes_are_matched_by_name_whatever_their_ids():
    other = ClassScheme(
        (LandCoverClass(7, "building", "#000000"), LandCoverClass(2, "Water", "#0000FF")),
        LandCoverClass(9, "Unlabeled", "#9B9B9B"),
    )
    coding = ChangeCoding(DUBAI, other)
    ids = np.array([0, 7, 2, 9, 200], np.uint8)
    assert [coding.names[i] if i >= 0 else i for i in coding.indices(ids, later=True)] == [
        MISSING, "Building", "Water", UNKNOWN, MISSING,
    ]  # fmt: skip
    assert coding.unmatched == ["Land", "Road", "Vegetation"]


def test_no_common_class_is_refused_with_both_lists():
    with pytest.raises(ClassSchemeError, match=r"Water, Land.*Forest, Crop"):
        ChangeCoding(DUBAI, scheme("Forest", "Crop"))


def test_many_classes_take_sixteen_bits(compare, make, tmp_path):
    names = [f"class {i}" for i in range(12)]
    many = scheme(*names)
    ids = np.arange(1, 13, dtype=np.uint8).reshape(3, 4)
    outcome, codes = compare(make("a.tif", ids, many), make("b.tif", ids[::-1], many))
    assert codes.dtype == np.uint16
    assert codes[0, 0] == 109
    assert codes[1, 0] == 505
    assert {code["name"] for code in outcome["legend"]} >= {"class 0 → class 8", "class 4 unchanged"}
    with rasterio.open(tmp_path / "change.tif") as dataset:
        assert dataset.nodata == 0
        assert dataset.colormap(1)[109][:3] != (0, 0, 0)


# Counting


IDS = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 6))


@settings(max_examples=40)
@given(IDS, st.integers(0, 10_000), st.integers(1, 40))
def test_every_pixel_is_counted_once(tmp_path_factory, ids, seed, band):
    folder = tmp_path_factory.mktemp("pair")
    later = np.random.default_rng(seed).integers(0, 7, ids.shape, np.uint8)
    for name, values in (("a.tif", ids), ("b.tif", later)):
        write_class_map(folder / name, values)
    kept, change_run._STRIP_PIXELS = change_run._STRIP_PIXELS, band
    try:
        outcome = map_change(ChangeRequest(*(str(folder / name) for name in ("a.tif", "b.tif", "o.tif"))))
    finally:
        change_run._STRIP_PIXELS = kept
    with rasterio.open(folder / "o.tif") as dataset:
        codes = dataset.read(1)
    expected = ids.astype(int) * 10 + later
    expected[(ids == UNLABELED) | (later == UNLABELED)] = UNCERTAIN
    expected[(ids == 0) | (later == 0)] = 0
    assert (codes == expected).all()
    assert {c["code"]: c["pixels"] for c in outcome.legend} == {
        int(code): int((codes == code).sum()) for code in np.unique(codes[codes > 0])
    }
    assert outcome.compared == pytest.approx((codes > 0).sum())
    assert outcome.changed + outcome.unchanged + outcome.uncertain == pytest.approx(outcome.compared)
    gains, losses = (sum(one[key] for one in outcome.classes.values()) for key in ("gain", "loss"))
    assert gains == pytest.approx(losses) == pytest.approx(outcome.changed)


def test_gains_losses_net_and_swap(compare):
    earlier, later = np.full((10, 10), 2), np.full((10, 10), 2)
    later[0] = 4  # 10 px Land → Building
    earlier[1, :4] = 4  # 4 px Building → Land
    outcome, _ = compare(earlier, later)
    building = outcome["classes"]["Building"]
    assert (building["before"], building["after"]) == (4, 10)
    assert (building["gain"], building["loss"], building["net"], building["swap"]) == (10, 4, 6, 8)


def test_one_pixel(compare):
    outcome, codes = compare(np.array([[2]]), np.array([[4]]))
    assert codes.tolist() == [[24]]
    assert outcome["changed"] == 1
    assert outcome["shift"] is None


def test_nothing_in_common_but_the_place(compare):
    earlier, later = np.full((6, 6), 2), np.full((6, 6), 2)
    earlier[:3], later[3:] = 0, 0
    outcome, codes = compare(earlier, later)
    assert not codes.any()
    assert outcome["compared"] == 0
    assert any("No pixel has data in both" in text for text in outcome["warnings"])


def test_no_change_gives_an_empty_vector_file(compare, tmp_path):
    path = str(tmp_path / "c.gpkg")
    outcome, _ = compare(town(), town(), polygons=path, csv=str(tmp_path / "c.csv"), report=str(tmp_path / "c.html"))
    assert outcome["changed"] == 0
    assert outcome["polygon_count"] == 0
    assert pyogrio.read_info(path, layer="c")["features"] == 0
    assert "No pixel changed its class" in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_areas_in_degrees_are_those_on_the_ground(compare, make, tmp_path):
    earlier, later = np.full((20, 30), 2), np.full((20, 30), 2)
    later[5:15, 10:20] = 4
    place = {"transform": Affine(1e-5, 0, 55, 0, -1e-5, 25), "crs": "EPSG:4326"}
    path = str(tmp_path / "c.gpkg")
    outcome, _ = compare(make("a.tif", earlier, **place), make("b.tif", later, **place), polygons=path, min_area=0.0)
    expected = 100 * 1.00904 * 1.10777
    assert outcome["changed"] == pytest.approx(expected, rel=2e-3)
    _, fields = read_layer(path)
    assert fields["area_m2"].tolist() == pytest.approx([expected], rel=2e-3)


def test_degrees_shrink_towards_the_pole():
    areas = GroundScale(Grid(90, 10, Affine(1, 0, 0, 0, -1, 90), CRS.from_epsg(4326))).pixel_areas(0, 90)
    assert (np.diff(areas) > 0).all()
    assert areas[-1] == pytest.approx(111_320 * 110_574, rel=1e-2)


def test_without_a_crs_everything_is_in_pixels(compare, make, tmp_path):
    earlier, later = np.full((20, 30), 2), np.full((20, 30), 2)
    later[5:15, 10:20] = 4
    place = {"transform": Affine.identity(), "crs": None}
    paths = {"polygons": str(tmp_path / "c.gpkg"), "csv": str(tmp_path / "c.csv"), "report": str(tmp_path / "c.html")}
    outcome, _ = compare(make("a.tif", earlier, **place), make("b.tif", later, **place), **paths)
    assert outcome["unit"] == "px"
    assert outcome["changed"] == 100
    _, fields = read_layer(paths["polygons"])
    assert fields["area_px"].tolist() == [100]
    assert "area_px" in (tmp_path / "c.csv").read_text().splitlines()[0]
    assert "(px)" in (tmp_path / "c.html").read_text(encoding="utf-8")


# Confidence


def test_unsure_pixels_are_uncertain_and_no_change(compare, tmp_path):
    earlier, later = np.full((10, 20), 2), np.full((10, 20), 2)
    later[:, 5:15] = 4
    sure = np.full((1, 10, 20), 90, np.uint8)
    first, second = sure.copy(), sure.copy()
    first[0, :2], second[0, -1], second[0, 5, 0] = 59, 30, 255
    first[0, 3] = 60
    given = {
        "earlier_confidence": str(write_raster(tmp_path / "c1.tif", first, nodata=255)),
        "later_confidence": str(write_raster(tmp_path / "c2.tif", second)),
    }
    outcome, codes = compare(earlier, later, min_confidence=0.6, polygons=str(tmp_path / "c.gpkg"), **given)
    assert (codes[:2] == UNCERTAIN).all()
    assert (codes[-1] == UNCERTAIN).all()
    assert codes[5, 0] == UNCERTAIN
    assert by_name(outcome) == {"Uncertain": 61, "Land unchanged": 69, "Land → Building": 70}
    _, fields = read_layer(tmp_path / "c.gpkg")
    assert fields["pixels"].tolist() == [70]
    assert fields["conf_pct"].tolist() == [pytest.approx((60 * 90 + 10 * 60) / 70, abs=0.05)]


def test_confidence_without_a_minimum_only_describes_polygons(compare, tmp_path):
    earlier, later = np.full((10, 20), 2), np.full((10, 20), 2)
    later[:, :10] = 4
    path = str(write_raster(tmp_path / "c.tif", np.full((1, 10, 20), 20, np.uint8)))
    outcome, _ = compare(earlier, later, later_confidence=path, polygons=str(tmp_path / "p.gpkg"))
    assert outcome["uncertain"] == 0
    assert read_layer(tmp_path / "p.gpkg")[1]["conf_pct"].tolist() == [20]


def test_a_confidence_raster_of_other_pixels_is_refused(compare, tmp_path):
    path = str(write_raster(tmp_path / "c.tif", np.full((1, 9, 20), 20, np.uint8)))
    with pytest.raises(RasterOpenError, match="has 20 × 9 px, the classified raster 20 × 10"):
        compare(np.full((10, 20), 2), np.full((10, 20), 2), later_confidence=path)
    path = str(write_raster(tmp_path / "c3.tif", np.full((3, 10, 20), 20, np.uint8)))
    with pytest.raises(RasterOpenError, match="is not a confidence raster"):
        compare(np.full((10, 20), 2), np.full((10, 20), 2), later_confidence=path)
    assert not (tmp_path / "change.tif").exists()


# Alignment and shift


@pytest.mark.parametrize("shift", [(3, -2), (0, 0), (-7, 11)])
def test_a_shift_is_found_and_corrected(compare, shift):
    ids = town(200, 240)
    later, changed = built(ids)
    moved = np.roll(later, shift, (0, 1))
    outcome, _ = compare(ids, moved)
    found = outcome["shift"]
    assert (found["rows"], found["cols"]) == pytest.approx(shift, abs=0.25)
    assert found["metres"] == pytest.approx(np.hypot(*shift), abs=0.4)
    assert any("is shifted" in text for text in outcome["warnings"]) == (np.hypot(*shift) > 1)
    outcome, codes = compare(ids, moved, correct_shift=True)
    assert outcome["corrected"] == [shift[1], shift[0]]
    assert not any("is shifted" in text for text in outcome["warnings"])
    height, width = ids.shape
    top, left = max(-shift[0], 0), max(-shift[1], 0)
    expected = np.where(changed, ids * 10 + later, ids * 11)
    expected = expected[top : min(height - shift[0], height), left : min(width - shift[1], width)]
    assert codes.shape == expected.shape
    assert (codes == expected).mean() > 0.999  # rolled pixels at the rim of the window excepted


def test_shifts_of_parts_of_a_pixel_are_estimated(compare, make):
    fine = town(1200, 1200, 3)  # drawn at a quarter of a metre
    moved = np.roll(fine, (2, -3), (0, 1))
    outcome, _ = compare(fine[2::4, 2::4], moved[2::4, 2::4])
    assert (outcome["shift"]["rows"], outcome["shift"]["cols"]) == pytest.approx((0.5, -0.75), abs=0.2)


def test_unrelated_maps_have_no_shift(compare):
    outcome, _ = compare(town(300, 300, 1), town(300, 300, 2), correct_shift=True)
    assert outcome["shift"] is None
    assert outcome["corrected"] == [0, 0]
    assert any("could not be estimated" in text for text in outcome["warnings"])


def test_edges_of_the_data_are_no_edges():
    indices = np.zeros((100, 100), np.int16)
    first, second = indices.copy(), indices.copy()
    first[:, :30], second[:, :33] = MISSING, MISSING
    grid = Grid(100, 100, ONE_METRE, UTM40)
    assert estimate_shift(lambda w: (first[w.row :, w.col :], second[w.row :, w.col :]), grid) is None


def test_only_the_common_area_of_shifted_tiles_is_compared(compare, make):
    ids = town(100, 120)
    first = make("a.tif", ids[:80, :90])
    second = make("b.tif", ids[30:, 40:], transform=ONE_METRE @ Affine.translation(40, 30))
    outcome, codes = compare(first, second)
    assert codes.shape == (50, 50)
    assert (codes == ids[30:80, 40:90] * 11).all()
    with rasterio.open(outcome["output"]) as dataset:
        assert dataset.transform == ONE_METRE @ Affine.translation(40, 30)
    assert any("50 × 50 px" in text for text in outcome["warnings"])


@pytest.mark.parametrize(
    ("transform", "size"),
    [
        (ONE_METRE @ Affine.translation(0.4, 0.3), (160, 200)),
        (ONE_METRE @ Affine.scale(0.5), (320, 400)),
        (ONE_METRE @ Affine.translation(100, -60) @ Affine.rotation(30), (260, 300)),
        (Affine(1, 0, 300_000, 0, 1, 2_779_840), (160, 200)),
    ],
    ids=["offset", "half a metre", "rotated", "upwards"],
)
@pytest.mark.parametrize("crs", [UTM40, None], ids=["UTM", "no CRS"])
def test_other_grids_are_read_on_the_earlier_ones_pixels(compare, make, transform, size, crs):
    ids = town()
    later, changed = built(ids)
    to_first = ~ONE_METRE @ transform
    rows, cols = np.indices(size) + 0.5
    x, y = to_first.a * cols + to_first.b * rows + to_first.c, to_first.d * cols + to_first.e * rows + to_first.f
    inside = (x >= 0) & (x < 200) & (y >= 0) & (y < 160)
    drawn = np.zeros(size, np.uint8)
    drawn[inside] = later[y[inside].astype(int), x[inside].astype(int)]
    outcome, codes = compare(make("a.tif", ids, crs=crs), make("b.tif", drawn, transform=transform, crs=crs))
    assert any("resampled" in text for text in outcome["warnings"])
    window = align(Grid(160, 200, ONE_METRE, crs), Grid(*size, transform, crs)).window
    part = np.s_[window.row : window.row + window.height, window.col : window.col + window.width]
    expected = np.where(changed, ids * 10 + later, ids * 11)[part]
    found = codes > 0
    assert found.mean() > 0.7
    assert (codes == expected)[found].mean() > 0.93
    houses = changed[part] & found
    assert (codes == expected)[houses].mean() > 0.9
    assert outcome["shift"]["pixels"] < 0.5


def test_another_crs(compare, make):
    ids = town()
    later, changed = built(ids)
    rows, cols = np.indices((170, 210)) + 0.5
    (west, east), (north, south) = warp_points("EPSG:32640", "EPSG:4326", [300_000, 300_200], [2_780_000, 2_779_840])[
        :2
    ]
    transform = Affine((east - west) / 200, 0, west, 0, -(north - south) / 160, north)
    lon, lat = transform.a * cols + transform.c, transform.e * rows + transform.f
    x, y = (
        np.array(v).reshape(lon.shape) for v in warp_points("EPSG:4326", "EPSG:32640", lon.ravel(), lat.ravel())[:2]
    )
    col, row = np.floor(x - 300_000).astype(int), np.floor(2_780_000 - y).astype(int)
    inside = (col >= 0) & (col < 200) & (row >= 0) & (row < 160)
    drawn = np.zeros((170, 210), np.uint8)
    drawn[inside] = later[row[inside], col[inside]]
    outcome, codes = compare(make("a.tif", ids), make("b.tif", drawn, transform=transform, crs="EPSG:4326"))
    assert any("another CRS" in text for text in outcome["warnings"])
    assert codes.shape == ids.shape
    assert (codes == np.where(changed, ids * 10 + later, ids * 11)).mean() > 0.9
    assert outcome["shift"]["pixels"] < 0.5


def test_confidence_moves_with_its_map(compare, make, tmp_path):
    ids = town(120, 120)
    place = {"transform": ONE_METRE @ Affine.translation(20, 10)}
    confidence = np.full((1, 100, 100), 80, np.uint8)
    confidence[0, :50] = 40
    path = str(write_raster(tmp_path / "c.tif", confidence, **place))
    _, codes = compare(ids, make("b.tif", ids[10:110, 20:120], **place), later_confidence=path, min_confidence=0.5)
    assert (codes[:50] == UNCERTAIN).all()
    assert (codes[50:] > UNCERTAIN).all()


def test_rasters_of_other_places_are_refused(compare, make, tmp_path):
    far = make("b.tif", town(), transform=ONE_METRE @ Affine.translation(5000, 0))
    with pytest.raises(GeoreferenceError, match="do not overlap"):
        compare(town(), far)
    with pytest.raises(GeoreferenceError, match="later raster has no CRS"):
        compare(town(), make("c.tif", town(), transform=ONE_METRE @ Affine.translation(1, 0), crs=None))
    assert sorted(os.listdir(tmp_path)) == ["b.tif", "c.tif", "earlier.tif"]


def test_one_crs_is_enough_for_equal_grids(compare, make):
    outcome, _ = compare(make("a.tif", town(), crs=None), town())
    assert outcome["unit"] == "m²"
    assert outcome["changed"] == 0


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(1, 20), st.integers(1, 20))
def test_whole_offsets_are_seen(col, row, height, width):
    own = Grid(50, 60, ONE_METRE, UTM40)
    wanted = Grid(height, width, ONE_METRE @ Affine.translation(col, row), UTM40)
    assert whole_offset(own, wanted) == (col, row)
    assert whole_offset(own, Grid(height, width, ONE_METRE @ Affine.translation(col + 0.3, row), UTM40)) is None


def test_pixels_outside_are_no_data(make):
    path = make("a.tif", np.full((4, 5), 3))
    own = Grid(4, 5, ONE_METRE, UTM40)
    with GridReader(path, own, Grid(8, 8, ONE_METRE @ Affine.translation(-2, -1), UTM40)) as reader:
        values = reader.read(Window(0, 0, 8, 8))
        assert values[1:5, 2:7].tolist() == np.full((4, 5), 3).tolist()
        assert values.sum() == 60
        assert not reader.read(Window(6, 0, 2, 8)).any()


# Polygons


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_polygons_tell_what_became_what(compare, tmp_path, suffix):
    earlier = np.full((40, 50), 2)
    earlier[:10] = 5
    later = earlier.copy()
    later[5:15, 5:17] = 4
    later[30:32, 30:32] = 1
    path = str(tmp_path / f"changes{suffix}")
    outcome, _ = compare(earlier, later, polygons=path, min_area=20.0)
    assert outcome["polygon_count"] == 2
    if suffix == ".parquet":
        return
    _, fields = read_layer(path)
    order = np.argsort(fields["code"])
    assert fields["code"][order].tolist() == [24, 54]
    assert fields["change"][order].tolist() == ["Land → Building", "Vegetation → Building"]
    assert fields["from_class"][order].tolist() == ["Land", "Vegetation"]
    assert fields["to_class"][order].tolist() == ["Building", "Building"]
    assert fields["area_m2"].tolist() == [60, 60]
    assert "conf_pct" not in fields


def test_a_rotated_raster_has_its_polygons_in_place(compare, make, tmp_path):
    transform = ONE_METRE @ Affine.rotation(25)
    earlier, later = np.full((30, 30), 2), np.full((30, 30), 2)
    later[10:20, 10:20] = 4
    path = str(tmp_path / "c.gpkg")
    compare(make("a.tif", earlier, transform=transform), make("b.tif", later, transform=transform), polygons=path)
    (geometry,), _ = read_layer(path)
    assert geometry.area == pytest.approx(100)
    assert geometry.centroid.coords[0] == pytest.approx(transform @ (15, 15))


def test_no_style_lies_beside_a_raster_of_the_same_name(compare, tmp_path):
    compare(town(), built(town())[0], polygons=str(tmp_path / "change.geojson"))
    assert not (tmp_path / "change.qml").exists()
    compare(town(), built(town())[0], polygons=str(tmp_path / "areas.geojson"))
    assert "Land → Building" in (tmp_path / "areas.qml").read_text(encoding="utf-8")


# Table, report, tags, errors


def test_table_and_report_tell_the_same(compare, tmp_path):
    ids = town()
    later, changed = built(ids)
    compare(ids, later, csv=str(tmp_path / "c.csv"), report=str(tmp_path / "c.html"))
    with open(tmp_path / "c.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 26
    assert sum(int(row["pixels"]) for row in rows if row["changed"] == "yes") == changed.sum()
    row = next(row for row in rows if (row["from"], row["to"]) == ("Land", "Building"))
    assert row["code"] == "24"
    assert int(row["pixels"]) == ((ids == 2) & changed).sum() == float(row["area_m2"])
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    for words in ("Change matrix", "Gains and losses", "Land → Building", "Shift between"):
        assert words in page


def test_names_are_escaped_in_the_report(compare, make, tmp_path):
    odd = scheme("<b>Sand</b>", "Water")
    ids = np.array([[1, 2]])
    compare(make("a.tif", ids, odd), make("b.tif", ids[:, ::-1], odd), report=str(tmp_path / "c.html"))
    assert "<b>Sand" not in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_the_raster_explains_itself(compare, tmp_path):
    compare(np.array([[2, 2]]), np.array([[4, 2]]))
    with rasterio.open(tmp_path / "change.tif") as dataset:
        tags = dataset.tags()
        assert dataset.colormap(1)[24][:3] == next(
            code.rgb for code in ChangeCoding(DUBAI, DUBAI).legend() if code.id == 24
        )
    assert tags["CHANGE_24"] == "Land → Building"
    assert "10 × number of the earlier class" in tags["CHANGE_CODING"]
    legend = (tmp_path / "change.tif.aux.xml").read_text(encoding="utf-8")
    assert "<F>Land → Building</F>" in legend
    assert "Water" not in legend


def test_what_is_odd_is_warned_of(compare, make):
    other = scheme("Water", "Sand", "Land")
    outcome, _ = compare(make("a.tif", town(), model="dubai"), make("b.tif", np.full((160, 200), 2), other, "own"))
    assert any("dubai and own" in text for text in outcome["warnings"])
    assert any("Road, Building, Vegetation, Sand" in text for text in outcome["warnings"])


def test_an_image_is_refused(compare, tmp_path):
    image = str(write_raster(tmp_path / "image.tif", np.ones((3, 9, 9), np.uint8)))
    with pytest.raises(RasterOpenError, match="not a classified raster"):
        compare(town(), image)


def test_existing_outputs_stay_unless_overwriting(make, tmp_path):
    first, second = make("a.tif", town()), make("b.tif", built(town())[0])
    (tmp_path / "c.csv").write_text("mine")
    values = {"earlier": first, "later": second, "output": str(tmp_path / "o.tif"), "csv": str(tmp_path / "c.csv")}
    with pytest.raises(OutputError, match="exists"):
        map_change(ChangeRequest(**values))
    assert (tmp_path / "c.csv").read_text() == "mine"
    assert not (tmp_path / "o.tif").exists()
    with pytest.raises(OutputError, match="is the input itself"):
        map_change(ChangeRequest(first, second, second, overwrite=True))
    map_change(ChangeRequest(**values, overwrite=True))
    assert (tmp_path / "c.csv").read_text().startswith("from,to")


def test_cancel_leaves_nothing(make, tmp_path):
    class Impatient:
        asked = 0

        def report(self, done, total, text=""): ...
        def log(self, level, text): ...
        def cancelled(self):
            self.asked += 1
            return self.asked > 1

    first, second = make("a.tif", town()), make("b.tif", built(town())[0])
    request = ChangeRequest(first, second, str(tmp_path / "o.tif"), str(tmp_path / "o.gpkg"))
    with pytest.raises(RunCancelled):
        map_change(request, Impatient())
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "b.tif"]


def test_the_command_prints_what_changed(make, tmp_path):
    first, second = make("a.tif", town()), make("b.tif", built(town())[0])
    command = [sys.executable, "-m", "dubai_landcover_plugin", "change", first, second, str(tmp_path / "o.tif")]
    done = subprocess.run([*command, "--csv", str(tmp_path / "o.csv")], capture_output=True, text=True, check=True)
    assert "Land → Building" in done.stdout
    assert "Shift" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "exists" in again.stderr


@pytest.mark.shared
def test_a_real_image_is_no_class_map(shared, compare):
    with pytest.raises(RasterOpenError, match="not a classified raster"):
        compare(str(shared / "rasters" / "data__2020.tif"), town())
