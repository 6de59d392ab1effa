from __future__ import annotations

from xml.etree import ElementTree

from dubai_landcover_plugin.core.teaching.label_form import LABEL_FIELDS, label_style_qml, place_style_qml
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass


def test_the_form_lists_the_classes_and_escapes_their_names():
    odd = LandCoverClass(9, 'Grass & "reed" <wet>', "#40A0E0")
    style = label_style_qml(ClassScheme((*DUBAI.classes, odd), DUBAI.unlabeled))
    root = ElementTree.fromstring(style.split("\n", 1)[1] if style.startswith("<!") else style)
    choices = [option.get("value") for option in root.iterfind(".//editWidget[@type='ValueMap']//Option[@value]")]
    assert choices == [*(entry.name for entry in DUBAI.classes), odd.name]
    categories = [category.get("value") for category in root.iterfind(".//category")]
    assert categories == ["", *choices]
    assert '"class"' in root.findtext("mapTip")
    assert [field.get("name") for field in root.iterfind("fieldConfiguration/field")] == list(LABEL_FIELDS)


def test_places_have_their_numbers_as_labels():
    assert 'fieldName="place"' in place_style_qml()
