"""Geometries that are written pass the checks of QGIS and GEOS."""

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS

from dubai_landcover_plugin.core.io.sound_geometries import RESOLUTION, sound_geometries
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter

REPEATED = shapely.Polygon([(0, 0), (9, 0), (9, 1e-9), (9, 9), (0, 9), (0, 9)])
HOLED = shapely.Polygon(shapely.box(0, 0, 9, 9).exterior.coords, [[(2, 2), (2, 4), (4, 4), (4, 4), (4, 2)]])
CROSSED = shapely.Polygon([(0, 0), (9, 9), (9, 0), (0, 9)])


def gaps(geometries):
    """Return the distances of consecutive vertices along x or y, whichever is larger."""
    parts = shapely.get_parts(geometries)
    lines = np.concatenate([shapely.get_rings(parts), parts[shapely.get_dimensions(parts) == 1]])
    points, line = shapely.get_coordinates(lines, return_index=True)
    return np.abs(np.diff(points, axis=0)).max(axis=1)[line[1:] == line[:-1]]


@pytest.mark.parametrize(
    "geometry",
    [REPEATED, HOLED, CROSSED, shapely.MultiPolygon([REPEATED]), shapely.LineString([(0, 0), (0, 0), (5, 5)])],
)
def test_repeated_vertices_and_crossings_go(geometry):
    (sound,) = sound_geometries(np.array([geometry], object))
    assert shapely.is_valid(sound)
    assert gaps(np.array([sound], object)).min() > RESOLUTION
    assert sound.area == pytest.approx(shapely.make_valid(geometry).area)


def test_sound_geometries_and_tiny_ones_are_the_same_objects():
    given_ones = np.array([shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1e-9, 1e-9), shapely.Point(1, 1), None], object)
    sound = sound_geometries(given_ones)
    assert all(one is other for one, other in zip(sound, given_ones, strict=True))


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=3, max_size=14), st.floats(1e-10, 1))
def test_any_ring_becomes_sound(points, scale):
    (sound,) = sound_geometries(np.array([shapely.Polygon(np.array(points) * scale)], object))
    if sound.area > RESOLUTION:
        assert shapely.is_valid(sound)
        assert gaps(np.array([sound], object)).min() > RESOLUTION


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson", "fgb", "parquet"])
@pytest.mark.parametrize("epsg", [32640, 2263, 3857, 4326])
def test_every_format_stores_them_sound(tmp_path, suffix, epsg):
    scale, offset = (1e-5, (55.2, 25.1)) if epsg == 4326 else (1.0, (320_000, 2_780_000))
    near = [shapely.Polygon([(0, 0), (9, 0), (9, y), (9, 9), (0, 9)]) for y in 10.0 ** -np.arange(1, 10)]
    polygons = np.array([shapely.transform(one, lambda c: c * scale + offset) for one in [REPEATED, HOLED, *near]])
    path = tmp_path / f"o.{suffix}"
    with VectorWriter(path, "Polygon", CRS.from_epsg(epsg), {"id": np.int32}) as file:
        file.write(polygons, {"id": np.arange(len(polygons))})
        file.finish()
    try:
        stored = read_vector(str(path)).geometries
    except Exception:
        if suffix == "parquet":
            pytest.skip("this GDAL reads no GeoParquet")
        raise
    assert len(stored) == len(polygons)
    assert (shapely.get_type_id(stored) == shapely.GeometryType.POLYGON).all()
    assert shapely.is_valid(stored).all()
    assert gaps(stored).min() > 1e-8
