from xml.etree import ElementTree

import pytest

from dubai_landcover_plugin.core.io.qml import category_style, class_style, shipped_style
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.pages import HOSTILE


def parse(qml):
    """The elements of a QML document; QGIS's document type is not XML."""
    assert qml.startswith("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n")
    return ElementTree.fromstring(qml.partition("\n")[2])


def properties(layer):
    return {prop.get("k"): prop.get("v") for prop in layer.iter("prop")}


def test_each_class_has_a_category_in_its_colour_and_a_darker_outline():
    style = parse(class_style(DUBAI))
    assert style.find("renderer-v2").get("attr") == "class_id"
    categories = {int(item.get("value")): item for item in style.iter("category")}
    symbols = {symbol.get("name"): properties(symbol) for symbol in style.iter("symbol")}
    assert list(categories) == [entry.id for entry in DUBAI.entries]
    assert [item.get("label") for item in categories.values()] == [entry.name for entry in DUBAI.entries]
    building = symbols[categories[4].get("symbol")]  # #3C1098
    assert building["color"] == "60,16,152,140"
    assert building["outline_color"] == "37,10,95,255"


def test_names_are_escaped():
    style = parse(category_style("code", [(1, HOSTILE, (1, 2, 3))], alpha=7))
    (category,) = style.iter("category")
    assert category.get("label") == HOSTILE
    assert properties(style)["color"] == "1,2,3,7"


@pytest.mark.parametrize(
    ("name", "attribute", "symbols"), [("buildings", "regular", 2), ("roads", None, 1), ("road_nodes", None, 3)]
)
def test_shipped_styles_are_files(name, attribute, symbols):
    style = parse(shipped_style(name))
    assert style.find("renderer-v2").get("attr") == attribute
    assert len(list(style.iter("symbol"))) == symbols
