"""The sidecar of a raster, as GDAL reads it."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import rasterio

from dubai_landcover_plugin.core.io.attribute_table import entries_xml, legend_xml
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.factories import write_raster


@dataclass
class Code:
    id: int
    name: str
    rgb: tuple[int, int, int] = (1, 2, 3)


def parts(xml):
    root = ElementTree.fromstring(xml)
    categories = [element.text or "" for element in root.iter("Category")]
    rows = [[cell.text or "" for cell in row.iter("F")] for row in root.iter("Row")]
    return categories, rows


def test_each_class_has_a_row_with_colour_and_pixels():
    categories, rows = parts(legend_xml(DUBAI, {4: 12}))
    assert categories == ["No data", "Water", "Land", "Road", "Building", "Vegetation", "Unlabeled"]
    assert rows[3] == ["4", "Building", "60", "16", "152", "12"]
    assert [row[-1] for row in rows] == ["0", "0", "0", "12", "0", "0"]


def test_ids_with_gaps_have_empty_names_between():
    categories, rows = parts(entries_xml([Code(2, "b"), Code(5, "e")], {}))
    assert categories == ["No data", "", "b", "", "", "e"]
    assert [row[0] for row in rows] == ["2", "5"]


def test_large_codes_are_in_the_table_alone():
    assert parts(entries_xml([Code(255, "last")], {}))[0][255] == "last"
    categories, rows = parts(entries_xml([Code(256, "one more")], {256: 3}))
    assert categories == []
    assert rows == [["256", "one more", "1", "2", "3", "3"]]


def test_names_are_escaped():
    assert parts(entries_xml([Code(1, "<a> & b")], {}))[1][0][1] == "<a> & b"


def test_gdal_finds_the_sidecar(tmp_path):
    path = write_raster(tmp_path / "m.tif", np.ones((1, 4, 4), np.uint8))
    (tmp_path / "m.tif.aux.xml").write_text(legend_xml(DUBAI, {1: 16}), encoding="utf-8")
    with rasterio.open(path) as dataset:
        assert [Path(name).name for name in dataset.files] == ["m.tif", "m.tif.aux.xml"]
