from xml.etree import ElementTree

import pytest

from dubai_landcover_plugin.core.io.qml import (
    category_style,
    class_style,
    is_generated,
    is_raster_style,
    is_user_style,
    raster_style,
    shipped_style,
    with_mark,
)
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


def test_a_raster_style_lists_the_classes_and_nothing_else():
    style = parse(raster_style(DUBAI.entries))
    entries = [(int(one.get("value")), one.get("color"), one.get("label")) for one in style.iter("paletteEntry")]
    assert entries == [(entry.id, entry.colour.lower(), entry.name) for entry in DUBAI.entries]
    assert is_raster_style(with_mark(raster_style(DUBAI.entries)))
    assert not is_raster_style(raster_style(DUBAI.entries))  # as a user may have saved it
    assert not is_raster_style(with_mark(class_style(DUBAI)))


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


@pytest.mark.parametrize("style", [class_style(DUBAI), *map(shipped_style, ("buildings", "roads", "road_nodes"))])
def test_styles_of_the_package_are_distinguished_from_those_of_users(tmp_path, style):
    marked = with_mark(style)
    parse(marked)
    assert is_generated(marked)
    assert is_generated(marked.replace("\n", "\r\n"))
    assert is_generated(style)  # without a mark, as earlier versions wrote it
    assert not is_generated(marked.replace('alpha="1"', 'alpha="0.5"').replace("Symbology", "symbology"))
    path = tmp_path / "a.qml"
    assert not is_user_style(path)
    for text, kept in ((marked, False), ("", False), ("<!DOCTYPE qgis><qgis version='3.34.1-Prizren'/>", True)):
        path.write_text(text, encoding="utf-8")
        assert is_user_style(path) == kept


def test_a_style_that_qgis_3_22_saved_is_a_users():
    assert not is_generated(
        "<!DOCTYPE qgis>\n<qgis styleCategories='AllStyleCategories' version=\"3.22.16-Białowieża\">"
    )
