"""Areas of classes."""

import json

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.report import counts as counts_module
from dubai_landcover_plugin.core.report.counts import Blocks
from tests.core.report.cases import NORTH, WEST, box, page, report, table
from tests.factories import write_class_map, write_layer, write_raster


class TestAreas:
    def test_classes_are_counted_and_nodata_is_not(self, tmp_path, town):
        outcome = report(tmp_path, town)
        assert outcome["pixels"] == {
            "Water": 0, "Land": 2180, "Road": 40, "Building": 100, "Vegetation": 0, "Unlabeled": 0,
        }  # fmt: skip
        assert outcome["areas"]["Land"] == 2180
        assert outcome["valid_pixels"] == 2320
        assert outcome["shares"]["Building"] == pytest.approx(100 / 2320, abs=1e-6)
        assert outcome["unit"] == "m2"
        assert outcome["mean_confidence"] is None
        assert outcome["wrong"] == {}
        assert json.dumps(outcome)

    def test_areas_in_degrees_are_those_of_the_ellipsoid_row_by_row(self, tmp_path):
        transform = Affine(0.01, 0, 10, 0, -0.01, 60)
        ids = np.ones((1500, 3))
        ids[750:] = 4
        path = write_class_map(tmp_path / "d.tif", ids, crs="EPSG:4326", transform=transform)
        outcome = report(tmp_path, path)
        grid = Grid(1500, 3, transform, CRS.from_epsg(4326))
        rows = [np.prod(grid.pixel_size_m(row + 0.5)) for row in range(1500)]
        assert outcome["areas"]["Water"] == pytest.approx(3 * sum(rows[:750]), rel=1e-6)
        assert outcome["areas"]["Building"] == pytest.approx(3 * sum(rows[750:]), rel=1e-6)

    def test_a_rotated_raster_has_the_size_of_its_pixels(self, tmp_path):
        turned = Affine.translation(WEST, NORTH) @ Affine.rotation(30) @ Affine.scale(2, -3)
        path = write_class_map(tmp_path / "t.tif", np.ones((10, 10)), transform=turned)
        assert report(tmp_path, path)["areas"]["Water"] == pytest.approx(600)
        assert "north is not up" in page(tmp_path).text

    def test_without_a_crs_everything_is_pixels(self, tmp_path):
        path = write_class_map(tmp_path / "p.tif", np.full((4, 5), 4), crs=None, transform=Affine.identity())
        rows = table(tmp_path, path)
        assert rows[0, "Building"]["area_px"] == "20.000"
        assert report(tmp_path, path, overwrite=True)["unit"] == "px"
        assert "m²" not in page(tmp_path).text
        assert "no CRS" in page(tmp_path).text

    @pytest.mark.parametrize("ids", [[[4]], [[0]], [[6, 6]], [[0, 1], [0, 0]]])
    def test_tiny_and_empty_rasters(self, tmp_path, ids):
        path = write_class_map(tmp_path / "s.tif", ids)
        outcome = report(tmp_path, path, csv=str(tmp_path / "r.csv"))
        assert outcome["valid_pixels"] == np.count_nonzero(ids)
        assert sum(outcome["shares"].values()) == pytest.approx(1 if np.any(ids) else 0)
        assert page(tmp_path).links

    @pytest.mark.parametrize("size", [(1, 300), (300, 1), (130, 97)])
    @pytest.mark.parametrize("most", [64, 1000, 1 << 21])
    def test_bands_change_nothing(self, tmp_path, monkeypatch, size, most):
        rng = np.random.default_rng(1)
        ids = rng.integers(0, 7, size)
        path = write_class_map(tmp_path / "b.tif", ids)
        sure = str(write_raster(tmp_path / "c.tif", rng.integers(20, 101, (1, *size), np.uint8), nodata=255))
        zones = write_layer(tmp_path / "z.gpkg", [box(0.3, 0.3, 90, 110), box(0, 0, 1, 1)])
        whole = table(tmp_path, path, confidence=sure, zones=zones)
        monkeypatch.setattr(counts_module, "_STRIP_PIXELS", most)
        assert table(tmp_path, path, confidence=sure, zones=zones) == whole

    def test_bands_hold_whole_rows_of_blocks_or_parts_of_one(self):
        for rows, height, width, most in ((1000, 100, 50, 1 << 21), (1000, 100, 100_000, 1 << 21), (7, 8, 3, 1 << 21)):
            bands = list(Blocks(height, height).strips(rows, width))
            assert [first for first, _, _ in bands] == [0, *(last for _, last, _ in bands)][:-1]
            assert bands[-1][1] == rows
            assert all(last % height == 0 or last == rows for _, last, ends in bands if ends)
            assert max(last - first for first, last, _ in bands) * width <= max(most, width)
