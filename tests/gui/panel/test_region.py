"""Regions of a classified raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from qgis.core import QgsRasterLayer

from dubai_landcover_plugin.gui.panel import region
from dubai_landcover_plugin.gui.panel.region import region_at
from dubai_landcover_plugin.protocol.errors import RequestError
from tests.processing.qgis_fixtures import write_class_map

pytestmark = pytest.mark.qgis


@pytest.fixture
def raster(tmp_path: Path, qgis_app: object) -> str:
    """Land, a house with a courtyard, another one that touches it at a corner, a long road; the top has no data."""
    ids = np.full((600, 900), 2, np.uint8)
    ids[20:40, 30:60] = 4
    ids[25:30, 40:50] = 2
    ids[40:50, 60:70] = 4
    ids[500:504] = 3
    ids[:5] = 0
    return write_class_map(tmp_path / "map.tif", ids)


def place(col: float, row: float) -> tuple[float, float]:
    return 300_000 + col, 2_780_000 - row


def test_pixels_that_share_edges_are_a_region(raster: str):
    value, polygon, is_cut = region_at(raster, *place(31.5, 21.5))
    assert (value, is_cut) == (4, False)
    assert polygon.area() == 20 * 30 - 5 * 10
    assert polygon.boundingBox().xMinimum() == 300_030
    assert polygon.boundingBox().yMaximum() == 2_780_000 - 20
    value, polygon, is_cut = region_at(raster, *place(45.5, 27.5))
    assert (value, polygon.area(), is_cut) == (2, 50, False)


def test_the_window_grows_with_the_region(raster: str, monkeypatch: pytest.MonkeyPatch):
    value, polygon, is_cut = region_at(raster, *place(450.5, 501.5))
    assert (value, polygon.area(), is_cut) == (3, 900 * 4, False)
    monkeypatch.setattr(region, "_LARGEST", 256)
    value, polygon, is_cut = region_at(raster, *place(450.5, 501.5))
    assert (value, polygon.area(), is_cut) == (3, 256 * 4, True)


@pytest.mark.parametrize(
    ("where", "message"), [((-1, 10), "outside of the raster"), ((10, 601), "outside"), ((10.5, 2.5), "no data")]
)
def test_places_without_a_region(raster: str, where: tuple[float, float], message: str):
    with pytest.raises(RequestError, match=message):
        region_at(raster, *place(*where))


def test_without_georeference_rows_are_counted_downwards(tmp_path: Path, qgis_app: object):
    ids = np.full((40, 60), 2, np.uint8)
    ids[10:20, 30:50] = 4
    path = write_class_map(tmp_path / "plain.tif", ids, epsg=None)
    extent = QgsRasterLayer(path, "plain").extent()
    value, polygon, _ = region_at(path, 31.5, -11.5)
    assert (value, polygon.area()) == (4, 200)
    assert extent.contains(polygon.boundingBox())


def test_a_file_that_cannot_be_read(tmp_path: Path, qgis_app: object):
    (tmp_path / "broken.tif").write_text("text")
    with pytest.raises(RequestError, match="cannot be read"):
        region_at(str(tmp_path / "broken.tif"), 0, 0)
