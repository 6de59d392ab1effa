"""Regular outlines: right angles along the walls, close to what was given, without new overlaps."""

import importlib
import json

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.features import rasterize, shapes
from rasterio.warp import transform as warp_points
from scipy.ndimage import gaussian_filter
from shapely.affinity import rotate, translate

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.buildings.conflicts import Outlines, resolve_mutual_overlaps, resolve_obstacle_overlaps
from dubai_landcover_plugin.core.buildings.local_frame import ground_scales, local_frames
from dubai_landcover_plugin.core.buildings.necks import split_at_necks
from dubai_landcover_plugin.core.buildings.outlines import align_to_walls, intersection_over_union, regularize_outline
from dubai_landcover_plugin.core.buildings.regularize import regularize_buildings
from dubai_landcover_plugin.core.buildings.tolerance import default_tolerance
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.protocol.errors import (
    LandCoverError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from tests.factories import write_layer

ELL = shapely.Polygon([(0, 0), (40, 0), (40, 14), (16, 14), (16, 30), (0, 30)])
YARD = shapely.box(0, 0, 40, 36).difference(shapely.box(12, 10, 28, 24))
CHAMFERED = shapely.Polygon([(0, 0), (60, 0), (60, 20), (40, 40), (0, 40)])


def pixels(*polygons, size=110):
    """Return the pixel-stair outlines of polygons on a grid of 1 m."""
    found = []
    for polygon in polygons:
        mask = rasterize([polygon], (size, size), dtype="uint8")
        parts = [shapely.geometry.shape(shape) for shape, value in shapes(mask, connectivity=4) if value]
        found.append(max(parts, key=lambda part: part.area))
    return np.array(found, object)


def regular(polygon, tolerance=2.0, diagonals=False, min_iou=0.85):
    (frame,) = local_frames(np.array([polygon], object), None)
    frame = align_to_walls(polygon, frame, tolerance)
    found = regularize_outline(polygon, frame, tolerance, diagonals, min_iou)
    return (None, frame) if found is None else (found[0], frame)


def deviations(polygon, fold=90.0):
    """Return how far edges are from the longest one's direction, degrees modulo ``fold``, and their lengths."""
    edges = np.concatenate([np.diff(shapely.get_coordinates(ring), axis=0) for ring in shapely.get_rings(polygon)])
    lengths = np.hypot(*edges.T)
    angles = np.degrees(np.arctan2(edges[:, 1], edges[:, 0]))
    return np.abs((angles - angles[lengths.argmax()] + fold / 2) % fold - fold / 2), lengths


class TestOutlines:
    @pytest.mark.parametrize("angle", [0, 7, 22.5, 45, 61, 89])
    @pytest.mark.parametrize("shape", [shapely.box(0, 0, 40, 24), ELL, YARD])
    def test_a_stair_of_pixels_becomes_the_building_it_was(self, shape, angle):
        truth = translate(rotate(shape, angle, origin=(20, 15)), 30, 35)
        (stair,) = pixels(truth)
        outline, frame = regular(stair)
        assert shapely.is_valid(outline)
        assert intersection_over_union(truth, outline) > 0.95
        assert shapely.get_num_coordinates(outline) == shapely.get_num_coordinates(truth)
        assert deviations(outline)[0].max() < 1e-3
        assert abs((np.degrees(frame.angle) - angle + 45) % 90 - 45) < 1.5

    @settings(max_examples=60, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        boxes=st.integers(1, 5),
        angle=st.floats(0, 90),
        tolerance=st.floats(1, 5),
        diagonals=st.booleans(),
        min_iou=st.floats(0.5, 1),
    )
    def test_whatever_the_shape_the_outline_is_sound(self, seed, boxes, angle, tolerance, diagonals, min_iou):
        rng = np.random.default_rng(seed)
        corners = rng.uniform(20, 70, (boxes, 2))
        sizes = rng.uniform(4, 40, (boxes, 2))
        whole = shapely.union_all([shapely.box(*low, *(low + size)) for low, size in zip(corners, sizes, strict=True)])
        (stair,) = pixels(rotate(whole, angle, origin=(55, 55)))
        outline, _ = regular(stair, tolerance, diagonals, min_iou)
        if outline is None:
            return
        assert outline.geom_type == "Polygon"
        assert shapely.is_valid(outline)
        assert len(outline.interiors) == len(stair.interiors)
        assert intersection_over_union(stair, outline) >= min_iou
        off, lengths = deviations(outline, 45 if diagonals else 90)
        assert off[lengths > 0.01].max() < 0.01

    def test_diagonals_where_they_are_allowed(self):
        (stair,) = pixels(translate(rotate(CHAMFERED, 20, origin=(30, 20)), 25, 30))
        stepped, _ = regular(stair)
        slanting, _ = regular(stair, diagonals=True)
        assert shapely.get_num_coordinates(slanting) == 6
        assert shapely.get_num_coordinates(stepped) > 8
        off, _ = deviations(slanting)
        assert off.max() == pytest.approx(45, abs=1e-3)

    def test_courtyards_stay_even_small_ones(self):
        shape = shapely.box(0, 0, 30, 30).difference(shapely.box(14, 14, 15, 15))
        outline, _ = regular(shape)
        assert len(outline.interiors) == 1
        assert shapely.Polygon(outline.interiors[0]).area == pytest.approx(1)

    @pytest.mark.parametrize("shape", [shapely.box(5, 5, 6, 6), shapely.box(0, 0, 60, 1), shapely.box(0, 0, 1, 3)])
    def test_of_one_pixel_or_one_row_it_is_a_rectangle(self, shape):
        outline, _ = regular(shape)
        assert intersection_over_union(shape, outline) > 0.99

    @pytest.mark.parametrize("tolerance", [1e-6, 0.01, 50.0, 1e6])
    def test_tolerances_out_of_scale_do_no_harm(self, tolerance):
        (stair,) = pixels(translate(rotate(ELL, 30), 30, 35))
        outline, _ = regular(stair, tolerance)
        assert outline is None or (shapely.is_valid(outline) and intersection_over_union(stair, outline) >= 0.85)

    def test_a_round_building_keeps_its_outline_where_nothing_regular_is_close(self):
        circle = shapely.Point(0, 0).buffer(3)
        assert regular(circle, min_iou=0.99)[0] is None

    def test_rounded_corners_become_square(self):
        round_off = shapely.box(20, 20, 80, 60).buffer(-4).buffer(4)
        outline, _ = regular(pixels(round_off)[0])
        assert shapely.get_num_coordinates(outline) == 5

    def test_the_tolerance_is_two_pixels_of_stairs_else_two_metres(self):
        stairs = pixels(rotate(translate(ELL, 30, 35), 25))
        half = np.array([shapely.transform(stairs[0], lambda points: points * 0.5)], object)
        assert default_tolerance(stairs, local_frames(stairs, None)) == pytest.approx(2)
        assert default_tolerance(half, local_frames(half, None)) == pytest.approx(1)
        drawn = np.array([rotate(translate(ELL, 30, 35), 25)], object)
        assert default_tolerance(drawn, local_frames(drawn, None)) == 2


class TestPlane:
    @pytest.mark.parametrize("epsg", [4326, 3857])
    def test_scales_are_those_of_the_ground(self, epsg):
        crs, lat = CRS.from_epsg(epsg), 25.2
        x, y = warp_points(CRS.from_epsg(4326), crs, [55.3], [lat])
        utm = CRS.from_epsg(32640)
        u, v = warp_points(crs, utm, [x[0], x[0] + 1e-3, x[0]], [y[0], y[0], y[0] + 1e-3])
        scales = ground_scales(crs, np.array([[x[0], y[0]]]))[0] * 1e-3
        assert scales == pytest.approx(
            [np.hypot(u[1] - u[0], v[1] - v[0]), np.hypot(u[2] - u[0], v[2] - v[0])], rel=2e-3
        )

    def test_without_a_crs_units_stay(self):
        assert (ground_scales(None, np.ones((2, 2))) == 1).all()

    def test_there_and_back(self):
        polygon = translate(rotate(ELL, 33), 500_000, 2_780_000)
        (frame,) = local_frames(np.array([polygon], object), CRS.from_epsg(32640))
        points = shapely.get_coordinates(polygon)
        frame = align_to_walls(polygon, frame, 2.0)
        assert frame.to_crs(frame.to_local(points)) == pytest.approx(points, abs=1e-6)


class TestConflicts:
    @staticmethod
    def outlines(original, current):
        original, current = np.array(original, object), np.array(current, object)
        ious = np.array([intersection_over_union(*pair) for pair in zip(original, current, strict=True)])
        return Outlines(original, current, local_frames(original, None), ious, np.ones(len(original), bool))

    def test_the_worse_one_retreats_at_right_angles(self):
        given = [shapely.box(0, 0, 20, 20), shapely.box(21, 0, 41, 20)]
        pair = self.outlines(given, [shapely.box(0, 0, 21.5, 20), shapely.box(20.9, 0, 41, 20)])
        resolve_mutual_overlaps(pair, 2.0, 0.85, SilentMonitor())
        assert shapely.intersection(*pair.current).area == 0
        assert pair.current[1].equals(shapely.box(20.9, 0, 41, 20))
        assert pair.regular.all()
        assert deviations(pair.current[0])[0].max() < 1e-3
        assert pair.ious[0] == pytest.approx(intersection_over_union(given[0], pair.current[0]))

    def test_where_that_is_too_much_the_given_outline_is_kept(self):
        given = [shapely.box(0, 0, 20, 20), shapely.box(21, 0, 41, 20)]
        pair = self.outlines(given, [shapely.box(0, 0, 24, 20), shapely.box(20.5, 0, 41, 20)])
        resolve_mutual_overlaps(pair, 2.0, 1.0, SilentMonitor())
        assert list(pair.current) == [given[0], shapely.box(20.5, 0, 41, 20)]
        assert pair.regular.tolist() == [False, True]
        assert pair.ious[0] == 1

    def test_an_overlap_that_was_there_may_stay(self):
        boxes = [shapely.box(0, 0, 20, 20), shapely.box(18, 0, 40, 20)]
        pair = self.outlines(boxes, boxes)
        resolve_mutual_overlaps(pair, 2.0, 0.85, SilentMonitor())
        assert list(pair.current) == boxes
        assert pair.regular.all()

    def test_obstacles_are_not_entered(self):
        road = shapely.box(-50, 20, 50, 28)
        one = self.outlines([shapely.box(0, 0, 20, 20)], [shapely.box(0, 0, 20, 21)])
        resolve_obstacle_overlaps(one, np.array([road], object), 2.0, 0.85)
        assert shapely.intersection(one.current[0], road).area < 1e-9
        assert one.regular.all()

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_no_pair_overlaps_more_than_it_did(self, seed):
        rng = np.random.default_rng(seed)
        shapes = [
            rotate(shapely.box(x, y, x + w, y + h), angle)
            for x, y, w, h, angle in zip(
                *rng.uniform(15, 80, (2, 8)), *rng.uniform(8, 25, (2, 8)), rng.uniform(0, 90, 8), strict=True
            )
        ]
        given_ones, taken = [], shapely.Polygon()
        for stair in pixels(*shapes):
            left = stair if seed % 2 else shapely.difference(stair, taken)
            if left.geom_type == "Polygon" and left.area > 5:
                given_ones.append(left)
                taken = shapely.union(taken, left)
        current, ious, kept, turned = [], [], [], []
        for polygon, frame in zip(given_ones, local_frames(np.array(given_ones, object), None), strict=True):
            frame = align_to_walls(polygon, frame, 2.0)
            found = regularize_outline(polygon, frame, 2.0, False, 0.7)
            current.append(polygon if found is None else found[0])
            ious.append(1.0 if found is None else found[1])
            kept.append(found is not None)
            turned.append(frame)
        group = Outlines(
            np.array(given_ones, object), np.array(current, object), turned, np.array(ious), np.array(kept)
        )
        resolve_mutual_overlaps(group, 2.0, 0.7, SilentMonitor())
        assert shapely.is_valid(group.current).all()
        assert (shapely.get_type_id(group.current) == 3).all()
        for i in range(len(group.original)):
            for j in range(i):
                before = shapely.intersection(group.original[i], group.original[j]).area
                after = shapely.intersection(group.current[i], group.current[j]).area
                assert after <= before + 1e-3
        ratios = [intersection_over_union(*pair) for pair in zip(group.original, group.current, strict=True)]
        assert ratios == pytest.approx(group.ious.tolist(), abs=1e-6)


class TestNecks:
    DUMBBELL = shapely.union_all([shapely.box(0, 0, 20, 20), shapely.box(20, 8, 26, 11), shapely.box(26, 0, 50, 20)])

    @pytest.mark.parametrize("angle", [0, 20, 77])
    def test_it_falls_apart_at_the_neck(self, angle):
        whole = rotate(self.DUMBBELL, angle)
        parts = split_at_necks(whole, 4.0, 60.0)
        assert len(parts) == 2
        assert sum(part.area for part in parts) == pytest.approx(whole.area, rel=1e-5)
        assert shapely.intersection(*parts).area == pytest.approx(0, abs=1e-3)
        assert shapely.symmetric_difference(shapely.union_all(parts), whole).area < 0.02

    @pytest.mark.parametrize(("width", "min_area"), [(2.0, 60.0), (4.0, 450.0)])
    def test_wider_necks_and_smaller_parts_stay(self, width, min_area):
        assert split_at_necks(self.DUMBBELL, width, min_area) == [self.DUMBBELL]

    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 10_000), width=st.floats(1, 12), min_area=st.floats(0, 200))
    def test_parts_make_up_the_whole(self, seed, width, min_area):
        rng = np.random.default_rng(seed)
        boxes = [
            shapely.box(x, y, x + w, y + h) for x, y, w, h in rng.uniform([20, 20, 3, 3], [70, 70, 30, 30], (5, 4))
        ]
        (stair,) = pixels(rotate(shapely.union_all(boxes), rng.uniform(0, 90), origin=(55, 55)))
        parts = split_at_necks(stair, width, min_area)
        assert all(part.geom_type == "Polygon" and part.is_valid for part in parts)
        assert sum(part.area for part in parts) == pytest.approx(stair.area, rel=1e-5)
        assert len(parts) == 1 or min(part.area for part in parts) >= min_area - 1e-6


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
        assert made.fields["area_m2"] == pytest.approx(shapely.area(made.geometries))
        assert made.fields["perim_m"] == pytest.approx(shapely.length(made.geometries))
        assert made.fields["regular"].tolist() == [1, 1]
        assert made.fields["angle"] == pytest.approx([60, 12], abs=1.5)
        ratios = [intersection_over_union(*pair) for pair in zip([one, two], made.geometries, strict=True)]
        assert made.fields["iou"] == pytest.approx(ratios)
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

    def test_touching_buildings_become_features(self, tmp_path):
        source = write_layer(
            tmp_path / "i.gpkg", [rotate(TestNecks.DUMBBELL, 20), translate(ELL, 0, 80)], name=["a", "b"]
        )
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
        assert "2 buildings, 2 regular" in capsys.readouterr().out
        assert main(["buildings", source, output]) == 1
        options = {"--tolerance": "1.5", "--min-iou": "0.9", "--split": "3", "--min-part": "50"}
        arguments = [text for pair in options.items() for text in pair]
        assert main(["buildings", source, output, "--overwrite", "--diagonals", "--json", *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["tolerance"] == 1.5


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"output": "o.tif"}, "must end in .gpkg"),
        ({"output": "folder/.gpkg"}, "must end in .gpkg"),
        ({"input": ""}, "is needed"),
        ({"tolerance": 0.0}, "above 0"),
        ({"min_iou": 1.5}, "in 0..1"),
        ({"split": -1.0}, "at least 0"),
    ],
)
def test_bad_requests_are_refused(values, text):
    with pytest.raises(RequestError, match=text):
        BuildingsRequest(**{"input": "i.gpkg", "output": "o.gpkg", **values})


def test_a_request_survives_json():
    request = BuildingsRequest("i.gpkg", "o.gpkg", 1.0, 0.8, True, 3.0, 40.0, "r.gpkg", True)
    assert BuildingsRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
