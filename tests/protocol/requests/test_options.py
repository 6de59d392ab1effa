"""Options: ranges, choices and suffixes are checked as they are described."""

from dataclasses import MISSING, dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import (
    SECTIONS,
    Option,
    description_of,
    number_text,
    option,
    vector_path,
)
from dubai_landcover_plugin.protocol.requests.request import Request
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, Task, paths, task_of


def refused(described, value, words):
    with pytest.raises(RequestError, match=words):
        described.check("size", value)


@pytest.mark.parametrize(
    ("limits", "text", "good", "bad"),
    [
        ({"low": 0}, "at least 0", [0, 0.5], [-1]),
        ({"low": 0, "exclusive": True}, "above 0", [1e-9], [0, -1]),
        ({"high": 2.5}, "at most 2.5", [2.5, -9], [2.6]),
        ({"low": 1, "high": 3}, "in 1..3", [1, 3], [0, 4]),
    ],
)
def test_the_range_in_words_is_the_range_that_is_checked(limits, text, good, bad):
    described = Option("Size", "Its size.", **limits)
    assert described.range_text == text
    for value in good:
        described.check("size", value)
    for value in bad:
        refused(described, value, f"size must be {text}, got {value}".replace("..", r"\.\."))


def test_numbers_inside_lists_and_tables_are_checked_with_their_place():
    described = Option("Size", "", low=0)
    described.check("size", ((1, 2), (3, 4)))
    refused(described, ((1, 2), (3, -4)), "size must be at least 0, got -4")
    refused(described, {"a": 1, "b": -2}, r"size\['b'\] must be at least 0, got -2")
    Option("Size", "", low=1).check("size", False)  # not a number


def test_choices_and_empty_values():
    refused(Option("", "", choices=("a", "b")), "c", "one of a, b, got 'c'")
    for empty in ("", "  ", (), None):
        refused(Option("", "", filled=True, example="1 2"), empty, "needed and must not be empty")
    Option("", "").check("size", "")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("raster", ["a.tif", "a.TIFF"], ["a.png", "tif"]), ("page", ["a.html", "a.HTM"], ["a.pdf"]),
        ("table", ["a.csv"], ["a.txt"]), ("polygons", ["a.gpkg", "a.parquet"], ["a.kml", ".gpkg", "a.GPKG"]),
    ],
)  # fmt: skip
def test_suffixes_of_outputs(kind, good, bad):
    for path in good:
        Option("", "", writes=kind).check("o", path)
    for path in bad:
        with pytest.raises(RequestError, match="o must end in"):
            Option("", "", writes=kind).check("o", path)


def test_no_vector_file_is_one():
    vector_path("o", None)


def test_units_are_shown_with_the_title():
    assert Option("Area", "", unit="m²").label() == "Area (m²)"
    assert Option("Area", "").label() == "Area"


def test_the_section_is_shown_with_advanced_titles():
    assert Option("Size", "", unit="px", advanced=True, section="Image").label() == "Image: Size (px)"
    assert Option("Size", "", section="Image").label() == "Size"


@pytest.mark.parametrize("request_class", sorted({task.request for task in TASKS.values()}, key=str))
def test_sections_are_known_and_every_choice_has_a_word(request_class):
    for item in request_class.described():
        assert item.option.section in SECTIONS
        assert len(item.option.words) in (0, len(item.option.choices))


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_numbers_are_short_and_the_same_number(value):
    assert float(number_text(value)) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("value", "text"), [(1e6, "1000000"), (0.02, "0.02"), (1e-10, "1e-10"), (3, "3"), (-0.5, "-0.5")]
)
def test_texts_of_numbers(value, text):
    assert number_text(value) == text


@dataclass(frozen=True)
class Small(Request):
    size: int = option(title="Size", help="How large.", low=1)
    names: "tuple[str, ...]" = option(factory=tuple, title="Names", help="All names.")
    note: str = "plain"


Small.__annotations__.update(size="int", note="str")


def test_fields_without_a_default_are_required_and_must_be_filled():
    size, names, note = fields(Small)
    assert size.default is MISSING
    assert description_of(size.metadata).filled
    assert not description_of(names.metadata).filled
    assert names.default_factory() == ()
    assert description_of(note.metadata) is None


class TestTasks:
    @pytest.mark.parametrize("name", TASKS)
    def test_every_file_of_a_request_is_an_input_or_an_output(self, name):
        task = TASKS[name]
        described = {item.name: item.option for item in task.request.described()}
        files = {*task.inputs, *task.outputs, *filter(None, [task.folder])}
        assert len(task.inputs) + len(task.outputs) + (task.folder is not None) == len(files)
        folders = {key for key, own in described.items() if own.reads == "folder"}
        assert files | folders == {key for key, own in described.items() if own.reads or own.writes}

    def test_a_request_belongs_to_one_task(self):
        assert len({task.request for task in TASKS.values()}) == len(TASKS)
        request = TASKS["polygonize"].request("a.tif", "o.gpkg")
        assert task_of(request) is TASKS["polygonize"]

    def test_paths_that_are_not_given_are_left_out(self):
        assert paths({"a": "x", "b": None, "c": "", "e": ("y", "z")}, ("a", "b", "c", "d", "e")) == ["x", "y", "z"]

    def test_kinds_of_outputs(self):
        task = TASKS["segment_raster"]
        assert isinstance(task, Task)
        assert task.rasters == ("output", "confidence", "novelty", "probabilities")
        assert task.pages == ("report",)
        assert set(task.vectors) == {"polygons", "buildings", "roads"}
        assert (TASKS["segment_folder"].tree, TASKS["segment_folder"].outputs) == (True, ())
