"""Reading vector layers: which layer, which geometries, which CRS."""

import json
import os
import shutil
import sqlite3
import struct
from contextlib import closing

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely

from dubai_landcover_plugin.core.io import ogr
from dubai_landcover_plugin.core.io.vector_reader import geometries_of, read_vector
from dubai_landcover_plugin.protocol.errors import GeoreferenceError, RasterOpenError
from tests.factories import UTM40, write_class_map, write_layer

BOX = shapely.box(330_000, 2_779_900, 330_080, 2_780_000)


def test_geoparquet_without_a_driver_is_told(tmp_path, monkeypatch):
    (tmp_path / "houses.parquet").touch()
    monkeypatch.setattr(pyogrio, "list_drivers", lambda: {"GPKG": "rw"})
    with pytest.raises(RasterOpenError, match="no GeoParquet here"):
        read_vector(str(tmp_path / "houses.parquet"))


def test_geometries_without_a_place_are_none(tmp_path):
    shapes = [shapely.box(0, 0, 1, 1), shapely.Polygon(), shapely.Polygon([(0, 0), (np.nan, 1), (1, 1)]), None]
    shapes += [shapely.Polygon([(0, 0), (1, np.inf), (1, 1)]), shapely.Point()]
    write_layer(tmp_path / "odd.gpkg", shapes, id=np.arange(6))
    layer = read_vector(str(tmp_path / "odd.gpkg"))
    assert layer.fields["id"].tolist() == [0, 1, 2, 3, 4, 5]
    assert shapely.is_missing(layer.geometries).tolist() == [False, True, True, True, True, True]


def test_several_layers_must_be_named(tmp_path):
    path = tmp_path / "town.gpkg"
    write_layer(path, [BOX, BOX])
    write_layer(path, [BOX], layer="second")
    with pytest.raises(RasterOpenError, match="several layers: town, second"):
        read_vector(str(path))
    assert len(read_vector(f"{path}|layername=second").geometries) == 1


def test_points_without_a_place_in_the_crs_are_refused(tmp_path):
    write_layer(tmp_path / "houses.gpkg", [BOX, BOX])
    layer = read_vector(str(tmp_path / "houses.gpkg"))
    assert layer.to_crs(None) is layer
    far = type(layer)(shapely.box([1e30], [0], [2e30], [1]), {}, rasterio.crs.CRS.from_string(UTM40))
    with pytest.raises(GeoreferenceError):
        far.to_crs(rasterio.crs.CRS.from_epsg(4326))


def with_srs_id(path, number):
    """Write a GeoPackage whose layer has a CRS of that number, and return it as text."""
    write_layer(path, [BOX], layer="zones")
    with closing(sqlite3.connect(path)) as package, package:
        for table in ("gpkg_geometry_columns", "gpkg_contents"):
            package.execute(f"UPDATE {table} SET srs_id = ? WHERE table_name = 'zones'", (number,))
    return str(path)


@pytest.mark.parametrize("number", [0, -1])
def test_layers_with_an_undefined_crs_have_none(tmp_path, number):
    path = with_srs_id(tmp_path / "zones.gpkg", number)
    assert ogr.read_info(path)["crs"]  # GDAL reports degrees or metres
    layer = read_vector(path)
    assert layer.crs is None
    assert layer.geometries[0].equals(BOX)


def test_a_geopackage_without_the_definition_of_its_crs_is_damaged(tmp_path):
    path = with_srs_id(tmp_path / "zones.gpkg", 31337)
    with pytest.raises(RasterOpenError, match="does not define the CRS 31337 of its layer zones"):
        read_vector(path)


def tin(code, count=1):
    triangle = struct.pack("<BIII", 1, 1017, 1, 4) + struct.pack("<12d", 0, 0, 5, 6, 0, 5, 0, 6, 5, 0, 0, 5)
    return struct.pack("<BII", 1, code, count) + triangle * count


@pytest.mark.parametrize(
    ("wkb", "kind"),
    [
        (tin(1016), "TIN"),
        (tin(0x80000010), "TIN"),
        (tin(1015, 2).replace(b"\xf9\x03", b"\xeb\x03"), "polyhedral surface"),
        (tin(1016)[9:], "triangle"),
        (struct.pack("<BII", 1, 1007, 1) + tin(1016), "collection of surfaces"),
        (struct.pack(">BII", 0, 16, 0), "TIN"),
    ],
)
def test_surfaces_are_refused_by_name(wkb, kind):
    with pytest.raises(RasterOpenError, match=f"roofs.gpkg: feature 2 of 2 is a {kind}.*ogr2ogr -nlt MULTIPOLYGON"):
        geometries_of(np.array([shapely.to_wkb(BOX), wkb], object), "roofs.gpkg")


def test_damaged_geometries_are_none_and_open_rings_are_closed():
    open_ring = struct.pack("<BIII", 1, 3, 1, 3) + struct.pack("<6d", 0, 0, 6, 0, 0, 6)
    found = geometries_of(np.array([b"\x01\x03", open_ring, None], object), "x.gpkg")
    assert shapely.is_missing(found).tolist() == [True, False, True]
    assert found[1].area == 18


def test_heights_and_collections_are_read(tmp_path):
    shapes = [shapely.from_wkt(text) for text in (
        "POLYGON Z ((0 0 1, 1 0 1, 1 1 1, 0 0 1))",
        "GEOMETRYCOLLECTION (POLYGON ((0 0, 1 0, 1 1, 0 0)), POINT (3 3))",
        "MULTIPOLYGON (((0 0, 1 0, 1 1, 0 0)))",
    )]  # fmt: skip
    layer = read_vector(write_layer(tmp_path / "mixed.gpkg", shapes))
    assert shapely.area(layer.geometries).tolist() == [0.5, 0.5, 0.5]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "zones.gpkg")
    with pytest.raises(RasterOpenError, match="neither a file nor a folder"):
        read_vector(str(tmp_path / "zones.gpkg"))


def test_a_zipped_layer_is_read(tmp_path):
    write_layer(tmp_path / "in" / "zones.shp", [BOX])
    archive = shutil.make_archive(str(tmp_path / "zones! 1"), "zip", tmp_path / "in")
    assert len(read_vector(archive).geometries) == 1


@pytest.mark.parametrize(("north", "known"), [(90.0, True), (2_700_000.0, False)])
def test_geojson_without_a_crs_is_in_degrees_only_where_it_can_be(tmp_path, north, known):
    corners = [[0, 0], [9, 0], [9, north], [0, 0]]
    geometry = {"type": "Polygon", "coordinates": [corners]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    assert (read_vector(str(tmp_path / "a.geojson")).crs is not None) == known


def test_a_raster_is_told_what_it_is(tmp_path):
    write_class_map(tmp_path / "classes.tif", np.ones((4, 4), np.uint8))
    with pytest.raises(RasterOpenError, match=r"classes\.tif is a raster; a vector layer is needed"):
        read_vector(str(tmp_path / "classes.tif"))
