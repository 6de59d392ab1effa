import pytest

from dubai_landcover_plugin.core.io.attribute_table import legend_xml
from dubai_landcover_plugin.protocol.class_tags import class_tags, scheme_from_tags
from dubai_landcover_plugin.protocol.classes import DUBAI, NATURAL_COLOURS, ClassScheme, LandCoverClass, coloured
from dubai_landcover_plugin.protocol.errors import ClassSchemeError


def test_scheme_survives_json_and_tags():
    assert ClassScheme.from_json(DUBAI.to_json()) == DUBAI
    assert scheme_from_tags({**class_tags(DUBAI), "AREA_OR_POINT": "Area"}) == DUBAI


def test_colours_are_those_of_the_dataset():
    assert [entry.rgb for entry in DUBAI.entries][:2] == [(226, 169, 41), (132, 41, 246)]


def test_names_are_found_whatever_their_case():
    assert DUBAI.by_name(" building ").id == 4
    with pytest.raises(ClassSchemeError, match="Choose one of: Water"):
        DUBAI.by_name("Lava")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((0, "A", "#000000"), "1 to 254"), ((1, " ", "#000000"), "name"), ((1, "A", "black"), "#RRGGBB")],
)
def test_a_class_that_no_raster_can_hold_is_refused(arguments, text):
    with pytest.raises(ClassSchemeError, match=text):
        LandCoverClass(*arguments)


def test_ids_must_differ():
    water = LandCoverClass(1, "Water", "#0000FF")
    with pytest.raises(ClassSchemeError, match="differ"):
        ClassScheme((water,), LandCoverClass(1, "Unlabeled", "#999999"))


def test_tags_of_another_raster_are_refused():
    with pytest.raises(ClassSchemeError, match="no class names"):
        scheme_from_tags({"CLASS_1": "Water #0000FF"})


def test_legend_escapes_names():
    scheme = ClassScheme((LandCoverClass(1, "Salt & sand", "#FFFFFF"),), LandCoverClass(2, "Unlabeled", "#999999"))
    assert "Salt &amp; sand" in legend_xml(scheme, {1: 5})


def test_unlabeled_need_not_be_the_last_id():
    low = ClassScheme((LandCoverClass(2, "Salt", "#FFFFFF"),), LandCoverClass(1, "Unlabeled", "#999999"))
    assert scheme_from_tags(class_tags(low)) == low


class TestColours:
    def test_natural_ones_and_those_of_the_dataset_lead_to_each_other(self):
        natural = coloured(DUBAI)
        assert [entry.colour for entry in natural.entries] == list(NATURAL_COLOURS.values())
        assert coloured(natural) == natural
        assert coloured(natural, "dataset") == DUBAI == coloured(DUBAI, "dataset")

    def test_further_classes_and_own_colours_stay(self):
        own = LandCoverClass(9, "Water", "#0000AA")
        taught = ClassScheme((*DUBAI.classes[1:], own, LandCoverClass(7, "Pool", "#40A0E0")), DUBAI.unlabeled)
        colours = {entry.name: entry.colour for entry in coloured(taught).entries}
        assert (colours["Water"], colours["Pool"]) == ("#0000AA", "#40A0E0")
        assert colours["Building"] == NATURAL_COLOURS[4]

    def test_a_class_is_known_by_its_name_whatever_its_id(self):
        moved = ClassScheme((LandCoverClass(40, "building", "#3C1098"),), DUBAI.unlabeled)
        assert coloured(moved).classes[0].colour == NATURAL_COLOURS[4]
