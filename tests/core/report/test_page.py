"""The page of a report."""

import json

import numpy as np
import rasterio
from affine import Affine

from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from tests.core.report.cases import NORTH, WEST, box, page, report
from tests.factories import write_class_map, write_layer


class TestPage:
    def test_it_needs_nothing_else_and_shows_no_folder(self, tmp_path, town, sure):
        zones = write_layer(
            tmp_path / "z.gpkg", [box(0, 0, 20, 20), box(20, 0, 40, 20)], name=["<b>Marina</b>", "جميرا"]
        )
        report(tmp_path, town, confidence=sure, zones=zones, zone_field="name", title="Land & water", csv=None)
        text = (tmp_path / "r.html").read_text(encoding="utf-8")
        found = page(tmp_path)
        assert found.links
        assert all(link.startswith("data:image/png;base64,") for link in found.links)
        assert "@import" not in text
        assert "url(" not in text
        assert str(tmp_path) not in text
        for words in ("Land & water", "<b>Marina</b>", "جميرا", "Probably", "Method and limits", "sure.tif"):
            assert words in found.text

    def test_a_raster_in_colours_of_the_dataset_is_reported_in_natural_ones_unless_asked(self, tmp_path, town):
        report(tmp_path, town)
        text = (tmp_path / "r.html").read_text(encoding="utf-8")
        assert coloured(DUBAI).classes[0].colour in text
        assert DUBAI.classes[0].colour not in text
        report(tmp_path, town, colours="dataset", overwrite=True)
        assert DUBAI.classes[0].colour in (tmp_path / "r.html").read_text(encoding="utf-8")

    def test_the_picture_is_north_up(self, tmp_path):
        import base64

        ids = np.ones((30, 30))
        ids[:15] = 4
        plain, down = write_class_map(tmp_path / "a.tif", ids), write_class_map(
            tmp_path / "b.tif", ids[::-1], transform=Affine(1, 0, WEST, 0, 1, NORTH - 30)
        )  # fmt: skip
        shown = []
        for path in (plain, down):
            report(tmp_path, path, overwrite=True)
            png = base64.b64decode(page(tmp_path).links[0].partition(",")[2])
            with rasterio.MemoryFile(png) as memory, memory.open() as picture:
                shown.append(picture.read(1))
        assert (shown[0] == shown[1]).all()
        assert shown[0][0, 0] == 4

    def test_corrections_are_listed(self, tmp_path, town):
        report(tmp_path, town)
        assert "Corrections" not in page(tmp_path).text
        edit = {
            "tool": "apply_corrections", "finished": "2026-02-03T04:05:06+00:00", "request": {"input": "/secret/a.tif"},
            "edits": 12, "unused": 1, "changed": 60, "changes": {"Land → Road": 50, "<Old> → Land": 10},
        }  # fmt: skip
        many = {"tool": "recode_classes", "changes": {f"A → {number}": 1 for number in range(9)}, "changed": 9}
        with rasterio.open(town, "r+") as raster:
            raster.update_tags(LANDCOVER_EDITS=json.dumps([edit, many]))
        report(tmp_path, town, overwrite=True)
        text = page(tmp_path).text
        for words in ("Apply Corrections", "2026-02-03 04:05", "Land → Road 50, <Old> → Land 10", "Recode Classes"):
            assert words in text
        assert "A → 5 1, 3 more" in text
        assert "secret" not in text

    def test_a_long_history_is_cut_and_a_damaged_one_left_out(self, tmp_path, town):
        edits = [{"tool": f"tool {number}", "changed": 1, "changes": {"Land → Road": 1}} for number in range(30)]
        with rasterio.open(town, "r+") as raster:
            raster.update_tags(LANDCOVER_EDITS=json.dumps(edits))
        report(tmp_path, town)
        text = page(tmp_path).text
        assert "The last 20 of 30 runs" in text
        assert "tool 29" in text
        assert "tool 9<" not in text
        with rasterio.open(town, "r+") as raster:
            raster.update_tags(LANDCOVER_EDITS='[7, "x"]')
        report(tmp_path, town, overwrite=True)
        assert "Corrections" not in page(tmp_path).text
