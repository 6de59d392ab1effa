"""Vector files: every format, in pieces, whole or not there."""

import json
import os
import sqlite3
import tracemalloc
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import rasterio
import shapely

from dubai_landcover_plugin.core.io import flatgeobuf, layer_checksum, ogr, verified_file
from dubai_landcover_plugin.core.io import vector_writer as vector_files
from dubai_landcover_plugin.core.io.geopackage import layer_name
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.io.verified_file import VerifiedFile
from dubai_landcover_plugin.protocol.errors import OutputError, RasterOpenError

UTM40 = rasterio.crs.CRS.from_epsg(32640)
FIELDS = {"class_id": np.int32, "class": object, "area_m2": np.float64}


def boxes(count, start=0):
    west = 300_000 + 20.0 * np.arange(start, start + count)
    values = {
        "class_id": np.arange(start, start + count),
        "class": np.array([f"Gebäude {n}" for n in range(count)], object),
        "area_m2": np.full(count, 100.0),
    }
    return shapely.box(west, 2_700_000, west + 10, 2_700_010), values


def write(path, *pieces, crs=UTM40, **options):
    with VectorWriter(path, "Polygon", crs, FIELDS, **options) as writer:
        for piece in pieces:
            writer.write(*piece)
        writer.finish()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_pieces_become_one_layer(tmp_path, suffix):
    path = tmp_path / f"houses{suffix}"
    write(path, boxes(3), boxes(0), boxes(2, 3), style="<qgis/>")
    layer = read_vector(str(path)).to_crs(UTM40)
    order = np.argsort(layer.fields["class_id"])
    assert layer.fields["class_id"][order].tolist() == [0, 1, 2, 3, 4]
    assert layer.fields["class"][order][0] == "Gebäude 0"
    assert shapely.area(layer.geometries) == pytest.approx([100] * 5, rel=1e-3)


def test_geoparquet_says_where_its_geometry_is(tmp_path):
    path = tmp_path / "houses.parquet"
    write(path, boxes(3), boxes(2, 3))
    table = pyarrow.parquet.read_table(path)
    assert table.column("class").to_pylist()[3] == "Gebäude 0"
    assert shapely.area(shapely.from_wkb(table.column("geometry").to_pylist())).tolist() == [100] * 5
    geo = json.loads(table.schema.metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    assert (geo["version"], column["encoding"], column["geometry_types"]) == ("1.1.0", "WKB", ["Polygon"])
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32640}


def test_geoparquet_holds_whole_numbers_of_any_size(tmp_path):
    houses, _ = boxes(2)
    with VectorWriter(tmp_path / "n.parquet", "Polygon", UTM40, {"osm_id": np.int64}) as writer:
        writer.write(houses, {"osm_id": np.array([1 << 60, 3])})
        writer.finish()
    assert pyarrow.parquet.read_table(tmp_path / "n.parquet")["osm_id"].to_pylist() == [1 << 60, 3]


def test_a_geopackage_that_lacks_its_index_is_not_whole(tmp_path, monkeypatch):
    real = ogr.write

    def without_index(*values, layer_options, **others):  # what GDAL does where the disk is full at the very end
        real(*values, layer_options={**layer_options, "SPATIAL_INDEX": "NO"}, **others)

    monkeypatch.setattr(ogr, "write", without_index)
    with pytest.raises(OutputError, match="no complete spatial index"):
        write(tmp_path / "houses.gpkg", boxes(3))
    assert not list(tmp_path.iterdir())


def test_without_a_crs_and_without_features(tmp_path):
    for suffix in (".gpkg", ".shp", ".geojson", ".fgb", ".parquet"):
        write(tmp_path / f"nothing{suffix}", crs=None)
        assert (tmp_path / f"nothing{suffix}").exists()
    with pytest.raises(RasterOpenError, match="no features"):
        read_vector(str(tmp_path / "nothing.gpkg"))


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".parquet"])
def test_a_run_that_stops_leaves_nothing(tmp_path, suffix):
    writer = VectorWriter(tmp_path / f"houses{suffix}", "Polygon", UTM40, FIELDS)
    with suppress(KeyError), writer:
        writer.write(*boxes(3))
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_a_shapefile_beyond_its_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "_SHAPEFILE_BYTES", 1000)
    with pytest.raises(OutputError, match=r"larger than 2 GB.*GeoPackage"):
        write(tmp_path / "houses.shp", boxes(4), boxes(4, 4))
    assert os.listdir(tmp_path) == []


def test_names_that_shapefiles_would_cut_are_a_bug_that_shows(tmp_path):
    with pytest.raises(OutputError, match="at most 10 letters, not confidence_mean"):
        VectorWriter(tmp_path / "houses.shp", "Polygon", UTM40, {"confidence_mean": np.float64})


@pytest.mark.parametrize(
    ("suffix", "name"),
    [
        (".shp", "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +to_meter=0.0174532925199433"),
        (".shp", "EPSG:4978"),
        (".geojson", "IAU_2015:30110"),
    ],
)
def test_a_crs_that_the_format_would_lose_is_refused_before_work(tmp_path, suffix, name):
    crs = rasterio.crs.CRS.from_user_input(name)
    with pytest.raises(OutputError, match="cannot store data in"):
        VectorWriter(tmp_path / f"a{suffix}", "Polygon", crs, FIELDS)
    write(tmp_path / "a.gpkg", boxes(1), crs=crs)
    assert rasterio.crs.CRS.from_user_input(ogr.read_info(str(tmp_path / "a.gpkg"))["crs"]) == crs


def test_texts_that_shapefiles_would_cut_are_refused(tmp_path):
    houses, values = boxes(2)
    values["class"][1] = "é" * 128
    with pytest.raises(OutputError, match=r"at most 254 bytes; 'é{40}…' in class has 256"):
        write(tmp_path / "a.shp", (houses, values))
    write(tmp_path / "a.gpkg", (houses, values))
    assert read_vector(str(tmp_path / "a.gpkg")).fields["class"][1] == "é" * 128


def overwrite(suffix, offset, content):
    """Return what damages a part of a file."""

    def damage(path):
        with open(path.with_suffix(suffix), "r+b") as stream:
            stream.seek(offset, os.SEEK_SET if offset >= 0 else os.SEEK_END)
            stream.write(content)

    return damage


def sql(text):
    def damage(path):
        with closing(sqlite3.connect(path)) as package, package:
            for (name,) in package.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                package.execute(f"DROP TRIGGER {name}")  # they call functions of GDAL
            package.execute(text)

    return damage


DAMAGE = [
    (".shp", overwrite(".shp", 180, b"\0" * 16), "other geometries"),
    (".shp", overwrite(".shp", 36, np.array([1.0, 1, 2, 2]).tobytes()), "another extent"),
    (".shp", overwrite(".dbf", -40, b" " * 30), "other values of 'area_m2'"),
    (".shp", overwrite(".dbf", 4, b"\2"), "features|geometries|values"),
    (".shp", lambda path: path.with_suffix(".prj").unlink(), "another CRS"),
    (".shp", lambda path: path.with_suffix(".cpg").write_text(""), "no encoding"),
    (".gpkg", sql("DELETE FROM gpkg_spatial_ref_sys WHERE srs_id = 32640"), "another CRS"),
    (".gpkg", sql("UPDATE layer SET class = 'Water' WHERE fid = 2"), "other values of 'class'"),
    (".gpkg", sql("UPDATE layer SET area_m2 = NULL WHERE fid = 2"), "other values of 'area_m2'"),
    (".gpkg", sql("DELETE FROM rtree_layer_geom WHERE id = 3"), "no complete spatial index"),
    (".fgb", overwrite(".fgb", -150, b"\0" * 40), "features cannot be read back"),
    (".fgb", lambda path: replace(path, np.float64(300_040), np.float64(300_041)), "geometries|no valid spatial index"),
    (".fgb", lambda path: replace(path, np.uint64(1), np.uint64(2)), "no valid spatial index"),
]


def replace(path, old, new):
    """Replace the first occurrence of a number, which is in the spatial index."""
    content = path.read_bytes()
    start = 12 + int.from_bytes(content[8:12], "little")
    assert old.tobytes() in content[start : start + 6 * 40]
    path.write_bytes(content[:start] + content[start:].replace(old.tobytes(), new.tobytes(), 1))


@pytest.mark.parametrize(("suffix", "damage", "problem"), DAMAGE)
def test_what_gdal_failed_to_write_is_noticed(tmp_path, monkeypatch, suffix, damage, problem):
    """GDAL ignores most failed writes: the file is damaged after GDAL has written it."""
    real, real_arrow = ogr.write, ogr.write_arrow

    def write_and_damage(path, **options):
        real(path, **options)
        if Path(path).stem == "layer":
            damage(Path(path))

    def write_arrow_and_damage(batches, path, **options):
        real_arrow(batches, path, **options)
        damage(Path(path))

    monkeypatch.setattr(ogr, "write", write_and_damage)
    monkeypatch.setattr(ogr, "write_arrow", write_arrow_and_damage)
    with pytest.raises(OutputError, match=f"layer{suffix} .*({problem})"):
        write(tmp_path / f"layer{suffix}", boxes(5))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".geojson", ".parquet"])
def test_files_that_grow_from_start_to_end_are_compared_byte_by_byte(tmp_path, monkeypatch, suffix):
    real = VerifiedFile.close

    def close_and_damage(file):
        real(file)
        for path in tmp_path.rglob(f"layer{suffix}"):
            path.write_bytes(path.read_bytes()[:-1] + b"?")

    monkeypatch.setattr(VerifiedFile, "close", close_and_damage)
    with pytest.raises(OutputError, match="is not what was written"):
        write(tmp_path / f"a{suffix}", boxes(5))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
@pytest.mark.parametrize("name", ["EPSG:4979", "EPSG:32640+5773", "ESRI:54009", "+proj=sinu +R=6371007", "EPSG:2263"])
def test_a_crs_that_the_format_stores_differently_is_no_error(tmp_path, suffix, name):
    write(tmp_path / f"a{suffix}", boxes(2), crs=rasterio.crs.CRS.from_user_input(name))
    assert (tmp_path / f"a{suffix}").exists()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_multipolygons_and_odd_values_are_read_back_as_written(tmp_path, suffix):
    square = shapely.box(0, 0, 9, 9)
    ring = square.difference(shapely.box(2, 2, 7, 7))
    shapes = [
        square,
        shapely.MultiPolygon([ring, shapely.box(4, 4, 5, 5)]),
        shapely.MultiPolygon([square]),
        ring.reverse(),
    ]
    kinds = {"id": np.int64, "value": np.float64, "text": object}
    values = {
        "id": np.array([-(1 << 40), 0, 1 << 40, 7]),
        "value": np.array([np.nan, 1e-7, 123456.789, -1e9]),
        "text": np.array([None, " a ", "é" * 127, ""], object),
    }
    with VectorWriter(tmp_path / f"a{suffix}", "MultiPolygon", UTM40, kinds) as writer:
        writer.write(np.array(shapes, object), values)
        writer.finish()
    layer = read_vector(str(tmp_path / f"a{suffix}"))
    assert shapely.equals(layer.geometries, shapes).all()


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_rings_that_intersect_themselves_and_empty_ones_are_written(tmp_path, suffix):
    bow_tie = shapely.Polygon([(0, 0), (5, 4), (5, 0), (0, 4)])
    spike = shapely.Polygon([(0, 0), (9, 0), (9, 9), (9, 0), (0, 0)])
    overlapping = shapely.MultiPolygon([shapely.box(0, 0, 9, 9), shapely.box(5, 5, 12, 12), shapely.box(0, 0, 9, 9)])
    with VectorWriter(tmp_path / f"a{suffix}", "MultiPolygon", UTM40, {}) as writer:
        hole_outside = shapely.Polygon([(0, 0), (1, 0), (1, 1)], [[(20, 20), (21, 20), (21, 21)]])
        shapes = [
            shapely.MultiPolygon([bow_tie, hole_outside]),
            shapely.MultiPolygon([spike]),
            overlapping,
            shapely.MultiPolygon(),
        ]
        writer.write(np.array(shapes), {})
        writer.finish()
    assert len(read_vector(str(tmp_path / f"a{suffix}")).geometries) == 4


@pytest.mark.parametrize(("suffix", "driver"), [(".geojson", "GeoJSON"), (".fgb", "FlatGeobuf")])
def test_pieces_have_the_bytes_of_a_layer_that_gdal_writes_at_once(tmp_path, monkeypatch, suffix, driver):
    monkeypatch.setattr(vector_files, "_COLLECTED_BYTES", 1000)
    houses, values = boxes(200)
    values["area_m2"][3] = np.nan
    values["class"][5] = None
    parts = [slice(0, 20), slice(20, 21), slice(21, 200)]
    write(tmp_path / f"a{suffix}", *((houses[part], {name: v[part] for name, v in values.items()}) for part in parts))
    ogr.write(
        str(tmp_path / f"b{suffix}"),
        geometry=shapely.to_wkb(houses),
        field_data=[np.asarray(values[name], kind) for name, kind in FIELDS.items()],
        fields=list(FIELDS),
        geometry_type="Polygon",
        crs=UTM40.to_wkt(),
        driver=driver,
        layer="a",
        layer_options={"RFC7946": "YES"} if driver == "GeoJSON" else {},
    )
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", [".geojson", ".fgb", ".gpkg", ".shp", ".parquet"])
def test_memory_does_not_grow_with_the_features(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(vector_files, "_COLLECTED_BYTES", 20_000)
    monkeypatch.setattr(flatgeobuf, "_BATCH", 200)
    monkeypatch.setattr(layer_checksum, "_BATCH", 200)
    monkeypatch.setattr(verified_file, "_CHUNK", 1000)
    peaks = []
    for count in (1, 3, 30):
        tracemalloc.start()
        with VectorWriter(tmp_path / f"{count}{suffix}", "Polygon", UTM40, FIELDS) as writer:
            for piece in range(count):
                writer.write(*boxes(100, 100 * piece))
            writer.finish()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 150_000, peaks  # 2700 features more have 500 kB


SPECIAL = [
    "Dubai 2024 final!",
    "x!.geojson",
    "a;b",
    "a?b#c%41&d",
    "-1",
    "'a'[b]",
    "line\nbreak",
    "gpkg_a",
    "..",
    "é" * 60,
]


@pytest.mark.skipif(os.name == "nt", reason="Windows allows few special characters")
@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb", ".parquet"])
def test_files_may_have_any_name(tmp_path, suffix):
    folder = tmp_path / "a!b; [c]" / "/vsizip".lstrip("/")
    folder.mkdir(parents=True)
    for stem in SPECIAL:
        path = folder / f"{stem}{suffix}"
        write(path, boxes(2), style="<qgis/>")
        names = {file.name for file in folder.iterdir()}
        assert path.name in names
        assert all(name.startswith(f"{stem}.") for name in names)
        if suffix != ".parquet":
            layer = read_vector(str(path))
            assert sorted(layer.fields["class_id"].tolist()) == [0, 1]
            assert layer.crs is not None
        for file in folder.iterdir():
            file.unlink()


@pytest.mark.skipif(os.name == "nt", reason="Windows allows few special characters")
def test_a_relative_name_is_not_a_prefix_of_gdal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("PG:town!.gpkg", boxes(2))
    assert os.listdir() == ["PG:town!.gpkg"]
    assert len(read_vector("PG:town!.gpkg").geometries) == 2


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("town", "town"),
        ("Dubai 2024 final!", "Dubai 2024 final!"),
        ("-1", "_-1"),
        ("GPKG_a", "_GPKG_a"),
        ("a\nb", "a_b"),
    ],
)
def test_layers_are_named_after_the_file_where_geopackages_allow_it(stem, name):
    assert layer_name(stem) == name


class Messages:
    """Collects what a writer logs."""

    def __init__(self):
        self.texts = []

    def log(self, level, text):
        self.texts.append(text)


@pytest.mark.parametrize("suffix", [".shp", ".fgb"])
def test_a_style_that_the_user_saved_is_kept_and_said(tmp_path, suffix):
    path, style = tmp_path / f"houses{suffix}", tmp_path / "houses.qml"
    write(path, boxes(3), style="<qgis/>")
    write(path, boxes(2), style="<qgis a='1'/>")  # replaces one that nobody edited
    assert "a='1'" in style.read_text()
    users = "<!DOCTYPE qgis><qgis version='3.34.1-Prizren'/>"
    style.write_text(users)
    with VectorWriter(path, "Polygon", UTM40, FIELDS, "<qgis/>") as writer:
        writer.write(*boxes(3))
        writer.finish(messages := Messages())
    assert style.read_text() == users
    assert messages.texts == ["The style houses.qml is kept: it was saved in QGIS or edited."]
    assert len(read_vector(str(path)).geometries) == 3


def test_a_style_in_a_geopackage_that_the_user_saved_is_kept_and_said(tmp_path):
    path = tmp_path / "houses.gpkg"
    write(path, boxes(3), style="<qgis/>")
    with closing(sqlite3.connect(path)) as package, package:
        package.execute("UPDATE layer_styles SET styleName = 'mine', styleQML = '<qgis version=\"3.34.1-Prizren\"/>'")
    with VectorWriter(path, "Polygon", UTM40, FIELDS, "<qgis/>") as writer:
        writer.write(*boxes(3))
        writer.finish(messages := Messages())
    with closing(sqlite3.connect(path)) as package:
        rows = package.execute("SELECT styleName, useAsDefault FROM layer_styles").fetchall()
    assert rows == [("mine", 1), ("houses", 0)]
    assert messages.texts == ["The styles in houses.gpkg that were saved in QGIS are kept."]


def test_another_layer_of_the_name_gets_no_style(tmp_path):
    (tmp_path / "houses.geojson").write_text("{}")
    with VectorWriter(tmp_path / "houses.fgb", "Polygon", UTM40, FIELDS, "<qgis/>") as writer:
        writer.write(*boxes(3))
        writer.finish(messages := Messages())
    assert sorted(os.listdir(tmp_path)) == ["houses.fgb", "houses.geojson"]
    assert messages.texts == ["No style is written: houses.geojson would be shown with houses.qml, too."]
