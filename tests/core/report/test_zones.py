"""Areas of classes within zones."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer
from dubai_landcover_plugin.core.report import zones as zones_module
from dubai_landcover_plugin.core.report.zones import read_zones
from dubai_landcover_plugin.protocol.errors import (
    GeoreferenceError,
    RasterOpenError,
    RequestError,
)
from tests.core.report.cases import NORTH, WEST, box, page, pixels, report, table
from tests.factories import ONE_METRE, read_layer, write_class_map, write_layer

UTM40 = CRS.from_epsg(32640)


DEGREES = Affine(1e-5, 0, 55.1, 0, -1e-5, 25.1)


def sum_of_zones(rows):
    summed = dict.fromkeys(pixels(rows, 0), 0)
    for (zone, name), row in rows.items():
        summed[name] += int(row["pixels"]) if zone else 0
    return summed


class TestZones:
    def test_shares_inside_the_raster_are_those_of_areas_on_the_ground(self):
        grid = Grid(60, 60, Affine(1, 0, 0, 0, -1, 60), CRS.from_epsg(4326))
        shape, crs = shapely.box(0, 0, 60, 80), CRS.from_epsg(4326)  # sin 60° / sin 80° of it, not 60 / 80
        for layer in (VectorLayer(np.array([shape]), {}, crs), VectorLayer(np.array([shape]), {}, None)):
            assert zones_module._on_raster(layer, grid)[1] == pytest.approx([0.879], abs=0.002)
        plain = Grid(60, 60, grid.transform, None)
        assert zones_module._on_raster(VectorLayer(np.array([shape]), {}, None), plain)[1] == pytest.approx([0.75])

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

    def test_zones_without_figures_say_why(self, tmp_path, town, sure):
        """A sliver between pixel centres, one through a row of them, a zone outside, one of no data, and a good one."""
        ids = np.full((20, 20), 2)
        ids[10:] = 0
        path = write_class_map(tmp_path / "m.tif", ids)
        areas = [box(0, 2.1, 20, 2.3), box(0, 4.3, 20, 4.7), box(90, 0, 95, 5), box(2, 12, 8, 18), box(0, 0, 5, 5)]
        zones = write_layer(tmp_path / "z.gpkg", areas, name=list("abcde"))
        rows = table(tmp_path, path, zones=zones, zone_field="name", zones_layer=str(tmp_path / "o.gpkg"))
        remarks = [rows[number, "Land"]["remark"] for number in range(6)]
        assert remarks == [
            "", "no pixel centre in it", "thinner than a pixel", "outside the raster", "no data", "",
        ]  # fmt: skip
        land = [rows[number, "Land"] for number in range(1, 6)]
        assert [row["zone_coverage"] for row in land] == ["", "1.0000", "0.0000", "0.0000", "1.0000"]
        assert [row["share"] for row in land] == ["", "1.000000", "", "", "1.000000"]
        assert [row["pixels"] for row in land] == ["0", "20", "0", "0", "25"]
        _, layer = read_layer(tmp_path / "o.gpkg")
        assert layer["remark"].tolist() == remarks[1:]
        assert np.isnan(layer["coverage"]).tolist() == [True, False, False, False, False]
        outcome = report(tmp_path, path, zones=zones, zone_field="name", overwrite=True)
        (warning,) = (text for text in outcome["warnings"] if "pixel centre" in text)
        assert warning.startswith("1 of 5 zones contain no pixel centre and have no figures; 1 of 5 zones are thinner")
        text = page(tmp_path).text
        assert "no pixel centre in it" in text
        assert "thinner than a pixel" in text

    def test_without_remarks_there_is_no_column_for_them(self, tmp_path, town):
        report(tmp_path, town, zones=write_layer(tmp_path / "z.gpkg", [box(0, 0, 5, 5)]))
        assert "Remark" not in page(tmp_path).text

    def test_thin_is_what_no_pixel_sized_circle_fits_into(self):
        ring = shapely.Point(5, 5).buffer(5)
        comb = shapely.union_all([shapely.box(0, 0, 20, 0.4), *(shapely.box(x, 0, x + 0.3, 9) for x in range(20))])
        shapes = {
            shapely.box(0, 0, 9, 0.9): True, shapely.box(0, 0, 9, 1.1): False, shapely.box(0, 0, 0.9, 0.9): True,
            ring.difference(shapely.Point(5, 5).buffer(4.4)): True, ring: False, comb: True,
            shapely.union(comb, shapely.box(30, 0, 33, 3)): False, shapely.MultiPolygon(): True,
        }  # fmt: skip
        found = zones_module._is_thin(np.array(list(shapes), object))
        assert found.tolist() == list(shapes.values())

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
