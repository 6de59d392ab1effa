"""Regular outlines: right angles along the walls, close to what was given, without new overlaps."""

import importlib
import json

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.features import shapes
from rasterio.warp import transform as warp_points
from scipy.ndimage import gaussian_filter
from shapely.affinity import rotate, translate

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.buildings.outlines import intersection_over_union
from dubai_landcover_plugin.core.buildings.regularize import regularize_buildings
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.protocol.errors import (
    LandCoverError,
    OutputError,
    RasterOpenError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from tests.core.buildings.cases import DUMBBELL, ELL, YARD, deviations, pixels
from tests.factories import write_layer


class TestLayer:
    def test_attributes_are_kept_and_added(self, tmp_path):
        one, two = pixels(rotate(translate(ELL, 10, 15), 30), rotate(translate(YARD, 60, 60), -12))
        source = write_layer(
            tmp_path / "i.gpkg", [one, two], name=np.array(["a", None], object), floors=[3, 4], area_m2=[1.0, 1.0]
        )
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")))
        made = read_vector(outcome.output)
        assert (outcome.buildings, outcome.regular, outcome.tolerance) == (2, 2, 2.0)
        assert list(made.fields) == ["name", "floors", "area_m2", "perim_m", "iou", "regular", "angle"]
        assert made.fields["name"].tolist() == ["a", None]
        assert made.fields["floors"].tolist() == [3, 4]
        assert made.fields["area_m2"] == pytest.approx(shapely.area(made.geometries), abs=0.006)
        assert made.fields["perim_m"] == pytest.approx(shapely.length(made.geometries), abs=0.006)
        assert made.fields["regular"].tolist() == [1, 1]
        assert made.fields["angle"] == pytest.approx([60, 12], abs=1.5)
        ratios = [intersection_over_union(*pair) for pair in zip([one, two], made.geometries, strict=True)]
        assert made.fields["iou"] == pytest.approx(ratios, abs=0.0006)
        assert made.crs == CRS.from_epsg(32640)

    @pytest.mark.parametrize("epsg", [4326, 3857])
    def test_right_angles_are_right_on_the_ground(self, tmp_path, epsg):
        truth = translate(rotate(ELL, 30), 500_000, 2_780_000)
        crs, utm = CRS.from_epsg(epsg), CRS.from_epsg(32640)

        def move(source, target):
            return lambda points: np.column_stack(warp_points(source, target, *points.T)[:2])

        source = write_layer(tmp_path / "i.gpkg", [shapely.transform(truth, move(utm, crs))], f"EPSG:{epsg}")
        regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.fgb")))
        made = read_vector(str(tmp_path / "o.fgb"))
        assert made.crs == crs
        assert made.fields["area_m2"][0] == pytest.approx(truth.area, rel=5e-3)
        on_ground = shapely.transform(made.geometries[0], move(crs, utm))
        assert intersection_over_union(truth, on_ground) > 0.99
        assert deviations(on_ground)[0].max() < 0.1

    def test_without_a_crs_areas_are_in_pixels(self, tmp_path):
        source = write_layer(tmp_path / "i.gpkg", pixels(translate(ELL, 20, 20)), None)
        regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")))
        made = read_vector(str(tmp_path / "o.gpkg"))
        assert made.crs is None or not (made.crs.is_projected or made.crs.is_geographic)
        assert {"area_px", "perim_px"} <= set(made.fields)

    def test_features_of_several_parts_stay_one(self, tmp_path):
        far = translate(ELL, 60, 60)
        source = write_layer(
            tmp_path / "i.gpkg",
            [shapely.MultiPolygon([ELL, far]), translate(YARD, 0, 60)],
            geometry_type="MultiPolygon",
            id=[7, 8],
        )
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")))
        made = read_vector(outcome.output)
        assert [len(g.geoms) for g in made.geometries] == [2, 1]
        assert made.fields["id"].tolist() == [7, 8]
        assert made.fields["area_m2"][0] == pytest.approx(2 * ELL.area)

    def test_a_part_in_the_courtyard_of_another_is_a_feature(self, tmp_path):
        """QGIS calls a multipolygon invalid if one of its parts is inside the shell of another, holes or not."""
        inner, beside = shapely.box(18, 14, 23, 19), translate(ELL, 60, 60)
        source = write_layer(
            tmp_path / "i.gpkg",
            [shapely.MultiPolygon([beside, inner, YARD]), translate(YARD, 0, 60)],
            geometry_type="MultiPolygon",
            id=[7, 8],
        )
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")))
        made = read_vector(outcome.output)
        assert outcome.buildings == 3
        assert made.fields["id"].tolist() == [7, 7, 8]
        assert [len(g.geoms) for g in made.geometries] == [2, 1, 1]
        assert made.fields["area_m2"] == pytest.approx([YARD.area + ELL.area, 25, YARD.area])

    def test_touching_buildings_become_features(self, tmp_path):
        source = write_layer(tmp_path / "i.gpkg", [rotate(DUMBBELL, 20), translate(ELL, 0, 80)], name=["a", "b"])
        request = BuildingsRequest(source, str(tmp_path / "o.gpkg"), split=4.0)
        outcome = regularize_buildings(request)
        made = read_vector(outcome.output)
        assert made.fields["name"].tolist() == ["a", "a", "b"]
        assert shapely.intersection(made.geometries[0], made.geometries[1]).area < 1e-3

    def test_attributes_that_differ_from_ours_in_case_alone_are_replaced(self, tmp_path):
        (stair,) = pixels(rotate(translate(ELL, 10, 15), 30))
        source = write_layer(tmp_path / "i.gpkg", [stair], AREA_M2=[1], IoU=[2], geometry=[3], id=[4])
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")))
        made = read_vector(outcome.output)
        assert list(made.fields) == ["area_m2", "iou", "id", "perim_m", "regular", "angle"]
        assert made.fields["area_m2"][0] > 100
        assert made.fields["iou"][0] < 1

    def test_no_obstacles_are_none(self, tmp_path):
        (stair,) = pixels(rotate(translate(ELL, 10, 15), 30))
        source = write_layer(tmp_path / "i.gpkg", [stair], id=[1])
        roads = write_layer(tmp_path / "roads.gpkg", [], geometry_type="Polygon", id=np.empty(0, int))
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg"), obstacles=roads))
        assert outcome.regular == 1
        assert outcome.warnings == (f"{roads} has no features: no obstacles are taken into account.",)

    def test_obstacles_of_another_crs_count(self, tmp_path):
        building = translate(rotate(ELL, 30), 500_000, 2_780_000)
        (stair,) = pixels(translate(rotate(ELL, 30), 30, 30))
        stair = translate(stair, 500_000, 2_780_000)
        road = shapely.difference(stair.buffer(12), stair)
        utm, degrees = CRS.from_epsg(32640), CRS.from_epsg(4326)
        moved = shapely.transform(
            shapely.segmentize(road, 5), lambda points: np.column_stack(warp_points(utm, degrees, *points.T)[:2])
        )
        assert building.area > 0
        source = write_layer(tmp_path / "i.gpkg", [stair])
        obstacles = write_layer(tmp_path / "r.gpkg", [moved], "EPSG:4326")
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg"), obstacles=obstacles))
        made = read_vector(outcome.output)
        assert shapely.intersection(made.geometries[0], road).area < 0.01

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("split", [0.0, 4.0])
    def test_polygons_that_touch_everywhere(self, tmp_path, seed, split):
        rng = np.random.default_rng(seed)
        classes = np.kron(rng.integers(1, 4, (8, 8)), np.ones((10, 10))).astype(np.uint8)
        if seed % 2:
            classes = gaussian_filter(rng.normal(size=(3, 60, 60)), (0, 2, 2)).argmax(axis=0).astype(np.uint8) + 1
        regions = [(shapely.geometry.shape(shape), value) for shape, value in shapes(classes, connectivity=4)]
        roads = np.array([polygon for polygon, value in regions if value == 3], object)
        source = write_layer(tmp_path / "i.gpkg", [polygon for polygon, value in regions if value < 3])
        obstacles = write_layer(tmp_path / "r.gpkg", roads)
        request = BuildingsRequest(
            source, str(tmp_path / "o.gpkg"), min_iou=0.5, split=split, min_part=10, obstacles=obstacles
        )
        assert regularize_buildings(request).regular > 0
        made = read_vector(request.output).geometries
        assert shapely.is_valid(made).all()
        assert (shapely.get_type_id(made) == 3).all()
        for others in (made, roads):
            one, other = shapely.STRtree(others).query(made, "intersects")
            apart = one < other if others is made else one >= 0
            shared = shapely.intersection(made[one[apart]], others[other[apart]], grid_size=1e-6)
            assert shapely.area(shared).max() < 2e-3

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("options", [{"min_area": 60.0}, {"split": 4.0, "min_part": 80.0, "min_area": 30.0}])
    def test_outlines_keep_the_smallest_area(self, tmp_path, seed, options):
        rng = np.random.default_rng(seed)
        classes = gaussian_filter(rng.normal(size=(3, 90, 90)), (0, 2, 2)).argmax(axis=0).astype(np.uint8) + 1
        regions = [(shapely.geometry.shape(shape), value) for shape, value in shapes(classes, connectivity=4)]
        given_ones = np.array([polygon for polygon, value in regions if value < 3], object)
        source = write_layer(tmp_path / "i.gpkg", given_ones, given=np.arange(len(given_ones)))
        obstacles = write_layer(tmp_path / "r.gpkg", [polygon for polygon, value in regions if value == 3])

        def areas(name, **further):
            request = BuildingsRequest(
                source, str(tmp_path / name), min_iou=0.5, obstacles=obstacles, **{**options, **further}
            )
            regularize_buildings(request)
            made = read_vector(request.output)
            assert shapely.is_valid(made.geometries).all()
            return made.fields["area_m2"], shapely.area(given_ones)[made.fields["given"]]

        limit = options["min_area"]
        free, original = areas("free.gpkg", min_area=0, split=0)
        assert ((original >= limit) & (free < limit)).any()
        made, original = areas("o.gpkg")
        assert (made[original >= limit] >= limit).all()

    def test_invalid_geometries_are_repaired_and_empty_ones_skipped(self, tmp_path):
        bow = shapely.Polygon([(0, 0), (20, 20), (20, 0), (0, 20)])
        source = write_layer(
            tmp_path / "i.gpkg", [bow, shapely.Polygon(), None, ELL], geometry_type="MultiPolygon", id=[1, 2, 3, 4]
        )
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")))
        made = read_vector(outcome.output)
        assert made.fields["id"].tolist() == [1, 4]
        assert shapely.is_valid(made.geometries).all()
        assert len(outcome.warnings) == 2

    @pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb", "parquet"])
    def test_every_format_and_awkward_attributes(self, tmp_path, suffix):
        fields = {
            "flag": np.array([True]),
            "big": np.array([2**40]) if suffix != "parquet" else np.array([4]),
            "day": np.array(["2024-05-01"], "datetime64[D]"),
            "half": np.array([1.5], np.float32),
        }
        source = write_layer(tmp_path / "i.gpkg", [ELL], **fields)
        outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / f"o.{suffix}")))
        if suffix == "parquet":  # not every GDAL reads it
            table = importlib.import_module("pyarrow.parquet").read_table(outcome.output).to_pydict()
            assert (table["flag"], table["big"], table["half"]) == ([1], [4], [1.5])
            return
        made = read_vector(outcome.output)
        assert made.fields["flag"].tolist() == [1]
        assert str(made.fields["day"][0]).startswith("2024-05-01")
        assert made.fields["big"].tolist() == fields["big"].tolist()

    def test_bad_input_is_told_and_leaves_nothing(self, tmp_path):
        points = write_layer(tmp_path / "p.gpkg", [shapely.Point(0, 0)])
        output = str(tmp_path / "o.gpkg")
        with pytest.raises(RasterOpenError, match="no polygons"):
            regularize_buildings(BuildingsRequest(points, output))
        with pytest.raises(LandCoverError, match="cannot read"):
            regularize_buildings(BuildingsRequest(str(tmp_path / "gone.gpkg"), output))
        source = write_layer(tmp_path / "i.gpkg", [ELL], a_rather_long_name=[1])
        with pytest.raises(OutputError, match="allows at most 10"):
            regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.shp")))
        with pytest.raises(RasterOpenError, match="no polygons"):
            regularize_buildings(BuildingsRequest(source, output, obstacles=points))
        with pytest.raises(OutputError):
            regularize_buildings(BuildingsRequest(source, source, overwrite=True))
        assert sorted(path.name for path in tmp_path.iterdir()) == ["i.gpkg", "p.gpkg"]

    def test_cancel_leaves_nothing(self, tmp_path):
        class Cancelled(SilentMonitor):
            def cancelled(self):
                return True

        source = write_layer(tmp_path / "i.gpkg", [ELL])
        with pytest.raises(RunCancelled):
            regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg")), Cancelled())
        assert [path.name for path in tmp_path.iterdir()] == ["i.gpkg"]

    def test_the_style_travels_with_the_file(self, tmp_path):
        source = write_layer(tmp_path / "i.gpkg", [ELL])
        regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.shp")))
        assert 'attr="regular"' in (tmp_path / "o.qml").read_text(encoding="utf-8")

    def test_the_command(self, tmp_path, capsys):
        source = write_layer(tmp_path / "i.gpkg", [ELL, translate(YARD, 60, 0)])
        output = str(tmp_path / "o.gpkg")
        assert main(["buildings", source, output]) == 0
        assert "2 buildings, 2 mostly at right angles" in capsys.readouterr().out
        assert main(["buildings", source, output]) == 1
        options = {"--tolerance": "1.5", "--min-iou": "0.9", "--split": "3", "--min-part": "50"}
        arguments = [text for pair in options.items() for text in pair]
        assert main(["buildings", source, output, "--overwrite", "--diagonals", "--json", *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["tolerance"] == 1.5
