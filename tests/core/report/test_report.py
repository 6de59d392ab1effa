import csv
import json
from html.parser import HTMLParser

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.crs import CRS

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.report import counts as counts_module
from dubai_landcover_plugin.core.report import zones as zones_module
from dubai_landcover_plugin.core.report.counts import Blocks, ClassCounts
from dubai_landcover_plugin.core.report.report import write_report
from dubai_landcover_plugin.core.report.statistics import area_statistics
from dubai_landcover_plugin.core.report.zones import read_zones
from dubai_landcover_plugin.core.worker import _TASKS
from dubai_landcover_plugin.protocol.classes import DUBAI, naturally_coloured
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from tests.factories import ONE_METRE, read_layer, write_class_map, write_confidence, write_layer, write_raster

UTM40 = CRS.from_epsg(32640)
DEGREES = Affine(1e-5, 0, 55.1, 0, -1e-5, 25.1)
WEST, NORTH = ONE_METRE.c, ONE_METRE.f


def box(left, top, right, bottom):
    """A rectangle given in pixels of ``ONE_METRE``."""
    return shapely.box(WEST + left, NORTH - bottom, WEST + right, NORTH - top)


def report(tmp_path, path, **options):
    return write_report(ReportRequest(path, str(tmp_path / "r.html"), **options)).to_json()


def table(tmp_path, path, **options):
    """Return the rows of the CSV by zone number and class name."""
    report(tmp_path, path, csv=str(tmp_path / "r.csv"), overwrite=True, **options)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        return {(int(row["zone_id"]), row["class"]): row for row in csv.DictReader(stream)}


def pixels(rows, number):
    return {name: int(row["pixels"]) for (zone, name), row in rows.items() if zone == number}


def sum_of_zones(rows):
    summed = dict.fromkeys(pixels(rows, 0), 0)
    for (zone, name), row in rows.items():
        summed[name] += int(row["pixels"]) if zone else 0
    return summed


@pytest.fixture
def town(tmp_path):
    """Land of 40 × 60 px, a house of 100 px, a strip of 80 px without data."""
    ids = np.full((40, 60), 2)
    ids[5:15, 5:15] = 4
    ids[38:] = 0
    ids[38:, 40:] = 3
    return write_class_map(tmp_path / "town.tif", ids)


@pytest.fixture
def sure(tmp_path):
    """Confidence on the pixels of the town: 80 %, the house 60 %."""
    percents = np.full((40, 60), 80, np.uint8)
    percents[5:15, 5:15] = 60
    percents[38:, :40] = 255
    return write_confidence(tmp_path / "sure.tif", percents)


class Page(HTMLParser):
    """What a page links, and whether its tags are balanced."""

    VOID = ("meta", "br", "col", "image", "rect", "path")

    def __init__(self, text):
        super().__init__()
        self.links, self.stack, self.text = [], [], ""
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(tmp_path):
    return Page((tmp_path / "r.html").read_text(encoding="utf-8"))


class TestAreas:
    def test_classes_are_counted_and_nodata_is_not(self, tmp_path, town):
        outcome = report(tmp_path, town)
        assert outcome["pixels"] == {
            "Water": 0, "Land": 2180, "Road": 40, "Building": 100, "Vegetation": 0, "Unlabeled": 0,
        }  # fmt: skip
        assert outcome["areas"]["Land"] == 2180
        assert outcome["valid_pixels"] == 2320
        assert outcome["shares"]["Building"] == pytest.approx(100 / 2320, abs=1e-6)
        assert outcome["unit"] == "m2"
        assert outcome["mean_confidence"] is None
        assert outcome["wrong"] == {}
        assert json.dumps(outcome)

    def test_areas_in_degrees_are_those_of_the_ellipsoid_row_by_row(self, tmp_path):
        transform = Affine(0.01, 0, 10, 0, -0.01, 60)
        ids = np.ones((1500, 3))
        ids[750:] = 4
        path = write_class_map(tmp_path / "d.tif", ids, crs="EPSG:4326", transform=transform)
        outcome = report(tmp_path, path)
        grid = Grid(1500, 3, transform, CRS.from_epsg(4326))
        rows = [np.prod(grid.pixel_size_m(row + 0.5)) for row in range(1500)]
        assert outcome["areas"]["Water"] == pytest.approx(3 * sum(rows[:750]), rel=1e-6)
        assert outcome["areas"]["Building"] == pytest.approx(3 * sum(rows[750:]), rel=1e-6)

    def test_a_rotated_raster_has_the_size_of_its_pixels(self, tmp_path):
        turned = Affine.translation(WEST, NORTH) @ Affine.rotation(30) @ Affine.scale(2, -3)
        path = write_class_map(tmp_path / "t.tif", np.ones((10, 10)), transform=turned)
        assert report(tmp_path, path)["areas"]["Water"] == pytest.approx(600)
        assert "north is not up" in page(tmp_path).text

    def test_without_a_crs_everything_is_pixels(self, tmp_path):
        path = write_class_map(tmp_path / "p.tif", np.full((4, 5), 4), crs=None, transform=Affine.identity())
        rows = table(tmp_path, path)
        assert rows[0, "Building"]["area_px"] == "20.000"
        assert report(tmp_path, path, overwrite=True)["unit"] == "px"
        assert "m²" not in page(tmp_path).text
        assert "no CRS" in page(tmp_path).text

    @pytest.mark.parametrize("ids", [[[4]], [[0]], [[6, 6]], [[0, 1], [0, 0]]])
    def test_tiny_and_empty_rasters(self, tmp_path, ids):
        path = write_class_map(tmp_path / "s.tif", ids)
        outcome = report(tmp_path, path, csv=str(tmp_path / "r.csv"))
        assert outcome["valid_pixels"] == np.count_nonzero(ids)
        assert sum(outcome["shares"].values()) == pytest.approx(1 if np.any(ids) else 0)
        assert page(tmp_path).links

    @pytest.mark.parametrize("size", [(1, 300), (300, 1), (130, 97)])
    @pytest.mark.parametrize("most", [64, 1000, 1 << 21])
    def test_bands_change_nothing(self, tmp_path, monkeypatch, size, most):
        rng = np.random.default_rng(1)
        ids = rng.integers(0, 7, size)
        path = write_class_map(tmp_path / "b.tif", ids)
        sure = str(write_raster(tmp_path / "c.tif", rng.integers(20, 101, (1, *size), np.uint8), nodata=255))
        zones = write_layer(tmp_path / "z.gpkg", [box(0.3, 0.3, 90, 110), box(0, 0, 1, 1)])
        whole = table(tmp_path, path, confidence=sure, zones=zones)
        monkeypatch.setattr(counts_module, "_STRIP_PIXELS", most)
        assert table(tmp_path, path, confidence=sure, zones=zones) == whole

    def test_bands_hold_whole_rows_of_blocks_or_parts_of_one(self):
        for rows, height, width, most in ((1000, 100, 50, 1 << 21), (1000, 100, 100_000, 1 << 21), (7, 8, 3, 1 << 21)):
            bands = list(Blocks(height, height).strips(rows, width))
            assert [first for first, _, _ in bands] == [0, *(last for _, last, _ in bands)][:-1]
            assert bands[-1][1] == rows
            assert all(last % height == 0 or last == rows for _, last, ends in bands if ends)
            assert max(last - first for first, last, _ in bands) * width <= max(most, width)


class TestConfidence:
    def test_expected_wrong_area_and_thresholds(self, tmp_path, town, sure):
        rows = table(tmp_path, town, confidence=sure)
        house = rows[0, "Building"]
        assert float(house["mean_confidence"]) == 60
        assert float(house["wrong_m2"]) == 40
        assert [float(house[f"below_{t}_m2"]) for t in (50, 70, 90)] == [0, 100, 100]
        assert 0 <= float(house["wrong_low_m2"]) < 40 < float(house["wrong_high_m2"]) <= 100
        land = rows[0, "Land"]
        assert float(land["wrong_m2"]) == pytest.approx(436)
        assert rows[0, "Water"]["mean_confidence"] == ""

    def test_the_range_is_that_of_blocks_that_err_as_one_and_of_biased_classes(self, tmp_path):
        path = write_class_map(tmp_path / "w.tif", np.ones((200, 300)))  # six blocks of 100 m
        sure = str(write_raster(tmp_path / "c.tif", np.full((1, 200, 300), 90, np.uint8), nodata=255))
        row = table(tmp_path, path, confidence=sure)[0, "Water"]
        deviation = np.sqrt(6 * 10_000**2 * 0.9 * 0.1 + (0.5 * 6000) ** 2)
        assert float(row["wrong_m2"]) == pytest.approx(6000)
        assert float(row["wrong_high_m2"]) == pytest.approx(6000 + 1.96 * deviation, abs=1e-2)
        assert float(row["wrong_low_m2"]) == 0

    @settings(max_examples=40)
    @given(arrays(np.uint8, (12, 20), elements=st.integers(0, 6)), st.integers(0, 2**31))
    def test_no_dependence_within_blocks_has_a_larger_variance(self, ids, seed):
        percents = np.random.default_rng(seed).integers(0, 102, ids.shape).astype(np.int32)
        blocks = Blocks(5, 7)
        counted = ClassCounts(7)
        keys = np.where(ids > 0, ids.astype(np.int32) * counts_module.PERCENTS + percents, 101).astype(np.int32)
        counted.add(counts_module.Strip(0, keys, np.ones(12), True, blocks, True))
        counted.end_blocks(1.0)
        for slot in range(1, 7):
            worst = 0.0
            for top in range(0, 12, 5):
                for left in range(0, 20, 7):
                    part = np.s_[top : top + 5, left : left + 7]
                    p = percents[part][(ids[part] == slot) & (percents[part] <= 100)] / 100
                    worst += np.sqrt(p * (1 - p)).sum() ** 2  # all as correlated as their probabilities let them be
            assert counted.variance[slot] >= worst - 1e-9

    def test_unlabeled_claims_nothing_and_unknown_confidence_is_told(self, tmp_path):
        path = write_class_map(tmp_path / "u.tif", [[6, 6, 1, 1]])
        sure = str(write_raster(tmp_path / "c.tif", np.array([[[30, 30, 90, 255]]], np.uint8), nodata=255))
        rows = table(tmp_path, path, confidence=sure)
        assert rows[0, "Unlabeled"]["wrong_m2"] == ""
        assert float(rows[0, "Water"]["wrong_m2"]) == pytest.approx(0.1)
        outcome = report(tmp_path, path, confidence=sure, overwrite=True)
        assert outcome["mean_confidence"] == 90
        assert "1 classified pixels have no confidence" in outcome["warnings"][0]

    def test_what_is_no_confidence_raster_is_refused(self, tmp_path, town):
        cases = {
            "not a confidence raster": town,
            "has 3 × 2 px": write_raster(tmp_path / "small.tif", np.ones((1, 2, 3), np.uint8)),
            "has other pixels than": write_raster(
                tmp_path / "off.tif", np.ones((1, 40, 60), np.uint8), transform=ONE_METRE @ Affine.translation(1, 0)
            ),
        }
        for words, path in cases.items():
            with pytest.raises(RasterOpenError, match=words):
                report(tmp_path, town, confidence=str(path))
        assert not list(tmp_path.glob("*.html"))


class TestZones:
    def test_overlapping_zones_holes_and_parts_are_counted_each(self, tmp_path, town):
        hole = shapely.Polygon(box(0, 0, 20, 20).exterior, [box(5, 5, 15, 15).exterior])
        parts = shapely.MultiPolygon([box(0, 0, 2, 2), box(10, 10, 12, 12)])
        beyond = box(50, 30, 70, 50)
        outside = box(100, 100, 110, 110)
        zones = write_layer(tmp_path / "z.gpkg", [hole, box(0, 0, 20, 20), parts, beyond, outside], name=list("abcde"))
        rows = table(tmp_path, town, zones=zones, zone_field="name")
        assert pixels(rows, 1)["Building"] == 0
        assert pixels(rows, 1)["Land"] == 300
        assert pixels(rows, 2) == {
            "Water": 0, "Land": 300, "Road": 0, "Building": 100, "Vegetation": 0, "Unlabeled": 0,
        }  # fmt: skip
        assert (pixels(rows, 3)["Land"], pixels(rows, 3)["Building"]) == (4, 4)
        assert sum(pixels(rows, 4).values()) == 100
        assert float(rows[4, "Land"]["zone_coverage"]) == pytest.approx(0.25)
        assert sum(pixels(rows, 5).values()) == 0
        assert rows[5, "Land"]["zone"] == "e"
        assert float(rows[5, "Land"]["zone_coverage"]) == 0

    @settings(max_examples=25)
    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 24)), min_size=4, max_size=12, unique=True))
    def test_zones_that_share_borders_share_every_pixel_out_once(self, tmp_path_factory, seeds):
        tmp_path = tmp_path_factory.mktemp("v")
        ids = np.random.default_rng(len(seeds)).integers(0, 7, (12, 20))
        path = write_class_map(tmp_path / "m.tif", ids)
        points = shapely.multipoints([(WEST + x / 2, NORTH - y / 2) for x, y in seeds])  # borders run through centres
        frame = box(-1, -1, 21, 13)
        cells = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=frame))
        cells = shapely.get_parts(shapely.intersection(cells, frame))
        zones = write_layer(tmp_path / "z.gpkg", cells)
        rows = table(tmp_path, path, zones=zones)
        assert sum_of_zones(rows) == pixels(rows, 0)

    @pytest.mark.parametrize("step", [1.0, 2.5, 7.5, 3.3])
    @pytest.mark.parametrize("turned", [0, 25])
    def test_a_grid_of_zones_adds_up_whatever_its_lines_and_the_orientation_of_its_rings(self, tmp_path, step, turned):
        transform = ONE_METRE @ Affine.rotation(turned)
        path = write_class_map(
            tmp_path / "m.tif", np.random.default_rng(0).integers(0, 7, (20, 20)), transform=transform
        )
        cells = []
        for x in np.arange(-30, 40, step):
            for y in np.arange(-30, 40, step):
                ring = [(x, y), (x + step, y), (x + step, y + step), (x, y + step)]
                ring = ring if (len(cells) % 2) else ring[::-1]
                cells.append(shapely.Polygon([transform @ corner for corner in ring]))
        rows = table(tmp_path, path, zones=write_layer(tmp_path / "z.gpkg", cells))
        assert sum_of_zones(rows) == pixels(rows, 0)

    def test_zones_in_another_crs_hold_the_same_pixels(self, tmp_path, town):
        areas = [box(3.4, 3.4, 30.4, 20.4), box(-500, -500, 500, 500)]
        own = table(tmp_path, town, zones=write_layer(tmp_path / "z.gpkg", areas))
        moved = zones_module.VectorLayer(np.array(areas, object), {}, UTM40).to_crs(CRS.from_epsg(4326)).geometries
        other = table(tmp_path, town, zones=write_layer(tmp_path / "z4326.gpkg", moved, crs="EPSG:4326"))
        assert [pixels(own, n) for n in (1, 2)] == [pixels(other, n) for n in (1, 2)]
        assert float(other[2, "Land"]["zone_coverage"]) == pytest.approx(2320 / 1e6, rel=0.02)

    def test_the_whole_world_is_a_zone(self, tmp_path, town):
        world = write_layer(tmp_path / "w.gpkg", [shapely.box(-180, -90, 180, 90)], crs="EPSG:4326")
        rows = table(tmp_path, town, zones=world)
        assert pixels(rows, 1) == pixels(rows, 0)

    def test_a_raster_in_degrees_with_zones_in_metres(self, tmp_path):
        path = write_class_map(tmp_path / "d.tif", np.full((50, 50), 4), crs="EPSG:4326", transform=DEGREES)
        zones = write_layer(tmp_path / "z.gpkg", [shapely.box(55.1, 25.0998, 55.1002, 25.1)], crs="EPSG:4326")
        outcome = table(tmp_path, path, zones=zones)
        assert pixels(outcome, 1)["Building"] == 400
        assert float(outcome[1, "Building"]["area_m2"]) == pytest.approx(
            400 * np.prod(Grid(50, 50, DEGREES, CRS.from_epsg(4326)).pixel_size_m()), rel=1e-4
        )

    def test_zones_drawn_over_a_raster_without_a_place(self, tmp_path):
        ids = np.ones((10, 10))
        ids[:3] = 4
        path = write_class_map(tmp_path / "p.tif", ids, crs=None, transform=Affine.identity())
        engine = write_layer(tmp_path / "e.geojson", [shapely.box(0, 0, 5, 5)], crs=None)
        qgis = write_layer(tmp_path / "q.gpkg", [shapely.box(0, -5, 5, 0)], crs=None)
        assert pixels(table(tmp_path, path, zones=qgis), 1)["Building"] == 15
        assert pixels(table(tmp_path, path, zones=engine), 1)["Building"] == 15

    def test_awkward_features_are_repaired_and_named_in_warnings(self, tmp_path, town):
        bowtie = shapely.Polygon([(WEST, NORTH), (WEST + 10, NORTH - 10), (WEST + 10, NORTH), (WEST, NORTH - 10)])
        geometries = [bowtie, shapely.Point(WEST, NORTH), box(0, 0, 5, 5), box(0, 0, 5, 5), None]
        zones = write_layer(tmp_path / "z.gpkg", geometries, name=np.array([None, "x", "same", "same", "y"], object))
        outcome = report(tmp_path, town, zones=zones, zone_field="name")
        told = " ".join(outcome["warnings"])
        assert "2 features of the zones layer are not polygons" in told
        assert "1 zones had invalid geometries" in told
        assert "1 zones share their name" in told
        assert outcome["zones"] == 3
        assert [zone.name for zone in read_zones(zones, "name", Grid(40, 60, ONE_METRE, UTM40)).zones] == [
            "Zone 1", "same", "same",
        ]  # fmt: skip

    def test_numbers_are_names_without_decimals(self, tmp_path):
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 5, 5), box(5, 5, 9, 9)], code=np.array([12.0, np.nan]))
        assert [zone.name for zone in read_zones(zones, "code", Grid(40, 60, ONE_METRE, UTM40)).zones] == [
            "12", "Zone 2",
        ]  # fmt: skip

    def test_errors_tell_what_there_is_and_leave_nothing(self, tmp_path, town):
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 5, 5)], name=["a"])
        points = write_layer(tmp_path / "p.gpkg", [shapely.Point(WEST, NORTH)], name=["a"])
        far = write_layer(tmp_path / "f.gpkg", [box(1000, 1000, 1005, 1005)], name=["a"])
        for error, words, options in (
            (RequestError, "no attribute 'nome'.*There is: name", {"zones": zones, "zone_field": "nome"}),
            (RequestError, "holds no polygons", {"zones": points}),
            (GeoreferenceError, "None of the 1 zones overlaps", {"zones": far}),
            (RasterOpenError, "GDAL cannot read", {"zones": str(tmp_path / "missing.gpkg")}),
        ):
            with pytest.raises(error, match=words):
                report(tmp_path, town, csv=str(tmp_path / "r.csv"), **options)
        assert not list(tmp_path.glob("r.*"))

    @pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
    def test_the_layer_carries_areas_and_shares(self, tmp_path, town, sure, suffix):
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 20, 20), box(100, 100, 101, 101)], name=["a", "b"])
        path = tmp_path / f"out{suffix}"
        report(tmp_path, town, confidence=sure, zones=zones, zone_field="name", zones_layer=str(path))
        if suffix == ".parquet":
            import pyarrow.parquet

            found = pyarrow.parquet.read_table(path).to_pydict()
        else:
            geometries, found = read_layer(path)
            assert shapely.area(geometries).sum() > 0
        stem = "buildi" if suffix == ".shp" else "building"
        first, second = np.argsort(found["zone_id"])  # FlatGeobuf sorts by place
        assert found[f"{stem}_m2"][first] == pytest.approx(100)
        assert found[f"{stem}_pct"][first] == pytest.approx(25)
        assert (found["class"][first], found["class_id"][first], found["class_id"][second]) == ("Land", 2, 0)
        assert found["wrong_pct"][first] == pytest.approx(25)
        assert found["coverage"][second] == 0


class TestPage:
    def test_it_needs_nothing_else_and_shows_no_folder(self, tmp_path, town, sure):
        zones = write_layer(
            tmp_path / "z.gpkg", [box(0, 0, 20, 20), box(20, 0, 40, 20)], name=["<b>Marina</b>", "جميرا"]
        )
        report(tmp_path, town, confidence=sure, zones=zones, zone_field="name", title="Land & water", csv=None)
        text = (tmp_path / "r.html").read_text(encoding="utf-8")
        found = page(tmp_path)
        assert found.links
        assert all(link.startswith("data:image/png;base64,") for link in found.links)
        assert "@import" not in text
        assert "url(" not in text
        assert str(tmp_path) not in text
        for words in ("Land & water", "<b>Marina</b>", "جميرا", "Probably", "Method and limits", "sure.tif"):
            assert words in found.text

    def test_natural_colours(self, tmp_path, town):
        report(tmp_path, town, natural_colours=True)
        text = (tmp_path / "r.html").read_text(encoding="utf-8")
        assert naturally_coloured(DUBAI).classes[0].colour in text
        assert DUBAI.classes[0].colour not in text

    def test_the_picture_is_north_up(self, tmp_path):
        import base64

        ids = np.ones((30, 30))
        ids[:15] = 4
        plain, down = write_class_map(tmp_path / "a.tif", ids), write_class_map(
            tmp_path / "b.tif", ids[::-1], transform=Affine(1, 0, WEST, 0, 1, NORTH - 30)
        )  # fmt: skip
        shown = []
        for path in (plain, down):
            report(tmp_path, path, overwrite=True)
            png = base64.b64decode(page(tmp_path).links[0].partition(",")[2])
            with rasterio.MemoryFile(png) as memory, memory.open() as picture:
                shown.append(picture.read(1))
        assert (shown[0] == shown[1]).all()
        assert shown[0][0, 0] == 4


class TestRuns:
    def test_ids_without_a_class_are_refused(self, tmp_path):
        path = write_class_map(tmp_path / "i.tif", [[1, 9]])
        with pytest.raises(ClassSchemeError, match="6 Unlabeled"):
            report(tmp_path, path)

    def test_outputs_are_not_overwritten_unasked_nor_inputs_ever(self, tmp_path, town):
        (tmp_path / "r.html").write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            report(tmp_path, town)
        assert (tmp_path / "r.html").read_text() == "mine"
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 5, 5)])
        with pytest.raises(OutputError, match="the input itself"):
            report(tmp_path, town, zones=f"{zones}|layername=z", zones_layer=zones, overwrite=True)

    def test_cancel_leaves_nothing(self, tmp_path, town):
        class Impatient(SilentMonitor):
            def cancelled(self):
                return True

        request = ReportRequest(town, str(tmp_path / "r.html"), csv=str(tmp_path / "r.csv"))
        with pytest.raises(RunCancelled):
            write_report(request, Impatient())
        assert not list(tmp_path.glob("*r.*l*"))
        assert not (tmp_path / "r.csv").exists()

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"report": "r.pdf"}, "must end in .html"),
            ({"report": "r.html", "csv": "r.txt"}, "must end in .csv"),
            ({"report": "r.html", "zone_field": "name"}, "zone_field is given, but no zones"),
            ({"report": "r.html", "zones_layer": "z.gpkg"}, "zones_layer is given, but no zones"),
            ({"report": "r.html", "zones": "z.gpkg", "zones_layer": "z.kml"}, "must end in .gpkg"),
            ({"report": ""}, "is needed"),
        ],
    )
    def test_requests_are_checked(self, options, words):
        with pytest.raises(RequestError, match=words):
            ReportRequest("i.tif", **options)

    def test_a_request_crosses_to_the_engine_and_back(self):
        request = ReportRequest("i.tif", "r.html", zones="z.gpkg|layername=a", zone_field="name")
        assert ReportRequest.from_json(json.loads(json.dumps(request.to_json()))) == request

    def test_the_worker_and_the_command_line_know_it(self, tmp_path, town, sure, capsys):
        value = _TASKS["write_report"](ReportRequest(town, str(tmp_path / "w.html")).to_json(), SilentMonitor())
        assert value["valid_pixels"] == 2320
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 20, 20)], name=["a"])
        arguments = ["report", town, str(tmp_path / "c.html"), "--csv", str(tmp_path / "c.csv"), "--zones", zones]
        arguments += ["--zone-field", "name", "--confidence", sure]
        assert main([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["zones"] == 1
        assert main(arguments) == 1
        assert "exists" in capsys.readouterr().err
        assert main([*arguments, "--overwrite"]) == 0
        assert "Building" in capsys.readouterr().out

    def test_pixels_of_a_country_have_their_areas(self):
        grid = Grid(10_000, 10, Affine(0.001, 0, 50, 0, -0.001, 30), CRS.from_epsg(4326))
        areas = GroundScale(grid).pixel_areas(0, grid.height)
        for row in (0, 17, 5003, 9999):
            assert areas[row] == pytest.approx(np.prod(grid.pixel_size_m(row + 0.5)), rel=1e-6)

    def test_a_tally_of_nothing_says_nothing(self):
        told = area_statistics(ClassCounts(7), DUBAI, 1, "nowhere")
        assert (told.pixels, told.area, told.coverage, told.confidence, told.wrong_share) == (0, 0, 0, None, None)
        assert told.largest is None

    @pytest.mark.shared
    @pytest.mark.parametrize("name", ["rasterio__rgb1.tif", "data__2020.tif"])
    def test_rasters_of_other_people_are_refused(self, shared, tmp_path, name):
        with pytest.raises(RasterOpenError, match="is not a classified raster"):
            report(tmp_path, str(shared / "rasters" / name))
