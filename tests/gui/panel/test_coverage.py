"""Classes under an area."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal
from qgis.core import QgsGeometry, QgsRectangle

from dubai_landcover_plugin.gui.panel import coverage
from dubai_landcover_plugin.gui.panel.coverage import classes_under, part_of_class
from dubai_landcover_plugin.protocol.errors import RequestError
from tests.processing.qgis_fixtures import write_class_map

pytestmark = pytest.mark.qgis
X, Y = 300_000, 2_780_000


def area(left: float, top: float, right: float, bottom: float) -> QgsGeometry:
    """A rectangle in pixels of the raster."""
    return QgsGeometry.fromRect(QgsRectangle(X + left, Y - bottom, X + right, Y - top))


def under(path: str, shape: QgsGeometry) -> set[int]:
    return classes_under(path, shape, lambda found: False)


@pytest.fixture
def raster(tmp_path: Path, qgis_app: object) -> str:
    """Land, a house, a road in the last rows, nothing on the left."""
    ids = np.full((40, 60), 2, np.uint8)
    ids[10:20, 20:30] = 4
    ids[35:] = 3
    ids[:, :5] = 0
    return write_class_map(tmp_path / "map.tif", ids)


def test_pixels_with_their_centre_inside_count(raster: str):
    assert under(raster, area(20, 10, 30, 20)) == {4}
    assert under(raster, area(19.4, 10, 30, 20)) == {2, 4}
    assert under(raster, area(19.6, 10, 30, 20)) == {4}
    assert under(raster, area(20.6, 10.6, 20.9, 10.9)) == set()
    assert under(raster, area(0, 0, 5, 40)) == {0}
    assert under(raster, area(-20, -20, 100, 100)) == {0, 2, 3, 4}
    assert under(raster, area(70, 0, 80, 10)) == set()


def test_the_search_stops_when_enough_is_found(raster: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(coverage, "_STRIP_PX", 60 * 5)
    whole = area(0, 0, 60, 40)
    assert under(raster, whole) == {0, 2, 3, 4}
    assert classes_under(raster, whole, lambda found: 2 in found) == {0, 2}
    monkeypatch.setattr(coverage, "_MOST_PX", 60 * 12)
    assert under(raster, whole) == {0, 2, 4}


def test_the_raster_s_own_value_for_no_data(raster: str):
    dataset = gdal.Open(raster, gdal.GA_Update)
    dataset.GetRasterBand(1).SetNoDataValue(3)
    del dataset
    assert under(raster, area(10, 36, 20, 39)) == {0}


@pytest.mark.parametrize("strip", [2**20, 60 * 3])
def test_the_part_of_a_class(raster: str, monkeypatch: pytest.MonkeyPatch, strip: int):
    monkeypatch.setattr(coverage, "_STRIP_PX", strip)
    part = part_of_class(raster, area(15, 5, 25.4, 15), 4)
    assert part.isGeosEqual(area(20, 10, 25, 15))
    assert part_of_class(raster, area(30, 0, 40, 9), 4).isEmpty()


def test_a_file_that_cannot_be_read(tmp_path: Path, qgis_app: object):
    (tmp_path / "broken.tif").write_text("text")
    for action in (lambda path: under(path, area(0, 0, 1, 1)), lambda path: part_of_class(path, area(0, 0, 1, 1), 2)):
        with pytest.raises(RequestError, match="cannot be read"):
            action(str(tmp_path / "broken.tif"))
