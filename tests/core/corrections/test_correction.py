"""Corrections of a layer, and what they do to class ids."""

from __future__ import annotations

import math
import os
import sqlite3
from datetime import datetime

import numpy as np
import pytest
import rasterio.warp
import shapely
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.corrections.correction import ANY, Correction, Corrections, read_corrections
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.io.areas import Area, polygon_edges
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    RasterOpenError,
    RequestError,
)
from tests.factories import ONE_METRE, UTM40, write_layer

LAND, ROAD, BUILDING = 2, 3, 4
SIZE = 20
WHOLE = Window(0, 0, SIZE, SIZE)
GRID = Grid(SIZE, SIZE, ONE_METRE, rasterio.crs.CRS.from_string(UTM40))


def square(left: float, top: float, right: float, bottom: float):
    """A box in map coordinates by pixels."""
    return shapely.box(300_000 + left, 2_780_000 - bottom, 300_000 + right, 2_780_000 - top)


def texts(*values):
    return np.array(values, object)


def read(path, grid=GRID, scheme=DUBAI, brush=3.0):
    return read_corrections(str(path), grid, scheme, brush)


def corrected(path, ids=None, **arguments):
    corrections, _, warnings = read(path, **arguments)
    ids = np.full((SIZE, SIZE), LAND, np.uint8) if ids is None else ids
    before = ids.copy()
    found = corrections.apply(ids, WHOLE)
    assert (ids == before).all()
    return found, corrections, warnings


def test_corrections_with_a_colour_make_classes(tmp_path):
    write_layer(
        tmp_path / "c.gpkg",
        [square(0, 0, 5, 5), square(5, 5, 9, 9), square(9, 9, 12, 12), square(12, 12, 15, 15)],
        to=texts("Lawn", "lawn", "Land", "Pool"),
        colour=texts("#11aa22", "", "#ffffff", "#0000FF"),
    )
    found, scheme, _ = read(tmp_path / "c.gpkg")
    assert [(entry.id, entry.name, entry.colour) for entry in scheme.classes[5:]] == [
        (7, "Lawn", "#11AA22"),
        (8, "Pool", "#0000FF"),
    ]
    assert scheme.classes[:5] == DUBAI.classes
    ids = found.apply(np.full((SIZE, SIZE), LAND, np.uint8), WHOLE)
    assert sorted(set(ids.ravel().tolist())) == [LAND, 7, 8]
    assert (ids == 7).sum() == 25 + 16


def test_a_class_without_a_colour_is_refused(tmp_path):
    write_layer(tmp_path / "c.gpkg", [square(0, 0, 5, 5)], to=texts("Lawn"), colour=texts(""))
    with pytest.raises(ClassSchemeError, match="not classes of the raster: 'Lawn'"):
        read(tmp_path / "c.gpkg")
    write_layer(tmp_path / "d.gpkg", [square(0, 0, 5, 5)], to=texts("Lawn"), colour=texts("green"))
    with pytest.raises(ClassSchemeError, match="GREEN"):
        read(tmp_path / "d.gpkg")


drawn = st.builds(
    lambda points, source, target: Correction(_area(shapely.Polygon(points)), source, target),
    st.lists(st.tuples(*[st.integers(-8, 60).map(lambda value: value / 2)] * 2), min_size=3, max_size=6),
    st.sampled_from([ANY, LAND, ROAD, BUILDING]),
    st.sampled_from([LAND, ROAD, BUILDING]),
)


def _area(polygon):
    return Area(polygon_edges(polygon), polygon.bounds)


@given(corrections=st.lists(drawn, min_size=1, max_size=8), rows=st.integers(1, SIZE), cols=st.integers(1, SIZE))
def test_corrections_in_windows_give_those_of_the_whole(corrections, rows, cols):
    ids = np.random.default_rng(1).integers(0, 6, (SIZE, SIZE)).astype(np.uint8)
    at_once, in_windows = Corrections(corrections), Corrections(corrections)
    whole = at_once.apply(ids, WHOLE)
    together = np.zeros_like(ids)
    for row in range(0, SIZE, rows):
        for col in range(0, SIZE, cols):
            part = Window(row, col, min(rows, SIZE - row), min(cols, SIZE - col))
            together[part.rows, part.cols] = in_windows.apply(ids[part.rows, part.cols], part)
    assert (together == whole).all()
    assert (in_windows.used == at_once.used).all()
    assert ((whole == 0) == (ids == 0)).all()


@given(corrections=st.lists(drawn, max_size=8))
def test_corrections_are_applied_one_after_the_other(corrections):
    ids = np.random.default_rng(2).integers(0, 6, (SIZE, SIZE)).astype(np.uint8)
    expected = ids.copy()
    for one in corrections:
        expected = Corrections([one]).apply(expected, WHOLE)
    assert (Corrections(corrections).apply(ids, WHOLE) == expected).all()


def test_only_pixels_of_the_given_class_change(tmp_path):
    ids = np.full((SIZE, SIZE), LAND, np.uint8)
    ids[:, :10] = BUILDING
    ids[0] = 0
    boxes = [square(5, 0, 15, 10), square(0, 12, 20, 15), square(0, 18, 1, 19)]
    path = write_layer(tmp_path / "c.gpkg", boxes, FROM=texts("building", "", "5"), To=texts("ROAD", "5", "Land"))
    found, corrections, warnings = corrected(path, ids)
    expected = ids.copy()
    expected[1:10, 5:10] = ROAD
    expected[12:15] = 5
    assert (found == expected).all()
    assert (corrections.used == [True, True, False]).all()
    assert warnings == []


@pytest.mark.parametrize(
    ("times", "last"),
    [
        (None, 2),
        (texts("2026-05-01T10:00:00", "2026-05-01T09:00:00", ""), 0),
        (texts("2026-05-01T10:00:00Z", "2026-05-01T13:00:00+02:00", "2026-05-01"), 1),
        (texts(None, None, None), 2),
        (np.array(["2026-05-03", "2026-05-09", "NaT"], "datetime64[ms]"), 1),
        (np.array([5.0, 4.0, math.nan]), 0),
    ],
)
def test_later_corrections_win(tmp_path, times, last):
    fields = {"to": texts("1", "3", "5")} | ({} if times is None else {"time": times})
    path = write_layer(tmp_path / "c.gpkg", [square(0, 0, 9, 9)] * 3, **fields)
    found, _, _ = corrected(path)
    assert found[4, 4] == (1, 3, 5)[last]


def test_times_of_a_shapefile_and_of_geojson(tmp_path):
    boxes, times = [square(0, 0, 9, 9)] * 2, np.array([datetime(2026, 5, 2), datetime(2026, 5, 1)], "datetime64[ms]")
    for name in ("c.geojson", "c.fgb"):
        path = write_layer(tmp_path / name, boxes, to=texts("1", "3"), time=times)
        assert corrected(path)[0][4, 4] == 1
    path = write_layer(tmp_path / "c.shp", boxes, to=texts("1", "3"), time=texts("2026-05-02", "2026-05-01"))
    assert corrected(path)[0][4, 4] == 1


def test_brushes_have_their_own_width_or_the_given_one(tmp_path):
    points = [shapely.Point(300_005.5, 2_780_000 - row - 0.5) for row in (3, 9, 15)]
    path = write_layer(
        tmp_path / "c.gpkg", points, to=texts("Road", "Road", "Road"), brush=np.array([3.0, math.nan, 1.0])
    )
    found, _, _ = corrected(path, brush=5.0)
    assert [(found[row - 2 : row + 3] == ROAD).sum() for row in (3, 9, 15)] == [9, 21, 1]


def test_another_crs(tmp_path):
    box = shapely.transform(
        square(2, 3, 8, 9),
        lambda xy: np.column_stack(rasterio.warp.transform(UTM40, "EPSG:4326", xy[:, 0], xy[:, 1])[:2]),
    )
    path = write_layer(tmp_path / "c.gpkg", [box], crs="EPSG:4326", to=texts("Road"))
    expected = np.full((SIZE, SIZE), LAND, np.uint8)
    expected[3:9, 2:8] = ROAD
    assert (corrected(path)[0] == expected).all()


def test_rasters_and_layers_without_crs(tmp_path):
    path = write_layer(tmp_path / "c.gpkg", [square(0, 0, 2, 2)], crs=None, to=texts("Road"))
    assert corrected(path)[2] == ["The corrections have no CRS: the CRS of the raster was assumed."]
    path = write_layer(tmp_path / "d.gpkg", [shapely.box(1, -3, 4, -1)], to=texts("Road"))
    found, _, (warning,) = corrected(path, grid=Grid(SIZE, SIZE, rasterio.Affine.identity(), None))
    assert warning.startswith("The raster has no CRS")
    assert (found[1:3, 1:4] == ROAD).all()


def test_corrections_that_do_not_count_are_left_out(tmp_path):
    shapes = [square(0, 0, 2, 2), None, square(3, 3, 5, 5), square(900, 0, 905, 5)]
    path = write_layer(tmp_path / "c.gpkg", shapes, geometry_type="Polygon", to=texts("Road", "Road", "", "Road"))
    found, corrections, warnings = corrected(path)
    assert (found == ROAD).sum() == 4
    assert len(corrections.used) == 1
    assert warnings == [
        "2 corrections without geometry or class were left out.",
        "1 corrections are outside of the raster and were left out.",
    ]


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"class": texts("Road")}, RequestError, "no attribute 'to'"),
        ({"to": texts("Street")}, ClassSchemeError, "not classes of the raster: 'Street'"),
        ({"to": texts("Road"), "from": texts("Street")}, ClassSchemeError, "not classes of the raster: 'Street'"),
        ({"to": np.array([9])}, ClassSchemeError, "not classes of the raster: '9'"),
        ({"to": texts("")}, RequestError, "No correction has a geometry and a class"),
        ({"to": texts("Road"), "time": texts("yesterday")}, RequestError, "'yesterday', which is not a date"),
        ({"to": texts("Road"), "brush": np.array([-1.0])}, RequestError, r"in 0\.\.1000 px, got '-1'"),
        ({"to": texts("Road"), "brush": texts("wide")}, RequestError, r"in 0\.\.1000 px, got 'wide'"),
    ],
)
def test_layers_that_cannot_be_used(tmp_path, fields, error, message):
    path = write_layer(tmp_path / "c.gpkg", [square(0, 0, 2, 2)], **fields)
    with pytest.raises(error, match=message) as caught:
        read(path)
    assert caught.value.remedy


def test_corrections_elsewhere_are_refused(tmp_path):
    path = write_layer(tmp_path / "c.gpkg", [square(100, 200, 110, 220)], to=texts("Road"))
    with pytest.raises(GeoreferenceError, match="columns 100 to 110 and rows 200 to 220 of 20×20 px") as caught:
        read(path)
    assert "CRS" in caught.value.remedy


def test_files_that_cannot_be_read(tmp_path):
    empty = write_layer(tmp_path / "empty.gpkg", [], geometry_type="Polygon", to=texts())
    with pytest.raises(RasterOpenError, match="no features"):
        read(empty)
    with pytest.raises(RasterOpenError):
        read(tmp_path / "missing.gpkg")
    (tmp_path / "broken.gpkg").write_bytes(b"no database")
    with pytest.raises(RasterOpenError, match=r"broken\.gpkg"):
        read(tmp_path / "broken.gpkg")


def test_a_read_only_layer_is_read(tmp_path):
    folder = tmp_path / "locked"
    path = write_layer(folder / "c.gpkg", [square(0, 0, 2, 2)], to=texts("Road"))
    os.chmod(path, 0o444)
    os.chmod(folder, 0o555)
    try:
        assert (corrected(path)[0] == ROAD).sum() == 4
        assert os.listdir(folder) == ["c.gpkg"]
    finally:
        os.chmod(folder, 0o755)


def test_a_layer_that_another_program_writes_is_read_as_it_was_saved(tmp_path):
    path = write_layer(tmp_path / "c.gpkg", [square(0, 0, 2, 2)], to=texts("Road"))
    connection = sqlite3.connect(path)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("UPDATE gpkg_contents SET description = 'unsaved'")
        assert (corrected(path)[0] == ROAD).sum() == 4
    finally:
        connection.close()
