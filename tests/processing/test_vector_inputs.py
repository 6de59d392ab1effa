"""What QGIS adds to a vector file reaches the engine in a copy; other files are read as they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from osgeo import ogr
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
    QgsVectorLayerJoinInfo,
)
from qgis.PyQt.QtCore import QVariant

from dubai_landcover_plugin.processing.vector_inputs import vector_source
from tests.processing.qgis_fixtures import RecordingFeedback

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("provider")]
DRIVERS = {
    ".gpkg": "GPKG",
    ".shp": "ESRI Shapefile",
    ".geojson": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".tab": "MapInfo File",
}
READ = Callable[..., str]


def write(path: Path, names: tuple[str, ...] = ("north", "süd"), encoding: str = "UTF-8") -> QgsVectorLayer:
    """Write squares with a key and a name, and return the layer, added to the project."""
    memory = QgsVectorLayer("Polygon?crs=EPSG:32640&field=key:integer&field=name:string", "zones", "memory")
    for key, name in enumerate(names):
        feature = QgsFeature(memory.fields())
        feature.setAttributes([key, name])
        feature.setGeometry(QgsGeometry.fromWkt(f"Polygon(({key} 0, {key + 1} 0, {key + 1} 1, {key} 1, {key} 0))"))
        memory.dataProvider().addFeature(feature)
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.fileEncoding = DRIVERS[path.suffix], encoding
    writer = QgsVectorFileWriter.create(
        str(path), memory.fields(), memory.wkbType(), memory.crs(), QgsProject.instance().transformContext(), options
    )
    writer.addFeatures(memory.getFeatures())
    del writer  # closes the file
    layer = QgsVectorLayer(str(path), "zones", "ogr")
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


@pytest.fixture
def read(algorithm: Callable, context: QgsProcessingContext) -> READ:
    """Return the file for the zones of a report."""

    def source(value: Any, field: str = "") -> str:
        return vector_source(
            algorithm("landcoverreport"), {"ZONES": value}, "ZONES", context, RecordingFeedback(), field
        )

    return source


def content(source: str) -> tuple[list[dict[str, Any]], Any]:
    """Return the attributes of the features of a source, and its CRS, as GDAL alone reads them."""
    path, _, name = source.partition("|layername=")
    dataset = ogr.Open(path)
    layer = dataset.GetLayerByName(name) if name else dataset.GetLayer(0)
    crs = layer.GetSpatialRef()
    return [feature.items() for feature in layer], None if crs is None else crs.GetAuthorityCode(None)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_a_plain_file_is_handed_over(tmp_path: Path, read: READ, suffix: str):
    layer = write(tmp_path / f"zones{suffix}")
    assert read(layer).partition("|")[0] == str(tmp_path / f"zones{suffix}")
    assert read(layer.id()) == read(layer) == read(str(tmp_path / f"zones{suffix}"))
    assert read("") == ""


def test_a_layer_of_several_keeps_its_name(tmp_path: Path, read: READ):
    write(tmp_path / "zones.gpkg")
    layer = QgsVectorLayer(f"{tmp_path / 'zones.gpkg'}|layername=zones", "zones", "ogr")
    QgsProject.instance().addMapLayer(layer)
    assert read(layer) == f"{tmp_path / 'zones.gpkg'}|layername=zones"


def test_joined_fields_are_copied(tmp_path: Path, read: READ):
    layer = write(tmp_path / "zones.gpkg")
    table = QgsVectorLayer("NoGeometry?field=key:integer&field=district:string", "table", "memory")
    for key, district in enumerate(("Deira", "Jumeirah")):
        row = QgsFeature(table.fields())
        row.setAttributes([key, district])
        table.dataProvider().addFeature(row)
    QgsProject.instance().addMapLayer(table)
    join = QgsVectorLayerJoinInfo()
    join.setJoinLayer(table)
    join.setJoinFieldName("key")
    join.setTargetFieldName("key")
    join.setUsingMemoryCache(True)
    assert layer.addJoin(join)
    rows, crs = content(read(layer))
    assert [row["table_district"] for row in rows] == ["Deira", "Jumeirah"]
    assert crs == "32640"


def test_virtual_fields_are_copied(tmp_path: Path, read: READ):
    layer = write(tmp_path / "zones.shp")
    layer.addExpressionField("upper(name)", QgsField("capital", QVariant.String))
    assert [row["capital"] for row in content(read(layer))[0]] == ["NORTH", "SÜD"]


@pytest.mark.parametrize("declared", [True, False])
def test_the_encoding_of_the_layer_counts(tmp_path: Path, read: READ, declared: bool):
    layer = write(tmp_path / "zones.shp", encoding="ISO-8859-1" if declared else "UTF-8")
    (tmp_path / "zones.cpg").unlink()
    dbf = bytearray((tmp_path / "zones.dbf").read_bytes())
    dbf[29] = 0  # no language driver either
    (tmp_path / "zones.dbf").write_bytes(dbf)
    layer = QgsVectorLayer(str(tmp_path / "zones.shp"), "zones", "ogr")
    layer.setProviderEncoding("ISO-8859-1" if declared else "UTF-8")
    QgsProject.instance().addMapLayer(layer)
    shown = [feature["name"] for feature in layer.getFeatures()]
    assert shown == ["north", "süd"]
    assert [row["name"] for row in content(read(layer))[0]] == shown


def test_an_encoding_that_contradicts_the_file_counts(tmp_path: Path, read: READ):
    write(tmp_path / "zones.shp")
    (tmp_path / "zones.cpg").write_text("ISO-8859-1")  # wrong: the user corrects it in QGIS
    layer = QgsVectorLayer(str(tmp_path / "zones.shp"), "zones", "ogr")
    layer.setProviderEncoding("UTF-8")
    QgsProject.instance().addMapLayer(layer)
    shown = [feature["name"] for feature in layer.getFeatures()]
    assert [row["name"] for row in content(read(layer))[0]] == shown


def test_the_crs_of_the_layer_counts(tmp_path: Path, read: READ):
    layer = write(tmp_path / "zones.gpkg")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:32639"))
    assert content(read(layer))[1] == "32639"


def test_selected_filtered_and_edited_features(tmp_path: Path, read: READ):
    layer = write(tmp_path / "zones.gpkg")
    layer.selectByIds([2])
    selected = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    assert [row["name"] for row in content(read(selected))[0]] == ["süd"]
    assert len(content(read(layer))[0]) == 2
    first = QgsProcessingFeatureSourceDefinition(layer.id(), False, 1)
    assert [row["name"] for row in content(read(first))[0]] == ["north"]
    layer.setSubsetString("name = 'north'")
    assert [row["name"] for row in content(read(layer))[0]] == ["north"]
    layer.setSubsetString("")
    assert layer.startEditing()
    layer.changeAttributeValue(1, layer.fields().indexOf("name"), "edited")
    assert [row["name"] for row in content(read(layer))[0]] == ["edited", "süd"]
    layer.rollBack()
    assert [row["name"] for row in content(read(layer))[0]] == ["north", "süd"]


def test_the_feature_id_can_be_a_field(tmp_path: Path, read: READ):
    layer = write(tmp_path / "zones.gpkg")
    assert [row["fid"] for row in content(read(layer, "fid"))[0]] == [1, 2]
    assert read(layer, "name").startswith(str(tmp_path))


def test_formats_that_the_engine_may_lack_are_copied(tmp_path: Path, read: READ):
    source = read(write(tmp_path / "zones.tab"))
    assert not source.startswith(str(tmp_path / "zones"))
    assert [row["name"] for row in content(source)[0]] == ["north", "süd"]


def test_repeated_feature_ids_and_invalid_shapes_are_copied(read: READ):
    layer = QgsVectorLayer("Polygon?crs=EPSG:32640&field=fid:integer", "zones", "memory")
    for wkt in ("Polygon((0 0, 1 1, 1 0, 0 1, 0 0))", "Polygon((0 0, 1 0, 1 1, 0 0))"):
        feature = QgsFeature(layer.fields())
        feature.setAttributes([7])
        feature.setGeometry(QgsGeometry.fromWkt(wkt))
        layer.dataProvider().addFeature(feature)
    QgsProject.instance().addMapLayer(layer)
    assert [row["fid"] for row in content(read(layer))[0]] == [7, 7]
