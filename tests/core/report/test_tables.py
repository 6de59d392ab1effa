"""The long table, and the columns of the layer of zones."""

import csv
import io

import numpy as np
import pyarrow.parquet
import pyogrio
import pytest
import shapely
from rasterio.crs import CRS

from dubai_landcover_plugin.core.report.provenance import Provenance
from dubai_landcover_plugin.core.report.statistics import (
    THRESHOLDS,
    AreaStatistics,
    ClassStatistics,
    ErrorEstimate,
    WrongArea,
)
from dubai_landcover_plugin.core.report.tables import csv_text, write_zones_layer
from dubai_landcover_plugin.core.report.zones import Zone, Zones
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from tests.factories import read_layer

SQUARE = shapely.box(300_000, 2_700_000, 300_010, 2_700_010)
ERROR = ErrorEstimate(81.256, tuple(range(len(THRESHOLDS))), WrongArea(12.5, 3.25, 21))


def provenance(crs="EPSG:32640", confidence="c.tif", scheme=DUBAI):
    return Provenance(
        "T", "m.tif", (9, 9), 1.0, crs, "", "", "", "today", confidence, "z.gpkg", "name", scheme, ()
    )  # fmt: skip


def statistics(number=1, name="A", land=75.0, scheme=DUBAI, error=ERROR):
    """An area of 100 m² of Land and the rest Building."""
    areas = dict.fromkeys((entry.id for entry in scheme.entries), 0.0) | {2: land, 4: 100 - land}
    classes = tuple(
        ClassStatistics(entry, int(area), area, area / 100, error if entry.id == 2 else None)
        for entry, area in ((entry, areas[entry.id]) for entry in scheme.entries)
    )
    return AreaStatistics(number, name, classes, 100, 100.0, 0.5, 0)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_for_each_class_of_each_zone():
    table = rows(csv_text([statistics(0, "whole"), statistics(1, "A, B")], provenance()))
    assert [(row["zone_id"], row["class"]) for row in table[:2]] == [("0", "Water"), ("0", "Land")]
    assert len(table) == 12
    assert table[6]["zone"] == "A, B"
    land = table[1]
    assert (land["pixels"], land["area_m2"], land["share"]) == ("75", "75.000", "0.750000")
    assert land["zone_coverage"] == "0.5000"
    assert (land["mean_confidence"], land["wrong_m2"], land["wrong_high_m2"]) == ("81.26", "12.500", "21.000")
    assert table[0]["mean_confidence"] == table[0]["wrong_m2"] == ""


def test_names_that_look_like_formulas_are_texts():
    assert rows(csv_text([statistics(1, "=cmd|'x'!A1")], provenance()))[0]["zone"] == "'=cmd|'x'!A1"


def test_without_confidence_there_are_no_columns_of_errors_and_without_a_crs_pixels():
    heads = csv_text([statistics()], provenance(crs=None, confidence=None)).splitlines()[0].split(",")
    assert heads[-3:] == ["area_px", "share", "remark"]


def layer(tmp_path, suffix, areas, **changes):
    own = provenance(**changes)
    zones = [Zone(area.number, area.name, SQUARE, SQUARE, 1.0) for area in areas]
    path = tmp_path / f"zones{suffix}"
    write_zones_layer(str(path), Zones("z.gpkg", tuple(zones), CRS.from_epsg(32640), ()), areas, own)
    return path


def test_the_layer_has_area_and_percent_of_each_class(tmp_path):
    geometries, fields = read_layer(layer(tmp_path, ".gpkg", [statistics(), statistics(2, "B", land=20.0)]))
    assert [shape.geom_type for shape in geometries] == ["MultiPolygon"] * 2
    assert shapely.area(geometries).tolist() == [100, 100]
    assert fields["land_m2"].tolist() == [75, 20]
    assert fields["building_pct"].tolist() == [25, 80]
    assert fields["class"].tolist() == ["Land", "Building"]
    assert fields["class_id"].tolist() == [2, 4]
    assert fields["coverage"].tolist() == [50, 50]
    assert fields["wrong_pct"][0] == pytest.approx(100 * 12.5 / 75)


def test_all_geometries_are_multipolygons_in_formats_that_do_not_convert_them(tmp_path):
    table = pyarrow.parquet.read_table(layer(tmp_path, ".parquet", [statistics()]))
    assert shapely.from_wkb(table["geometry"][0].as_py()).geom_type == "MultiPolygon"


def test_a_zone_without_pixels_has_no_class_and_no_shares(tmp_path):
    classes = tuple(ClassStatistics(entry, 0, 0.0, 0.0, None) for entry in DUBAI.entries)
    _, fields = read_layer(layer(tmp_path, ".gpkg", [AreaStatistics(1, "E", classes, 0, 0.0, 0.0, 0)]))
    assert (fields["class_id"][0], fields["class"][0]) == (0, "")
    assert np.isnan(fields["land_pct"][0])
    assert np.isnan(fields["mean_conf"][0])


def test_columns_of_shapefiles_have_ten_letters(tmp_path):
    path = layer(tmp_path, ".shp", [statistics()])
    names = pyogrio.read_info(path)["fields"].tolist()
    assert "buildi_pct" in names
    assert max(map(len, names)) <= 10


@pytest.mark.parametrize(
    "names",
    [("Road", "Road!", "Land", "Unlabeled"), ("Zone", "Land", "Wet", "Unlabeled"), ("?", "Land", "Wet", "Unlabeled")],
    ids=["alike", "reserved", "no letters"],
)
def test_names_that_give_no_columns_are_replaced_by_ids(tmp_path, names):
    numbered = zip((1, 2, 4, 6), names, strict=True)
    *classes, unlabeled = (LandCoverClass(number, name, "#000000") for number, name in numbered)
    scheme = ClassScheme(tuple(classes), unlabeled)
    _, fields = read_layer(layer(tmp_path, ".gpkg", [statistics(scheme=scheme)], scheme=scheme))
    assert fields["c2_m2"].tolist() == [75]
    assert fields["c4_pct"].tolist() == [25]


def test_colours_and_units_are_those_of_the_report():
    assert provenance().unit == "m2"
    assert provenance(crs=None).unit == "px"
    entry = LandCoverClass(4, "other name", "#123456")
    assert provenance().colour(entry) == DUBAI.by_name("Building").colour
