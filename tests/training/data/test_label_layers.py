"""Labels from several vector layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio.warp
import shapely

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from tests.factories import write_layer
from tests.training.data.test_polygons import PIXELS, square
from tests.training.dataset import write_raster
from training.config import DataConfig
from training.data.dataset import NOT_CLASS
from training.data.layouts import Dataset, open_dataset
from training.errors import ConfigError, DatasetError

ROAD, BUILDING = 2, 3
HOUSE, SHED, LAKE = square(10, 10, 20, 20), square(40, 10, 10, 10), square(60, 0, 20, 30)
STREET = shapely.LineString([(300050, 2799999), (300050, 2799910)])
PATH = shapely.LineString([(300070, 2799999), (300070, 2799910)])


def degrees(shape: shapely.Geometry) -> shapely.Geometry:
    def move(points: np.ndarray) -> np.ndarray:
        return np.column_stack(rasterio.warp.transform("EPSG:32640", "EPSG:4326", points[:, 0], points[:, 1]))

    return shapely.transform(shape, move)


def opened(root: Path, *layers: dict, **settings: object) -> Dataset:
    write_raster(root / "images" / "a.tif", PIXELS)
    return open_dataset(DataConfig(layers=layers, **settings), root)


def labels_of(dataset: Dataset) -> np.ndarray:
    (entry,) = dataset.entries
    return entry.load().labels


def drawn(*parts: tuple[slice, slice, int], fill: int = IGNORE) -> np.ndarray:
    labels = np.full((96, 80), fill, np.uint8)
    for rows, cols, label in parts:
        labels[rows, cols] = label
    return labels


def osm(root: Path) -> None:
    """Write an extract of OpenStreetMap: buildings, one of them marked as none, and lines."""
    kinds = np.array(["yes", "no", None], object)
    write_layer(root / "osm.geojson", [degrees(one) for one in (HOUSE, SHED, LAKE)], "EPSG:4326", building=kinds)
    lines = {"highway": np.array(["residential", "path"], object), "width": np.array([None, "4 m"], object)}
    write_layer(root / "lines.gpkg", [degrees(STREET), degrees(PATH)], "EPSG:4326", **lines)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_layers_of_one_class_each(tmp_path: Path, suffix: str) -> None:
    for name, shape in (("houses", HOUSE), ("lakes", LAKE)):
        file = tmp_path / f"{name}{suffix}"
        if suffix == ".geojson":
            write_layer(file, [degrees(shape)], "EPSG:4326", n=np.array([1]))
        else:
            write_layer(file, [shape], n=np.array([1]))
    layers = [{"file": f"houses{suffix}", "label": "building"}, {"file": f"lakes{suffix}", "label": "Water"}]
    wanted = drawn((slice(10, 30), slice(10, 30), BUILDING), (slice(60, 80), slice(0, 30), 0))
    found = labels_of(opened(tmp_path, *layers))
    assert (found != wanted).sum() <= (60 if suffix == ".geojson" else 0)  # GeoJSON rounds coordinates


def test_an_extract_of_openstreetmap(tmp_path: Path) -> None:
    osm(tmp_path)
    dataset = opened(
        tmp_path,
        {"file": "lines.gpkg", "label": "Road", "where": {"highway": "*"}, "widths": {"residential": 10}, "width": 2,
         "width_field": "width"},
        {"file": "osm.geojson", "label": "Building", "where": {"BUILDING": "*"}},
    )  # fmt: skip
    labels = labels_of(dataset)
    assert (labels[5:80, 46:54] == ROAD).all(), "10 m by its value"
    assert (labels[5:80, 69:71] == ROAD).all(), "4 m in its field"
    assert (labels[5:80, 73:] == IGNORE).all()
    assert (labels[5:80, 56:67] == IGNORE).all()
    assert (labels[11:29, 11:29] == BUILDING).all()
    assert not (labels[40:] == BUILDING).any(), "building=no, and no building"
    assert "Labels: 1 of osm.geojson, Building." in dataset.notes


def test_the_ground_between_features_has_a_label_where_the_layers_are_complete(tmp_path: Path) -> None:
    write_layer(tmp_path / "houses.gpkg", [HOUSE, SHED], kind=np.array([4.0, 7.0]))
    write_layer(tmp_path / "done.gpkg", [square(0, 0, 50, 40)], n=np.array([1]))
    layer = {"file": "houses.gpkg", "label": "Building", "where": {"kind": [4, "7"]}}
    dataset = opened(tmp_path, layer, area="done.gpkg", background="not Building")
    complete = slice(0, 50), slice(0, 40), NOT_CLASS + BUILDING
    wanted = drawn(complete, (slice(10, 30), slice(10, 30), BUILDING), (slice(40, 50), slice(10, 20), BUILDING))
    np.testing.assert_array_equal(labels_of(dataset), wanted)
    assert dataset.entries[0].check() == ()
    over = {"file": "done.gpkg", "label": "Land"}
    assert "overlapping polygons" in opened(tmp_path, layer, over).entries[0].check()[0]


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        ({"file": "osm.geojson", "label": "Roof"}, ConfigError, "label of osm.geojson means 'Roof'"),
        ({"file": "osm.geojson", "label": "Road", "where": {"landuse": "*"}}, DatasetError, "no field landuse"),
        ({"file": "osm.geojson", "label": "Road", "where": {"building": "barn"}}, DatasetError,
         "no feature with building = barn; it has no, yes"),
        ({"file": "lines.gpkg", "label": "Road"}, DatasetError, "no polygon, and its lines have no width"),
        ({"file": "missing.gpkg", "label": "Road"}, DatasetError, "missing.gpkg cannot be read"),
        ({"file": "nowhere.shp", "label": "Road"}, DatasetError, "no coordinate reference system"),
        ({"file": "far.gpkg", "label": "Road"}, DatasetError, "No polygon of .*far.gpkg intersects a raster"),
        ({"label": "Road"}, ConfigError, r"\[data.layers\] lacks file"),
        ({"file": "osm.geojson", "label": "Road", "width": -1}, ConfigError, "at least 0, got -1"),
    ],
)  # fmt: skip
def test_layers_that_cannot_be_used(tmp_path: Path, layer: dict, error: type[Exception], message: str) -> None:
    osm(tmp_path)
    write_layer(tmp_path / "nowhere.shp", [HOUSE], None, n=np.array([1]))
    write_layer(tmp_path / "far.gpkg", [shapely.box(0, 0, 9, 9)], n=np.array([1]))
    with pytest.raises(error, match=message):
        opened(tmp_path, layer)


def test_settings_that_do_not_fit_together(tmp_path: Path) -> None:
    layer = {"file": "osm.geojson", "label": "Road"}
    for settings in ({"labels": "a.gpkg"}, {"area": "a.gpkg"}, {"background": "Land"}):
        with pytest.raises(ConfigError):
            opened(tmp_path, layer, **settings)
