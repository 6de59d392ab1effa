"""Polygons of one class in a layer of several classes."""

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.buildings.class_filter import note_on_classes, polygons_of_class
from dubai_landcover_plugin.core.buildings.regularize import regularize_buildings
from dubai_landcover_plugin.core.io.vector_reader import VectorLayer, read_vector
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from tests.factories import write_layer

BOXES = [shapely.box(30 * i, 0, 30 * i + 20, 15) for i in range(4)]


def layer(**fields):
    count = len(next(iter(fields.values()))) if fields else 4
    return VectorLayer(np.array(BOXES[:count], object), {name: np.array(v) for name, v in fields.items()}, None)


@pytest.mark.parametrize("chosen", ["Roof", " roof", "7"])
@pytest.mark.parametrize("ids", [[7, 1, 7, 2], [7.0, 1.0, 7.0, 2.0]])
def test_a_class_is_chosen_by_name_or_id(chosen, ids):
    found = polygons_of_class(layer(class_id=ids, CLASS=["Roof", "Tar", "Roof", "Sea"]), chosen, "town.gpkg")
    assert found.geometries.tolist() == [BOXES[0], BOXES[2]]
    assert found.fields["CLASS"].tolist() == ["Roof", "Roof"]


def test_one_of_both_attributes_is_enough():
    assert len(polygons_of_class(layer(class_id=[4, 4, 3]), "3", "town.gpkg").geometries) == 1
    assert len(polygons_of_class(layer(**{"class": ["a", "b", "b"]}), "B", "town.gpkg").geometries) == 2


def test_a_missing_class_is_refused_with_those_that_exist():
    with pytest.raises(ClassSchemeError, match=r"town.gpkg has no polygons of class Building; it has Roof, Tar\."):
        polygons_of_class(layer(class_id=[1, 2, 1], **{"class": ["Tar", "Roof", "Tar"]}), "Building", "town.gpkg")
    with pytest.raises(ClassSchemeError, match=r"no polygons of class 9; it has 1, 2\."):
        polygons_of_class(layer(class_id=[1, 2]), "9", "town.gpkg")


def test_a_layer_without_classes_is_refused_with_its_attributes():
    with pytest.raises(ClassSchemeError, match=r"no attribute class or class_id; it has floors\."):
        polygons_of_class(layer(floors=[1, 2]), "Building", "town.gpkg")


def test_an_empty_layer_passes():
    empty = VectorLayer(np.empty(0, object), {}, None)
    assert polygons_of_class(empty, "Building", "town.gpkg") is empty


def test_several_classes_are_noted():
    several = layer(class_id=[4, 4, 3], **{"class": ["Roof", "Roof", "Tar"]})
    assert note_on_classes(several).startswith("Polygons of Roof, Tar are all taken as buildings.")
    assert note_on_classes(layer(class_id=[4, 4], **{"class": ["Roof", "Roof"]})) == ""
    assert note_on_classes(layer(**{"class": ["house", "shed"]})) == ""  # of another meaning


def test_only_the_buildings_of_a_layer_are_regularized(tmp_path):
    names = np.array(["Roof", "Tar", "Roof", "Sea"], object)
    source = write_layer(tmp_path / "i.gpkg", BOXES, **{"class": names})
    outcome = regularize_buildings(BuildingsRequest(source, str(tmp_path / "o.gpkg"), class_name="roof"))
    assert outcome.buildings == 2
    assert read_vector(outcome.output).fields["class"].tolist() == ["Roof", "Roof"]
