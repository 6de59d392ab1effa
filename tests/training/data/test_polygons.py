"""Rasters with labelled polygons."""

from __future__ import annotations

import math
import sqlite3
import time
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.grid.windows import Window
from tests.factories import write_layer
from tests.training.dataset import make_image, write_polygons, write_raster
from training.config import DataConfig, SplitConfig
from training.data.layers import read_layer
from training.data.layouts import Dataset, open_dataset
from training.data.places import folds_of, place_names
from training.data.polygons import LabelledRaster, _edges
from training.data.splits import choose
from training.errors import ConfigError, DatasetError

EAST, NORTH = 300000.0, 2800000.0
PIXELS = make_image(5).pixels  # (96, 80, 3)


def square(row: float, col: float, height: float, width: float) -> shapely.Polygon:
    """Return a rectangle over pixels of a raster whose corner is at EAST, NORTH and whose pixels are 1 m wide."""
    return shapely.box(EAST + col, NORTH - row - height, EAST + col + width, NORTH - row)


ROAD, LAKE = square(10, 20, 5, 40), square(50, 0, 20, 30)


def write(root: Path, geometries: list[shapely.Geometry], classes: list[object], **options: object) -> Path:
    write_raster(root / "images" / "a.tif", PIXELS)
    write_polygons(root / "labels.gpkg", geometries, classes, **options)
    return root


def opened(root: Path, **settings: object) -> Dataset:
    return open_dataset(DataConfig(**settings), root)


def labels_of(root: Path, **settings: object) -> np.ndarray:
    (entry,) = opened(root, **settings).entries
    return entry.load().labels


def wanted() -> np.ndarray:
    labels = np.full((96, 80), IGNORE, np.uint8)
    labels[10:15, 20:60] = 2
    labels[50:70, 0:30] = 0
    return labels


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_polygons_become_labels_and_the_rest_is_ignored(tmp_path: Path, suffix: str) -> None:
    write_raster(tmp_path / "images" / "a.tif", PIXELS)
    write_polygons(tmp_path / f"labels{suffix}", [ROAD, LAKE], ["Road", "water"])
    dataset = opened(tmp_path)
    image = dataset.entries[0].load()
    np.testing.assert_array_equal(image.labels, wanted())
    np.testing.assert_array_equal(image.pixels, PIXELS)
    assert any("The pixel size is" in note for note in dataset.notes)


def test_corrections_are_labels_of_the_class_that_they_set(tmp_path: Path) -> None:
    write_raster(tmp_path / "images" / "a.tif", PIXELS)
    corrections = {
        "from": np.array(["", None, "Land"], object),
        "to": np.array(["Road", "Water", "Building"], object),
    }
    write_layer(tmp_path / "labels.gpkg", [ROAD, LAKE, ROAD], "EPSG:32640", **corrections)
    dataset = opened(tmp_path)
    np.testing.assert_array_equal(dataset.entries[0].load().labels, wanted())
    assert any("1 corrections of one class only (field 'from') are not used" in note for note in dataset.notes)
    (tmp_path / "labels.gpkg").unlink()
    limited = {name: values[2:] for name, values in corrections.items()}
    write_layer(tmp_path / "labels.gpkg", [ROAD], "EPSG:32640", **limited)
    with pytest.raises(DatasetError, match="all corrections are limited to one class"):
        opened(tmp_path)


def test_polygons_in_another_crs_are_moved(tmp_path: Path) -> None:
    degrees = [
        shapely.transform(
            shape, lambda points: np.column_stack(rasterio.warp.transform("EPSG:32640", "EPSG:4326", *points.T))
        )
        for shape in (ROAD, LAKE)
    ]
    far, nowhere = shapely.box(-120, 40, -119, 41), shapely.box(10, 80, 20, 95)
    write(tmp_path, [far, nowhere, *degrees], ["Land", "Land", "Road", "Water"], crs="EPSG:4326")
    assert (labels_of(tmp_path) != wanted()).mean() < 0.002  # a pixel here and there, whose centre lies on a border


@pytest.mark.parametrize(
    "transform",
    [
        Affine.translation(EAST, NORTH) @ Affine.rotation(30) @ Affine.scale(0.5, -0.5),
        Affine.translation(EAST, NORTH) @ Affine.scale(2, 2),
    ],
    ids=["turned", "south-up"],
)
def test_rasters_may_be_turned_or_south_up(tmp_path: Path, transform: Affine) -> None:
    write_raster(tmp_path / "images" / "a.tif", PIXELS, transform=transform)
    corners = [(30, 20), (60, 20), (60, 50), (30, 50)]  # column, row
    shape = shapely.Polygon([transform @ corner for corner in corners])
    write_polygons(tmp_path / "labels.gpkg", [shape], ["Building"])
    labels = np.full((96, 80), IGNORE, np.uint8)
    labels[20:50, 30:60] = 3
    np.testing.assert_array_equal(labels_of(tmp_path), labels)


def test_the_later_feature_counts_and_overlaps_are_reported(tmp_path: Path) -> None:
    write(tmp_path, [square(0, 0, 40, 40), square(20, 20, 40, 40)], ["Land", "Road"])
    (entry,) = opened(tmp_path).entries
    labels = entry.load().labels
    assert (labels[30, 30], labels[10, 10], labels[50, 50]) == (2, 1, 2)
    assert entry.check() == ("400 px are in overlapping polygons of different classes; the later feature counts.",)
    agreeing = write(tmp_path / "one", [square(0, 0, 40, 40), square(20, 20, 40, 40)], ["Land", "Land"])
    assert opened(agreeing).entries[0].check() == ()


@pytest.mark.parametrize(
    ("field", "values"),
    [("class_id", [3, 1]), ("NAME", ["Road", "Water"]), ("class", ["3", "1.0"]), ("class", [3.0, 1.0])],
)
def test_classes_are_names_or_ids(tmp_path: Path, field: str, values: list[object]) -> None:
    write(tmp_path, [ROAD, LAKE], values, field=field)
    np.testing.assert_array_equal(labels_of(tmp_path), wanted())


def test_the_field_can_be_named(tmp_path: Path) -> None:
    write(tmp_path, [ROAD, LAKE], ["Road", "Water"], field="use")
    with pytest.raises(DatasetError, match=r"no field 'class, class_id, name, to'; its fields: use") as caught:
        opened(tmp_path)
    assert "data.field" in caught.value.hint
    np.testing.assert_array_equal(labels_of(tmp_path, field="use"), wanted())


def test_polygons_without_a_class_are_unlabelled(tmp_path: Path) -> None:
    write(tmp_path, [ROAD, LAKE, LAKE, LAKE], ["Road", "Water", None, "Unlabeled"])
    dataset = opened(tmp_path)
    labels = dataset.entries[0].load().labels
    assert set(np.unique(labels)) == {2, IGNORE}
    assert any("1 polygons have no class" in note for note in dataset.notes)


def test_an_unknown_class_is_reported_with_all_its_spellings(tmp_path: Path) -> None:
    write(tmp_path, [ROAD, LAKE, LAKE], ["Road", "Lake", "Pond"])
    with pytest.raises(DatasetError, match=r"labels\.gpkg, field 'class': 'Lake', 'Pond' are not classes") as caught:
        opened(tmp_path)
    assert "1 Water" in caught.value.remedy


def test_pixels_without_data_are_ignored(tmp_path: Path) -> None:
    pixels = PIXELS.copy()
    pixels[50:60] = 0
    write_raster(tmp_path / "images" / "a.tif", pixels, nodata=0)
    write_polygons(tmp_path / "labels.gpkg", [LAKE], ["Water"])
    labels = labels_of(tmp_path)
    assert (labels[50:60] == IGNORE).all()
    assert (labels[60:70, :30] == 0).all()


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    root = write(tmp_path / "new", [ROAD, LAKE], ["Road", "Water"]).rename(tmp_path / "a!b;c")
    np.testing.assert_array_equal(labels_of(root), wanted())


@pytest.mark.parametrize("number", [0, -1])
def test_a_layer_with_an_undefined_crs_has_none(tmp_path: Path, number: int) -> None:
    write(tmp_path, [LAKE], ["Water"])
    with closing(sqlite3.connect(tmp_path / "labels.gpkg")) as package, package:
        package.execute("UPDATE gpkg_geometry_columns SET srs_id = ?", (number,))
    with pytest.raises(DatasetError, match=r"labels\.gpkg has no coordinate reference system"):
        opened(tmp_path)


def test_a_layer_without_crs_is_refused(tmp_path: Path) -> None:
    write_raster(tmp_path / "images" / "a.tif", PIXELS)
    write_polygons(tmp_path / "labels.shp", [LAKE], ["Water"], crs=None)
    with pytest.raises(DatasetError, match=r"labels\.shp has no coordinate reference system") as caught:
        opened(tmp_path)
    assert ".prj" in caught.value.remedy


def test_rasters_that_cannot_be_used_are_reported_one_by_one(tmp_path: Path) -> None:
    write(tmp_path, [ROAD, LAKE], ["Road", "Water"])
    write_raster(tmp_path / "images" / "b.tif", PIXELS, crs=None)
    write_raster(tmp_path / "images" / "c.tif", PIXELS[..., :1], photometric="MINISBLACK")
    (tmp_path / "images" / "d.tif").write_bytes(b"II*\0 no TIFF")
    write_raster(tmp_path / "images" / "e.tif", PIXELS, origin=(EAST + 5000, NORTH))
    dataset = opened(tmp_path)
    assert [entry.group for entry in dataset.entries] == ["a", "b", "c", "d"]
    assert dataset.unlabelled == ("e",)
    messages = []
    for entry in dataset.entries[1:]:
        with pytest.raises(DatasetError) as caught:
            entry.load()
        messages.append(caught.value.message)
    assert "b.tif has no coordinate reference system" in messages[0]
    assert "c.tif is not RGB" in messages[1]
    assert "d.tif" in messages[2]


def test_polygons_far_away_are_reported(tmp_path: Path) -> None:
    write(tmp_path, [shapely.box(0, 0, 5, 5)], ["Water"])
    with pytest.raises(
        DatasetError, match=r"No polygon of .*labels\.gpkg intersects a raster: they cover .* a\.tif covers"
    ):
        opened(tmp_path)


def test_layers_that_hold_no_polygons_are_refused(tmp_path: Path) -> None:
    write(tmp_path, [shapely.Point(EAST + 4, NORTH - 4)], ["Water"])
    with pytest.raises(DatasetError, match=r"labels\.gpkg has 1 features but no polygon"):
        opened(tmp_path)
    (tmp_path / "labels.gpkg").write_bytes(b"nonsense")
    with pytest.raises(DatasetError, match=r"labels\.gpkg cannot be read"):
        opened(tmp_path)


def test_one_of_several_layers_is_named(tmp_path: Path) -> None:
    write(tmp_path, [LAKE], ["Water"], layer="first")
    write_polygons(tmp_path / "labels.gpkg", [ROAD], ["Road"], layer="second", append=True)
    with pytest.raises(DatasetError, match=r"2 layers with geometries: first, second") as caught:
        opened(tmp_path)
    assert "data.layer" in caught.value.hint
    assert set(np.unique(labels_of(tmp_path, layer="second"))) == {2, IGNORE}


def test_the_layer_may_lie_elsewhere(tmp_path: Path) -> None:
    write(tmp_path, [ROAD, LAKE], ["Road", "Water"])
    (tmp_path / "labels.gpkg").rename(tmp_path / "own.gpkg")
    (tmp_path / "masks").mkdir()
    np.testing.assert_array_equal(labels_of(tmp_path, labels="own.gpkg"), wanted())


def test_the_quarters_of_a_single_raster_are_its_places(tmp_path: Path) -> None:
    write_raster(tmp_path / "images" / "a.tif", np.tile(PIXELS, (2, 2, 1)))  # 192×160 px
    write_polygons(tmp_path / "labels.gpkg", [square(0, 0, 192, 160)], ["Land"])
    dataset = opened(tmp_path, block=64)
    assert len(dataset.entries) == 9
    assert [entry.window for entry in dataset.entries][4] == Window(64, 53, 64, 54)
    assert {entry.group for entry in dataset.entries} == {
        "a/upper-left", "a/upper-right", "a/lower-left", "a/lower-right"
    }  # fmt: skip
    assert len(folds_of(dataset, SplitConfig())) == 4
    assert set(place_names(dataset).values()) == {"a/lower-left and 3 more"}


def test_rasters_that_overlap_are_one_place(tmp_path: Path) -> None:
    for name, shift in (("2019", 0), ("2021", 10), ("apart", 200), ("beside", 280)):
        write_raster(tmp_path / "images" / f"{name}.tif", PIXELS, origin=(EAST + shift, NORTH))
    write_polygons(tmp_path / "labels.gpkg", [square(0, 0, 90, 400)], ["Land"])
    assert folds_of(opened(tmp_path), SplitConfig()) == (("2019", "2021"), ("apart",), ("beside",))


def test_several_resolutions_are_reported(tmp_path: Path) -> None:
    write(tmp_path, [ROAD], ["Road"])
    write_raster(tmp_path / "images" / "b.tif", PIXELS, size=4.0)
    (note,) = [note for note in opened(tmp_path).notes if "pixel size" in note]
    assert note.startswith("The pixel size is 1 m (a.tif) to 4 m (b.tif)")


@given(length=st.integers(1, 5000), block=st.integers(64, 1024))
def test_blocks_cover_a_raster_once(length: int, block: int) -> None:
    sizes = np.diff(_edges(length, block))
    assert sizes.sum() == length
    assert sizes.max() <= block
    assert sizes.max() - sizes.min() <= 1
    assert len(sizes) == math.ceil(length / block)


def test_blocks_together_give_the_whole_raster(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 90, (12, 4))
    shapes = [square(row, col, 1 + height / 3, 1 + width / 3) for row, col, height, width in corners]
    classes = [["Water", "Land", "Road"][int(value)] for value in rng.integers(0, 3, 12)]
    write(tmp_path, shapes, classes)
    raster = LabelledRaster(
        "a", tmp_path / "images" / "a.tif", read_layer(tmp_path / "labels.gpkg", opened(tmp_path).scheme)
    )
    whole = raster.labels(Window(0, 0, 96, 80))
    parts = np.full_like(whole, IGNORE)
    windows = raster.windows(16)
    for window in windows:
        parts[window.rows, window.cols] = raster.labels(window)
    np.testing.assert_array_equal(parts, whole)
    assert 0 < len(windows) < 30


def test_a_huge_raster_is_never_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "images" / "a.tif"
    path.parent.mkdir()
    place = Affine.translation(EAST, NORTH) @ Affine.scale(1, -1)
    options = {"tiled": True, "sparse_ok": True, "bigtiff": "YES", "photometric": "RGB"}
    with rasterio.open(path, "w", "GTiff", 130_000, 130_000, 3, "EPSG:32640", place, "uint8", **options) as dataset:
        dataset.write(np.full((3, 256, 256), 7, np.uint8), window=rasterio.windows.Window(120_064, 90_112, 256, 256))
    write_polygons(tmp_path / "labels.gpkg", [square(90_200, 120_100, 50, 100)], ["Water"])
    tracemalloc.start()
    started = time.process_time()
    (entry,) = opened(tmp_path).entries
    image = entry.load()
    assert time.process_time() - started < 10
    assert tracemalloc.get_traced_memory()[1] < 64e6
    tracemalloc.stop()
    assert entry.name == "a/r90079c119764"
    assert (image.labels == 0).sum() == 5000
    assert (image.pixels[image.labels == 0] == 7).all()


@pytest.mark.shared
def test_aerial_photographs_of_three_years_are_one_place(tmp_path: Path, shared: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for path in (shared / "rasters").glob("data__m_4709963_*.tif"):
        (images / path.name).symlink_to(path)
    with rasterio.open(next(images.iterdir())) as dataset:
        west, south, east, north = dataset.bounds
        crs = dataset.crs.to_string()
    middle = shapely.box(west, south, east, north).centroid.buffer((east - west) / 8)
    write_polygons(tmp_path / "labels.geojson", [middle], ["Vegetation"], crs=crs)
    dataset = opened(tmp_path)
    assert len(set(place_names(dataset).values())) == 1
    with pytest.raises(ConfigError, match="All images are at one place"):
        choose(dataset, SplitConfig(kind="location"))
    assert sum("bands 1, 2, 3 were taken" in note for note in dataset.notes) == 3
    image = dataset.entries[0].load()
    assert (image.labels == 4).any()
    assert image.pixels.shape[2] == 3
