"""Classes of a reference and those of the map."""

import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.reference_classes import matched_scheme
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from tests.core.assessment.cases import assess, boxes, texts
from tests.factories import write_class_map, write_layer, write_raster


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("id,name\n11,water\n12,LAND\n14,Hut\n2,Building\n")
    return str(path)


def test_classes_are_matched_by_name(table):
    assert [entry.id for entry in matched_scheme(table, DUBAI).classes] == [11, 12, 14, 2]


def test_classes_of_other_names_are_refused_with_both_lists(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("id,name\n1,Sea\n2,Sand\n")
    with pytest.raises(ClassSchemeError, match=r"other\.csv has Sea, Sand, the map Water, Land, Road") as caught:
        matched_scheme(str(path), DUBAI)
    assert "--reference-scheme" in caught.value.remedy
    raster = write_class_map(tmp_path / "m.tif", [[1, 2]])
    sea = str(write_raster(tmp_path / "t.tif", np.array([[[1, 2]]], np.uint8)))
    with pytest.raises(ClassSchemeError, match="No class of the reference"):
        assess(raster, sea, reference_scheme=str(path))


def test_plain_ids_of_a_raster_are_those_of_the_chosen_classes(tmp_path, table):
    raster = write_class_map(tmp_path / "m.tif", [[1, 2, 4, 2, 4]])
    truth = str(write_raster(tmp_path / "t.tif", np.array([[[11, 12, 2, 2, 14]]], np.uint8)))
    found = assess(raster, truth, reference_scheme=table)
    assert (found["facts"]["pixels"], found["overall"]["value"]) == (4, 0.75)
    (warning,) = found["warnings"]
    assert "not classes of the map were skipped: 14." in warning
    assumed = assess(raster, truth)
    assert assumed["facts"]["pixels"] == 2
    assert any("are taken for ids of the map" in text for text in assumed["warnings"])


def test_ids_of_polygons_too(tmp_path, table):
    raster = write_class_map(tmp_path / "m.tif", np.repeat([[1, 2, 4]], 6, axis=0).repeat(4, axis=1))
    places = boxes((0, 0, 4, 6), (4, 0, 8, 6), (8, 0, 12, 6))
    polygons = write_layer(tmp_path / "p.gpkg", places, reference=np.array([11, 12, 2]))
    assert assess(raster, polygons, reference_scheme=table)["overall"]["value"] == 1
    with pytest.raises(ClassSchemeError, match="'11', '12'"):
        assess(raster, polygons)
    huts = write_layer(tmp_path / "h.gpkg", places, reference=texts(["Water", "Land", "Hut"]))
    with pytest.raises(ClassSchemeError, match="'Hut'") as caught:
        assess(raster, huts, reference_scheme=table)
    assert "class scheme of the reference" in caught.value.remedy
