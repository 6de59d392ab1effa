"""Runs within polygons: the classes of the whole raster inside, no data outside, and less to compute."""

from __future__ import annotations

import json

import numpy as np
import pyogrio.raw
import pytest
import rasterio
import rasterio.features
import rasterio.warp
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import TileGrid, Window
from dubai_landcover_plugin.core.grid.work_grid import WorkGrid
from dubai_landcover_plugin.core.io.areas import Area, Areas, polygon_edges
from dubai_landcover_plugin.core.segmentation import window_reader
from dubai_landcover_plugin.core.segmentation.area_of_interest import AreaOfInterest
from dubai_landcover_plugin.core.segmentation.journal import Journal
from dubai_landcover_plugin.protocol.errors import (
    GeoreferenceError,
    RasterReadError,
    RequestError,
    RunCancelled,
)
from tests.core.segmentation.cases import GROUND_SAMPLES, SAND, Listener, run
from tests.factories import ONE_METRE, UTM40, random_pixels, stub_bundle, write_layer, write_raster

BLOB = shapely.Point(300_030, 2_779_950).buffer(14)
BOW_TIE = shapely.Polygon([(300_000, 2_779_900), (300_050, 2_779_950), (300_050, 2_779_900), (300_000, 2_779_950)])
CORNER = shapely.box(300_055, 2_779_855, 300_200, 2_779_862)
OPTIONS = {"window": 32, "overlap": 8}


def inside(*shapes, height=150, width=70) -> np.ndarray:
    return rasterio.features.rasterize([*shapes], (height, width), transform=ONE_METRE).astype(bool)


@pytest.fixture
def source(tmp_path):
    return write_raster(tmp_path / "input.tif", random_pixels(150, 70), nodata=0)


def polygons(folder, *shapes, name="area.gpkg", **profile) -> str:
    return write_layer(folder / name, [*shapes], **profile)


@pytest.mark.parametrize("gsd", [None, 2.0, 0.6])
def test_inside_is_the_whole_run_and_outside_no_data(source, tmp_path, gsd):
    confidence = str(tmp_path / "confidence.tif")
    asked = {**OPTIONS, "gsd": gsd, "confidence": confidence}
    whole, wanted = run(source, stub_bundle(3), **asked)
    percent = rasterio.open(confidence).read(1)
    listener = Listener()
    part, result = run(source, stub_bundle(3), listener, within=polygons(tmp_path, BLOB, CORNER), **asked)
    mask = inside(BLOB, CORNER)
    assert (part == np.where(mask, whole, 0)).all()
    assert (rasterio.open(confidence).read(1) == np.where(mask, percent, 255)).all()
    assert result.valid_pixels == (part > 0).sum() == sum(result.pixels.values()) > 0
    assert sum(result.area_m2.values()) == pytest.approx(result.valid_pixels)
    assert 0 < result.windows < wanted.windows
    assert any(text.startswith("Area of interest: 2 polygons of") for _, text in listener.lines)


def test_windows_outside_are_not_read(source, tmp_path, monkeypatch):
    read = []
    original = window_reader.read_window

    def spy(plan, raster, window, mean):
        read.append(window)
        return original(plan, raster, window, mean)

    monkeypatch.setattr(window_reader, "read_window", spy)
    _, result = run(source, stub_bundle(), within=polygons(tmp_path, CORNER), **OPTIONS)
    assert len(read) == result.windows == len(set(read)) > 0
    assert all(window.rows.stop > 138 and window.cols.stop > 55 for window in read)


def test_any_crs_and_format(source, tmp_path):
    here, _ = run(source, stub_bundle(), within=polygons(tmp_path, BLOB), **OPTIONS)
    x, y = rasterio.warp.transform(UTM40, "EPSG:4326", *np.array(BLOB.exterior.coords).T)
    degrees = polygons(tmp_path, shapely.Polygon(zip(x, y)), name="area.geojson", crs="EPSG:4326")
    there, result = run(source, stub_bundle(), within=degrees, **OPTIONS)
    assert (here != there).sum() <= 4  # GeoJSON rounds coordinates
    assert result.warnings == ()


def test_holes_parts_and_overlaps(source, tmp_path):
    ring = BLOB.difference(BLOB.buffer(-6))
    several = shapely.MultiPolygon([*(CORNER, shapely.box(300_000, 2_779_990, 300_005, 2_779_999))])
    half = shapely.box(300_020, 2_779_940, 300_060, 2_779_970)
    whole, _ = run(source, stub_bundle(), **OPTIONS)
    part, _ = run(source, stub_bundle(), within=polygons(tmp_path, ring, several, half), **OPTIONS)
    assert (part == np.where(inside(ring, several, half), whole, 0)).all()


def test_an_extent_cuts_the_area(source, tmp_path):
    extent = (300_020, 2_779_940, 300_060, 2_779_990)
    whole, _ = run(source, stub_bundle(), extent=extent, **OPTIONS)
    part, _ = run(source, stub_bundle(), extent=extent, within=polygons(tmp_path, BLOB), **OPTIONS)
    assert (part == np.where(inside(BLOB)[10:60, 20:60], whole, 0)).all()


@pytest.mark.parametrize(
    ("shapes", "error", "message"),
    [
        ([shapely.box(0, 0, 10, 10)], GeoreferenceError, "None of the 1 polygons is on the raster"),
        ([shapely.Point(300_010, 2_779_990)], RequestError, "has no polygons"),
        (
            [BOW_TIE],
            RequestError,
            "1 of 1 polygons are not valid; feature 1: Self-intersection",
        ),
        ([shapely.box(300_010.6, 2_779_900, 300_010.9, 2_779_950)], GeoreferenceError, "No pixel of the raster"),
    ],
)  # fmt: skip
def test_areas_that_cannot_be_used(source, tmp_path, shapes, error, message):
    with pytest.raises(error, match=message):
        run(source, stub_bundle(), within=polygons(tmp_path, *shapes), **OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["area.gpkg", "input.tif"]


def test_an_area_without_crs_is_told(source, tmp_path):
    _, result = run(source, stub_bundle(), within=polygons(tmp_path, BLOB, crs=None, name="a.shp"), **OPTIONS)
    assert "The polygons have no CRS: the CRS of the raster was assumed." in result.warnings


def test_the_record_and_the_report_name_the_area(source, tmp_path):
    report = str(tmp_path / "report.html")
    area = polygons(tmp_path, BLOB, CORNER)
    _, result = run(source, stub_bundle(), within=area, report=report, polygons=str(tmp_path / "p.gpkg"), **OPTIONS)
    record = json.loads((tmp_path / "classes.run.json").read_text())
    assert record["request"]["within"] == area
    assert record["result"]["area_polygons"] == 2
    assert record["result"]["area_hash"] == result.area_hash
    assert "Only within the polygons (2) of" in (tmp_path / "report.html").read_text()
    again = polygons(tmp_path, CORNER, BLOB, name="copy.gpkg")
    assert run(source, stub_bundle(), within=again, **OPTIONS)[1].area_hash == result.area_hash
    other = polygons(tmp_path, CORNER, name="other.gpkg")
    assert run(source, stub_bundle(), within=other, **OPTIONS)[1].area_hash != result.area_hash


def test_the_polygons_of_a_run_stay_inside(source, tmp_path):
    layer = tmp_path / "p.gpkg"
    _, result = run(source, stub_bundle(), within=polygons(tmp_path, BLOB), polygons=str(layer), min_area=0, simplify=0,
                    **OPTIONS)  # fmt: skip
    shapes = shapely.from_wkb(pyogrio.raw.read(str(layer), layer="p")[2])
    assert shapely.area(shapes).sum() == pytest.approx(result.valid_pixels)


class TestResuming:
    @pytest.fixture(autouse=True)
    def save_every_band(self, monkeypatch):
        monkeypatch.setattr(Journal, "is_due", lambda self: True)

    @pytest.mark.parametrize("same", [True, False])
    def test_the_area_is_part_of_the_identity(self, source, tmp_path, same):
        area = polygons(tmp_path, BLOB, CORNER)
        with pytest.raises(RunCancelled):
            run(source, stub_bundle(3), Listener(4), within=area, batch=1, keep=True, **OPTIONS)
        again = polygons(tmp_path, CORNER, *([BLOB] if same else []), name="again.gpkg")
        listener = Listener()
        part, _ = run(source, stub_bundle(3), listener, within=again, batch=1, **OPTIONS)
        assert any("Resuming an interrupted run" in text for _, text in listener.lines) == same
        whole, _ = run(source, stub_bundle(3), **OPTIONS)
        assert (part == np.where(inside(CORNER, *([BLOB] if same else [])), whole, 0)).all()

    def test_an_area_that_changes_during_the_run_is_refused(self, source, tmp_path):
        area = polygons(tmp_path, BLOB, name="area.geojson")

        class Changing(Listener):
            def report(self, done, total, text=""):
                super().report(done, total, text)
                polygons(tmp_path, CORNER, name="area.geojson")

        with pytest.raises(RasterReadError, match=r"area.geojson was changed or replaced"):
            run(source, stub_bundle(), Changing(), within=area, **OPTIONS)
        assert not (tmp_path / "classes.tif").exists()


def test_novelty_is_that_of_the_area(tmp_path):
    """Half of the raster is like the training images; the area is in the other half."""
    usual = SAND[0]
    other = np.clip(255 - usual.astype(int) * np.array([1, 0, 1])[:, None, None], 0, 255).astype(np.uint8)
    path = write_raster(tmp_path / "input.tif", np.concatenate([usual, other], axis=2))
    bundle = stub_bundle(ground=GROUND_SAMPLES)
    novelty = str(tmp_path / "novelty.tif")
    _, whole = run(path, bundle, window=64, overlap=0)
    strange = polygons(tmp_path, shapely.box(300_300, 2_779_760, 300_500, 2_779_990))
    classes, part = run(path, bundle, window=64, overlap=0, within=strange, novelty=novelty)
    assert part.novelty > whole.novelty
    assert part.unlike_ground == 100
    values = rasterio.open(novelty).read(1)
    assert ((values == 255) == (classes == 0)).all(), "cells at the border of the area have their value"


@settings(deadline=None, max_examples=25)
@given(
    size=st.tuples(st.integers(20, 60), st.integers(20, 60)),
    scale=st.sampled_from([1.0, 0.5, 0.8, 1.7, 2.5]),
    shape=st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(2, 20)),
)
def test_every_window_that_inside_pixels_depend_on_is_needed(size, scale, shape):
    height, width = size
    rows, cols = max(round(height / scale), 1), max(round(width / scale), 1)
    work = WorkGrid(rows, cols, (height / rows, width / cols)) if scale != 1 else WorkGrid(height, width)
    tiles = TileGrid(work.height, work.width, min(16, rows, cols), min(4, rows - 1, cols - 1) // 2)
    polygon = shapely.Point(shape[0], shape[1]).buffer(shape[2])
    grid = Grid(height, width, ONE_METRE, CRS.from_string(UTM40))
    areas = Areas([Area(polygon_edges(polygon), polygon.bounds)])
    if not areas.touch(Window(0, 0, height, width)):
        with pytest.raises(GeoreferenceError, match="No pixel"):
            AreaOfInterest(areas, grid, work, tiles)
        return
    area = AreaOfInterest(areas, grid, work, tiles)
    assert area.windows == sum(area.needs(window) for window in tiles)
    down, across = work.scale
    for row, col in np.argwhere(areas.mask(Window(0, 0, height, width))):
        at_row, at_col = (row + 0.5) / down - 0.5, (col + 0.5) / across - 0.5
        for window in tiles:
            near_row = window.row - 1 < at_row < window.rows.stop
            if near_row and window.col - 1 < at_col < window.cols.stop:
                assert area.needs(window)
    bounds = area.bounds()
    found = np.argwhere(area.work_mask(Window(0, 0, work.height, work.width)))
    assert (found >= (bounds.row, bounds.col)).all()
    assert (found < (bounds.rows.stop, bounds.cols.stop)).all()
