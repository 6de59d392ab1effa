from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import write_polygons, write_raster
from training.errors import DatasetError
from training.inspection.features import check_features

X, Y = 300000.0, 2800000.0


def box(col: float, row: float, side: float = 10) -> shapely.Polygon:
    return shapely.box(X + col, Y - row - side, X + col + side, Y - row)


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "town.tif", np.zeros((100, 100, 3), np.uint8))


def test_features_are_named_by_id(raster: Path, tmp_path: Path) -> None:
    bow = shapely.Polygon([(X, Y), (X + 9, Y - 9), (X + 9, Y), (X, Y - 9)])
    shapes = [box(0, 20), box(5, 25), box(40, 40), box(500, 0), bow, box(60, 60), shapely.Point(X + 1, Y - 1)]
    names = ["Road", "Water", "Watr", "Land", "Land", None, "Land"]
    layer = write_polygons(tmp_path / "labels.gpkg", shapes, names)
    found = check_features(layer, DUBAI, [raster])
    assert found.polygons == 4
    (error,) = found.errors
    assert error.startswith("labels.gpkg, feature 3: 'Watr' in 'class' is not a class; the classes are Water, Land")
    texts = "\n".join(found.problems)
    assert "Only 4 labels" in texts
    assert "feature 7: not polygons" in texts
    assert "feature 6: without a class" in texts
    assert "feature 5: they intersect themselves" in texts
    assert "feature 4: outside of all rasters" in texts
    assert "features 1, 2: overlap a polygon of another class" in texts


def test_labels_that_miss_all_rasters_are_an_error(raster: Path, tmp_path: Path) -> None:
    layer = write_polygons(tmp_path / "labels.gpkg", [box(500, 0)], ["Road"])
    assert "No label of labels.gpkg lies on a raster" in check_features(layer, DUBAI, [raster]).errors[0]


def test_a_layer_without_a_place_and_one_without_classes(raster: Path, tmp_path: Path) -> None:
    layer = write_polygons(tmp_path / "bare.geojson", [box(0, 0)], ["Road"], crs="EPSG:32640")
    with pytest.raises(DatasetError, match="has no field 'use'"):
        check_features(layer, DUBAI, [raster], field="use")
    empty = write_polygons(tmp_path / "none.gpkg", [box(0, 0)], [None])
    assert "has no polygon with a class" in check_features(empty, DUBAI, [raster]).errors[0]
