"""The form that labels points in QGIS."""

from __future__ import annotations

from xml.etree import ElementTree

import pyogrio

from dubai_landcover_plugin.core.assessment.point_form import point_style_qml
from dubai_landcover_plugin.core.assessment.sample import FIELDS
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from tests.core.assessment.cases import NAMES, draw, random_map
from tests.factories import write_class_map


def test_the_form_has_a_list_of_classes_inside_the_file(tmp_path):
    draw(write_class_map(tmp_path / "m.tif", random_map()), tmp_path / "p.gpkg", size=30)
    assert "layer_styles" in [name for name, _ in pyogrio.list_layers(tmp_path / "p.gpkg")]
    draw(write_class_map(tmp_path / "n.tif", random_map()), tmp_path / "p.shp", size=30)
    style = (tmp_path / "p.qml").read_text(encoding="utf-8")
    assert "ValueMap" in style
    assert all(f'name="{name}"' in style for name in NAMES[:-1])


def test_the_form_takes_any_class_name():
    scheme = ClassScheme((LandCoverClass(1, 'Sea & "sand" <b>', "#000000"),), DUBAI.unlabeled)
    style = ElementTree.fromstring(point_style_qml(scheme, list(FIELDS)).partition("\n")[2])
    names = {option.get("value") for option in style.find("fieldConfiguration").iter("Option")}
    assert scheme.classes[0].name in names
