import json
import os

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dubai_landcover_plugin.core.classes import DUBAI
from dubai_landcover_plugin.core.errors import ClassSchemeError, OutputError, RasterOpenError, RunCancelled
from dubai_landcover_plugin.core.polygons import ClassifiedRaster, export_polygons, trace_polygons
from dubai_landcover_plugin.core.raster import Grid
from dubai_landcover_plugin.core.record import class_tags
from dubai_landcover_plugin.core.requests.polygons import PolygonsRequest

from .conftest import ONE_METRE, write_raster

CRS = rasterio.crs.CRS.from_epsg(32640)


def classified(ids, transform=ONE_METRE, crs=CRS):
    return ClassifiedRaster(np.asarray(ids, np.uint8), Grid(*np.shape(ids), transform, crs), DUBAI)


@pytest.fixture
def class_map(tmp_path):
    """A town of two houses (one too small), a road between, sand around, on disk."""
    ids = np.full((40, 50), 2, np.uint8)
    ids[5:15, 5:17] = 4
    ids[20:24] = 3
    ids[30:32, 40:42] = 4
    path = write_raster(tmp_path / "classes.tif", ids[None], nodata=0)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**class_tags(DUBAI))
    return path


def burn(polygons, shape, transform):
    pairs = zip(polygons.geometries, polygons.class_ids.tolist(), strict=True)
    return rasterio.features.rasterize(pairs, shape, transform=transform, fill=0, dtype="uint8")


CLASS_MAPS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 6))


@settings(max_examples=60)
@given(CLASS_MAPS.filter(np.any))
def test_unsimplified_polygons_give_the_raster_back(ids):
    polygons = trace_polygons(classified(ids), 0, 0)
    assert shapely.is_valid(polygons.geometries).all()
    assert shapely.coverage_is_valid(polygons.geometries)
    assert (burn(polygons, ids.shape, ONE_METRE) == ids).all()
    for value in range(1, 7):
        assert polygons.areas[polygons.class_ids == value].sum() == (ids == value).sum()


@settings(max_examples=40)
@given(CLASS_MAPS.filter(np.any), st.floats(0.1, 5))
def test_simplified_polygons_still_share_their_edges(ids, tolerance):
    polygons = trace_polygons(classified(ids), 0, tolerance)
    assert shapely.coverage_is_valid(polygons.geometries)
    inside = np.abs(polygons.areas.sum() - (ids > 0).sum())
    outline = shapely.length(shapely.union_all(trace_polygons(classified(ids), 0, 0).geometries))
    assert inside <= outline * tolerance  # only the outer border may move, and by the tolerance


def test_small_regions_go_to_their_neighbour_and_leave_no_gap():
    ids = np.full((20, 20), 2, np.uint8)
    ids[5:7, 5:7] = 4
    polygons = trace_polygons(classified(ids), 10, 0)
    assert polygons.class_ids.tolist() == [2]
    assert polygons.areas.tolist() == [400]
    assert shapely.get_num_interior_rings(polygons.geometries).tolist() == [0]


def test_nodata_is_no_neighbour():
    ids = np.zeros((20, 20), np.uint8)
    ids[:10] = 2
    ids[0, 0] = 4
    polygons = trace_polygons(classified(ids), 5, 0)
    assert polygons.areas.tolist() == [200]


@pytest.mark.parametrize(
    ("transform", "crs", "area", "perimeter"),
    [
        (Affine(0.5, 0, 10, 0, -0.5, 90), CRS, 25, 20),
        (Affine.translation(10, 20) @ Affine.rotation(33) @ Affine.scale(2), CRS, 400, 80),
        (Affine(1, 0, 10, 0, 1, 90), None, 100, 40),
        (Affine(1e-5, 0, 55, 0, -1e-5, 25), rasterio.crs.CRS.from_epsg(4326), 10 * 1.00904 * 10 * 1.10777, 42.3),
    ],
    ids=["half metre", "rotated", "no CRS", "degrees"],
)
def test_area_and_perimeter_are_those_on_the_ground(transform, crs, area, perimeter):
    ids = np.zeros((20, 20), np.uint8)
    ids[4:14, 4:14] = 4
    polygons = trace_polygons(classified(ids, transform, crs), 0, 0)
    assert polygons.areas == pytest.approx([area], rel=2e-3)
    assert polygons.perimeters == pytest.approx([perimeter], rel=5e-3)
    if crs is None or not crs.is_geographic:
        assert shapely.area(polygons.geometries) == pytest.approx([area])


def test_empty_map_gives_no_polygon():
    assert len(trace_polygons(classified(np.zeros((5, 5))), 1, 1).geometries) == 0


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".geojson", ".fgb"])
def test_one_file_for_each_class_in_every_format(class_map, tmp_path, suffix):
    request = PolygonsRequest(str(class_map), str(tmp_path / "vectors"), ("building", "3"), suffix, simplify=0)
    outcome = export_polygons(request)
    assert outcome["counts"] == {"Building": 1, "Road": 1}
    assert outcome["area_m2"] == {"Building": 120, "Road": 200}
    meta, _, geometry, values = pyogrio.raw.read(outcome["files"]["Building"])
    fields = dict(zip(meta["fields"], values, strict=True))
    assert fields["class"].tolist() == ["Building"]
    assert fields["class_id"].tolist() == [4]
    assert fields["area_m2"].tolist() == [120]
    assert fields["perim_m"].tolist() == [44]
    bounds = shapely.bounds(shapely.from_wkb(geometry))[0]
    if suffix == ".geojson":
        assert "4326" in meta["crs"] or "CRS84" in meta["crs"]
        assert 52 < bounds[0] < 57
    else:
        assert "32640" in meta["crs"]
        assert bounds.tolist() == [300_005, 2_779_985, 300_017, 2_779_995]
    assert not [name for name in os.listdir(tmp_path / "vectors") if "partial" in name]


def test_shapefile_says_its_encoding(class_map, tmp_path):
    export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Building",)))
    assert sorted(os.listdir(tmp_path / "v")) == [f"building.{part}" for part in ("cpg", "dbf", "prj", "shp", "shx")]
    assert (tmp_path / "v" / "building.cpg").read_text() == "UTF-8"


def test_class_without_polygons_gives_an_empty_file_and_a_warning(class_map, tmp_path):
    outcome = export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Water",)))
    assert outcome["counts"] == {"Water": 0}
    assert "No polygon of class Water" in outcome["warnings"][0]
    assert pyogrio.read_info(outcome["files"]["Water"])["features"] == 0


def test_existing_file_is_kept_unless_overwriting(class_map, tmp_path):
    request = PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Building",))
    export_polygons(request)
    edited = tmp_path / "v" / "building.dbf"
    edited.write_bytes(b"edited by hand")
    with pytest.raises(OutputError, match="exists"):
        export_polygons(request)
    assert edited.read_bytes() == b"edited by hand"
    stale = tmp_path / "v" / "building.qix"
    stale.touch()
    export_polygons(PolygonsRequest(**{**request.to_json(), "overwrite": True}))
    assert not stale.exists()
    assert edited.read_bytes() != b"edited by hand"


def test_unknown_class_is_refused_with_the_list(class_map, tmp_path):
    with pytest.raises(ClassSchemeError, match="Choose among: Water, Land, Road, Building"):
        export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Lava",)))
    assert not (tmp_path / "v").exists()


def test_an_image_is_no_class_map(tmp_path):
    path = write_raster(tmp_path / "image.tif", np.ones((3, 9, 9), np.uint8))
    with pytest.raises(RasterOpenError, match=r"no class map: 3 band\(s\) of uint8"):
        export_polygons(PolygonsRequest(str(path), str(tmp_path / "v")))
    path = write_raster(tmp_path / "grey.tif", np.ones((1, 9, 9), np.uint8))
    with pytest.raises(RasterOpenError, match="no class names"):
        export_polygons(PolygonsRequest(str(path), str(tmp_path / "v")))


def test_cancel_leaves_nothing(class_map, tmp_path):
    class Impatient:
        def report(self, done, total, text=""): ...
        def log(self, level, text): ...
        def cancelled(self):
            return True

    with pytest.raises(RunCancelled):
        export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v")), Impatient())
    assert os.listdir(tmp_path / "v") == []


def test_geojson_is_json(class_map, tmp_path):
    outcome = export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Road",), ".geojson"))
    with open(outcome["files"]["Road"], encoding="utf-8") as stream:
        assert json.load(stream)["type"] == "FeatureCollection"


@pytest.mark.parametrize("min_area", [20.0, 1e6])
def test_smallest_area_beyond_the_raster_is_no_crash(min_area):
    assert len(trace_polygons(classified(np.full((3, 3), 2)), min_area, 2).geometries) == 0


def test_simplifying_tears_no_holes():
    rng = np.random.default_rng(1)
    coarse = rng.random((3, 30, 30)).repeat(4, axis=1).repeat(4, axis=2)
    ids = coarse.argmax(0).astype(np.uint8) + 1
    polygons = trace_polygons(classified(ids), 20, 2)
    covered = shapely.union_all(polygons.geometries)
    assert shapely.get_num_interior_rings(covered) == 0
    assert covered.area > 0.99 * ids.size


def test_perimeter_of_a_strip_in_degrees():
    ids = np.zeros((10, 60), np.uint8)
    ids[4, 5:55] = 3
    transform = Affine(1e-5, 0, 55, 0, -1e-5, 60)
    polygons = trace_polygons(classified(ids, transform, rasterio.crs.CRS.from_epsg(4326)), 0, 0)
    assert polygons.perimeters == pytest.approx([2 * 50 * 0.5580 + 2 * 1.1141], rel=1e-3)


def test_parts_of_a_shapefile_are_kept_too(class_map, tmp_path):
    folder = tmp_path / "v"
    folder.mkdir()
    (folder / "building.dbf").write_bytes(b"a table of the user")
    with pytest.raises(OutputError, match=r"building.dbf exists"):
        export_polygons(PolygonsRequest(str(class_map), str(folder), ("Building",)))
    assert (folder / "building.dbf").read_bytes() == b"a table of the user"


def test_geopackage_with_pending_edits_is_refused(class_map, tmp_path):
    request = PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Building",), ".gpkg", overwrite=True)
    export_polygons(request)
    journal = tmp_path / "v" / "building.gpkg-wal"
    journal.write_bytes(b"pending")
    with pytest.raises(OutputError, match="open in another program"):
        export_polygons(request)
    assert journal.exists()
    journal.write_bytes(b"")
    export_polygons(request)
    assert not journal.exists()


def test_geojson_of_a_local_crs(class_map, tmp_path):
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    with rasterio.open(class_map, "r+") as dataset:
        dataset.crs = rasterio.crs.CRS.from_wkt(local)
    outcome = export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v"), ("Road",), ".geojson"))
    assert pyogrio.read_info(outcome["files"]["Road"])["features"] == 1


def test_class_names_cannot_leave_the_folder(class_map, tmp_path):
    with rasterio.open(class_map, "r+") as dataset:
        dataset.update_tags(CLASS_4="../Out side #3C1098")
    outcome = export_polygons(PolygonsRequest(str(class_map), str(tmp_path / "v"), ("4",), ".gpkg"))
    assert outcome["files"] == {"../Out side": str(tmp_path / "v" / "_out_side.gpkg")}
