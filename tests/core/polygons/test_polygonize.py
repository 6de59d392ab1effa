import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely
from affine import Affine

from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons, polygonize
from dubai_landcover_plugin.core.polygons.polygonizer import Polygonizer, PolygonOptions, Polygons
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, OutputError, RasterOpenError, RunCancelled
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from tests.factories import read_layer, write_class_map, write_confidence, write_raster

CRS = rasterio.crs.CRS.from_epsg(32640)


def make(tmp_path, ids, rows=None, **profile):
    """Return the polygons of a classified raster, all strips together."""
    path = write_class_map(tmp_path / "map.tif", ids, **profile)
    with ClassifiedSource(path) as source:
        polygonizer = Polygonizer(source, PolygonOptions(0, 0), rows=rows)
        found = list(polygonizer)
        made = Polygons(
            *(np.concatenate([getattr(part, name) for part in found]) for name in ("geometries", "class_ids")),
            *(np.concatenate([getattr(part, name) for part in found]) for name in ("areas", "perimeters", "pixels")),
            None,
        )
        assert polygonizer.conservation().polygons.sum() == pytest.approx(made.areas.sum())
    return made


@pytest.fixture
def class_map(tmp_path):
    """A town of two houses (one too small), a road between, sand around, on disk."""
    ids = np.full((40, 50), 2, np.uint8)
    ids[5:15, 5:17] = 4
    ids[20:24] = 3
    ids[30:32, 40:42] = 4
    return write_class_map(tmp_path / "classes.tif", ids)


@pytest.mark.parametrize(
    ("transform", "crs", "area", "perimeter"),
    [
        (Affine(0.5, 0, 10, 0, -0.5, 90), CRS, 25, 20),
        (Affine.translation(10, 20) @ Affine.rotation(33) @ Affine.scale(2), CRS, 400, 80),
        (Affine(1, 0, 10, 0, 1, 90), None, 100, 40),
        (Affine(1e-5, 0, 55, 0, -1e-5, 25), rasterio.crs.CRS.from_epsg(4326), 10 * 1.00904 * 10 * 1.10777, 42.3),
    ],
    ids=["half metre", "rotated", "no CRS", "degrees"],
)
def test_area_and_perimeter_are_those_on_the_ground(tmp_path, transform, crs, area, perimeter):
    ids = np.zeros((20, 20), np.uint8)
    ids[4:14, 4:14] = 4
    polygons = make(tmp_path, ids, transform=transform, crs=crs)
    assert polygons.areas == pytest.approx([area], rel=2e-3)
    assert polygons.perimeters == pytest.approx([perimeter], rel=5e-3)
    if crs is None or not crs.is_geographic:
        assert shapely.area(polygons.geometries) == pytest.approx([area])


@pytest.mark.parametrize("suffix", [".shp", ".gpkg", ".geojson", ".fgb"])
def test_one_file_for_each_class_in_every_format(class_map, tmp_path, suffix):
    request = ClassFilesRequest(str(class_map), str(tmp_path / "vectors"), ("building", "3"), suffix, simplify=0)
    outcome = export_class_polygons(request)
    assert outcome.counts == {"Building": 1, "Road": 1}
    assert outcome.area_m2 == {"Building": 120, "Road": 200}
    meta, _, geometry, values = pyogrio.raw.read(outcome.files["Building"], layer="building")
    fields = dict(zip(meta["fields"], values, strict=True))
    assert fields["class"].tolist() == ["Building"]
    assert fields["class_id"].tolist() == [4]
    assert fields["area_m2"].tolist() == [120]
    assert fields["perim_m"].tolist() == [44]
    bounds = shapely.bounds(shapely.from_wkb(geometry))[0]
    if suffix == ".geojson":
        assert "4326" in meta["crs"] or "CRS84" in meta["crs"]
        assert 52 < bounds[0] < 57
    else:
        assert "32640" in meta["crs"]
        assert bounds.tolist() == [300_005, 2_779_985, 300_017, 2_779_995]
    assert not [name for name in os.listdir(tmp_path / "vectors") if "partial" in name]


def test_shapefile_says_its_encoding(class_map, tmp_path):
    export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Building",)))
    assert sorted(os.listdir(tmp_path / "v")) == [
        f"building.{part}" for part in ("cpg", "dbf", "prj", "qml", "shp", "shx")
    ]
    assert (tmp_path / "v" / "building.cpg").read_text() == "UTF-8"


def test_class_without_polygons_gives_an_empty_file_and_a_warning(class_map, tmp_path):
    outcome = export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Water",)))
    assert outcome.counts == {"Water": 0}
    assert "No polygon of class Water" in outcome.warnings[0]
    assert pyogrio.read_info(outcome.files["Water"])["features"] == 0


def test_existing_file_is_kept_unless_overwriting(class_map, tmp_path):
    request = ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Building",))
    export_class_polygons(request)
    edited = tmp_path / "v" / "building.dbf"
    edited.write_bytes(b"edited by hand")
    with pytest.raises(OutputError, match="exists"):
        export_class_polygons(request)
    assert edited.read_bytes() == b"edited by hand"
    stale = tmp_path / "v" / "building.qix"
    stale.touch()
    export_class_polygons(ClassFilesRequest(**{**request.to_json(), "overwrite": True}))
    assert not stale.exists()
    assert edited.read_bytes() != b"edited by hand"


def test_unknown_class_is_refused_with_the_list(class_map, tmp_path):
    with pytest.raises(ClassSchemeError, match="Choose one of: Water, Land, Road, Building"):
        export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Lava",)))
    assert not (tmp_path / "v").exists()


def test_an_image_is_not_a_classified_raster(tmp_path):
    path = write_raster(tmp_path / "image.tif", np.ones((3, 9, 9), np.uint8))
    with pytest.raises(RasterOpenError, match=r"not a classified raster: it has 3 bands of uint8"):
        export_class_polygons(ClassFilesRequest(str(path), str(tmp_path / "v")))
    path = write_raster(tmp_path / "grey.tif", np.full((1, 9, 9), 90, np.uint8))
    with pytest.raises(ClassSchemeError, match="values that are not classes: 90"):
        export_class_polygons(ClassFilesRequest(str(path), str(tmp_path / "v")))


def test_cancel_leaves_nothing(class_map, tmp_path):
    class Impatient:
        def report(self, done, total, text=""): ...
        def log(self, level, text): ...
        def cancelled(self):
            return True

    with pytest.raises(RunCancelled):
        export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v")), Impatient())
    assert os.listdir(tmp_path / "v") == []


def test_geojson_is_json(class_map, tmp_path):
    outcome = export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Road",), ".geojson"))
    with open(outcome.files["Road"], encoding="utf-8") as stream:
        assert json.load(stream)["type"] == "FeatureCollection"


def test_perimeter_of_a_strip_in_degrees(tmp_path):
    ids = np.zeros((10, 60), np.uint8)
    ids[4, 5:55] = 3
    transform = Affine(1e-5, 0, 55, 0, -1e-5, 60)
    polygons = make(tmp_path, ids, transform=transform, crs=rasterio.crs.CRS.from_epsg(4326))
    assert polygons.perimeters == pytest.approx([2 * 50 * 0.5580 + 2 * 1.1141], rel=1e-3)


def test_parts_of_a_shapefile_are_kept_too(class_map, tmp_path):
    folder = tmp_path / "v"
    folder.mkdir()
    (folder / "building.dbf").write_bytes(b"a table of the user")
    with pytest.raises(OutputError, match=r"building.dbf exists"):
        export_class_polygons(ClassFilesRequest(str(class_map), str(folder), ("Building",)))
    assert (folder / "building.dbf").read_bytes() == b"a table of the user"


def test_geopackage_with_pending_edits_is_refused(class_map, tmp_path):
    request = ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Building",), ".gpkg", overwrite=True)
    export_class_polygons(request)
    journal = tmp_path / "v" / "building.gpkg-wal"
    journal.write_bytes(b"pending")
    with pytest.raises(OutputError, match="open in another program"):
        export_class_polygons(request)
    assert journal.exists()
    journal.write_bytes(b"")
    export_class_polygons(request)
    assert not journal.exists()


def test_geojson_of_a_local_crs(class_map, tmp_path):
    local = 'LOCAL_CS["site grid",UNIT["metre",1]]'
    with rasterio.open(class_map, "r+") as dataset:
        dataset.crs = rasterio.crs.CRS.from_wkt(local)
    outcome = export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("Road",), ".geojson"))
    assert pyogrio.read_info(outcome.files["Road"])["features"] == 1


def test_class_names_cannot_leave_the_folder(class_map, tmp_path):
    with rasterio.open(class_map, "r+") as dataset:
        dataset.update_tags(CLASS_4="../Out side #3C1098")
    outcome = export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("4",), ".gpkg"))
    assert outcome.files == {"../Out side": str(tmp_path / "v" / "_out_side.gpkg")}


def test_classes_whose_names_make_the_same_file_name_get_their_own_files(class_map, tmp_path):
    with rasterio.open(class_map, "r+") as dataset:
        dataset.update_tags(CLASS_3="Sand/Road #6EC1E4", CLASS_4="sand <road #3C1098")
    outcome = export_class_polygons(ClassFilesRequest(str(class_map), str(tmp_path / "v"), ("3", "4"), ".gpkg"))
    assert {name: Path(file).name for name, file in outcome.files.items()} == {
        "Sand/Road": "sand_road_3.gpkg",
        "sand <road": "sand_road_4.gpkg",
    }
    for name, file in outcome.files.items():
        assert pyogrio.read_info(file, layer=Path(file).stem)["features"] == outcome.counts[name] > 0


def test_ids_without_a_class_are_refused(tmp_path):
    path = write_class_map(tmp_path / "map.tif", np.full((9, 9), 77))
    with pytest.raises(ClassSchemeError, match="contains values that are not classes: 77"):
        polygonize(PolygonizeRequest(str(path), str(tmp_path / "all.gpkg")))
    assert [file.name for file in tmp_path.iterdir()] == ["map.tif"]


@pytest.fixture
def confidence(tmp_path):
    percent = np.full((40, 50), 80, np.uint8)
    percent[5:15, 5:11] = 40
    percent[0, 0] = 255
    return write_confidence(tmp_path / "confidence.tif", percent)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_one_file_with_all_classes_and_their_attributes(class_map, confidence, tmp_path, suffix):
    output = tmp_path / f"all{suffix}"
    request = PolygonizeRequest(str(class_map), str(output), min_area=0, simplify=0, confidence=str(confidence))
    outcome = polygonize(request)
    assert outcome.counts == {"Water": 0, "Land": 2, "Road": 1, "Building": 2, "Vegetation": 0, "Unlabeled": 0}
    geometries, fields = read_layer(output)
    assert shapely.is_valid(geometries).all()
    house = fields["area_m2"].tolist().index(120)
    assert fields["class"][house] == "Building"
    assert fields["conf_mean"][house] == 60
    assert fields["conf_p10"][house] == 40
    assert fields["compact"][house] == round(4 * np.pi * 120 / 44**2, 3)
    assert fields["source"][house] == "classes.tif"
    assert fields["perim_m"][house] == 44


def test_small_regions_are_merged_and_reported(class_map, tmp_path):
    outcome = polygonize(PolygonizeRequest(str(class_map), str(tmp_path / "all.gpkg"), min_area=20, simplify=2))
    areas = outcome.conservation["areas"]
    assert areas["Building"] == {"raster": 124, "merged": 120, "polygons": pytest.approx(120, abs=8)}
    assert sum(area["polygons"] for area in areas.values()) == 2000
    assert (outcome.conservation["gaps"], outcome.conservation["overlaps"]) == (0, 0)


def test_chosen_classes_alone(class_map, tmp_path):
    request = PolygonizeRequest(str(class_map), str(tmp_path / "some.gpkg"), ("road", "4"), simplify=0)
    assert polygonize(request).area_m2 == {"Road": 200, "Building": 120}
    assert set(read_layer(tmp_path / "some.gpkg")[1]["class"]) == {"Road", "Building"}


def test_corners_make_multipolygons(tmp_path):
    ids = np.full((8, 8), 2)
    ids[1:3, 1:3] = ids[3:5, 3:5] = 4
    path = write_class_map(tmp_path / "map.tif", ids)
    outcome = polygonize(PolygonizeRequest(str(path), str(tmp_path / "c.gpkg"), min_area=0, simplify=0, corners=True))
    assert outcome.counts["Building"] == 1
    geometries, fields = read_layer(tmp_path / "c.gpkg")
    assert set(shapely.get_type_id(geometries)) == {6}
    assert sorted(fields["area_m2"]) == [8, 56]


def test_the_style_is_in_the_geopackage(class_map, tmp_path):
    polygonize(PolygonizeRequest(str(class_map), str(tmp_path / "all.gpkg")))
    with closing(sqlite3.connect(tmp_path / "all.gpkg")) as package:
        ((table, qml, default),) = package.execute("SELECT f_table_name, styleQML, useAsDefault FROM layer_styles")
    assert (table, default) == ("all", 1)
    categories = ElementTree.fromstring(qml).findall(".//category")
    assert [item.get("label") for item in categories] == [entry.name for entry in DUBAI.entries]
    assert [item.get("value") for item in categories] == ["1", "2", "3", "4", "5", "6"]


def test_confidence_of_another_raster_is_refused(class_map, tmp_path):
    other = write_raster(tmp_path / "other.tif", np.zeros((1, 5, 5), np.uint8))
    request = PolygonizeRequest(str(class_map), str(tmp_path / "all.gpkg"), confidence=str(other))
    with pytest.raises(RasterOpenError, match="5 × 5 px, the classified raster 50 × 40"):
        polygonize(request)
    assert not (tmp_path / "all.gpkg").exists()


def test_no_valid_pixel_gives_an_empty_file(tmp_path):
    path = write_class_map(tmp_path / "map.tif", np.zeros((5, 5)))
    outcome = polygonize(PolygonizeRequest(str(path), str(tmp_path / "none.gpkg")))
    assert set(outcome.counts.values()) == {0}
    assert pyogrio.read_info(tmp_path / "none.gpkg", layer="none")["features"] == 0


def test_strips_of_any_height_measure_the_same(tmp_path):
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 4, (30, 20)).repeat(3, 0).repeat(3, 1)
    degrees = {"transform": Affine(1e-5, 0, 55, 0, -1e-5, 25), "crs": rasterio.crs.CRS.from_epsg(4326)}
    one, two = (make(tmp_path, ids, rows=rows, **degrees) for rows in (7, 1000))
    for name in ("areas", "perimeters", "compactness"):
        assert sorted(getattr(one, name)) == pytest.approx(sorted(getattr(two, name)), rel=1e-12)
