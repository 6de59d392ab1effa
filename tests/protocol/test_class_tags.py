"""Class names in GeoTIFF tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.protocol.class_tags import class_tags, scheme_from_tags
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError

NAMES = st.lists(
    st.text(st.characters(exclude_categories=("C", "Z")), min_size=1).map(lambda text: f"{text} field"),
    min_size=2,
    max_size=6,
    unique_by=str.casefold,
)


@given(NAMES, st.randoms(use_true_random=False))
def test_any_scheme_comes_back_in_any_order_of_tags(names, random):
    ids = sorted(random.sample(range(1, 255), len(names)))
    entries = [LandCoverClass(id_, name, f"#{id_:06X}") for id_, name in zip(ids, names, strict=True)]
    scheme = ClassScheme(tuple(entries[:-1]), entries[-1])
    tags = list(class_tags(scheme).items())
    random.shuffle(tags)
    assert scheme_from_tags(dict(tags)) == scheme


def test_a_tag_reads_as_name_and_colour():
    assert class_tags(DUBAI)["CLASS_4"] == "Building #3C1098"
    assert class_tags(DUBAI)["UNLABELED_CLASS"] == "6"


def test_other_tags_do_not_disturb():
    assert scheme_from_tags({"AREA_OR_POINT": "Area", "CLASS_X": "no id", **class_tags(DUBAI)}) == DUBAI


def test_without_the_unlabeled_tag_the_last_class_is_unlabeled():
    tags = class_tags(DUBAI)
    del tags["UNLABELED_CLASS"]
    assert scheme_from_tags(tags) == DUBAI


@pytest.mark.parametrize("tags", [{}, {"CLASS_1": "Water #0000FF"}], ids=["none", "one"])
def test_too_few_classes_are_refused(tags):
    with pytest.raises(ClassSchemeError, match="no class names"):
        scheme_from_tags(tags)


@pytest.mark.parametrize("damaged", ["Water", "Water blue", "#0000FF"])
def test_damaged_tags_are_refused(damaged):
    with pytest.raises(ClassSchemeError):
        scheme_from_tags({**class_tags(DUBAI), "CLASS_1": damaged})
