"""Values in JSON of unknown origin: what is read, and what is refused."""

import json
import math

import pytest

from dubai_landcover_plugin.protocol.json_values import (
    MAX_DEPTH,
    array,
    mapping,
    number,
    numbers,
    parse_json,
    text,
    whole,
)


@pytest.mark.parametrize("value", [None, 1, "a", [], {}, {"a": [1, {"b": "Wohngebäude"}]}, 10**30])
def test_values_come_back(value):
    assert parse_json(json.dumps(value)) == value
    assert parse_json(json.dumps(value).encode()) == value


def test_the_depth_is_limited():
    deepest = "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH
    assert parse_json(deepest)
    objects = '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)
    for content in (f"[{deepest}]", objects, "[" * 100_000, '{"a":' * 100_000):
        with pytest.raises(ValueError, match=r"32 levels|Expecting"):
            parse_json(content)


@pytest.mark.parametrize(
    "content", ["", "{", '"\\ud800"', '{"\\udfff": 1}', '["a", {"b": ["\\ud800"]}]', b"\xff", b"\xff\xfe\x00"]
)
def test_what_is_not_json_or_not_text_is_refused(content):
    with pytest.raises(ValueError):  # noqa: PT011 (several kinds)
        parse_json(content)


@pytest.mark.parametrize("value", [0, 1.5, -2, 1e300, 10**200])
def test_numbers(value):
    assert number(value) == float(value)


@pytest.mark.parametrize("value", [True, "1", None, float("nan"), float("inf"), -float("inf"), 10**400, 1e308, [1]])
def test_other_values_are_not_numbers(value):
    with pytest.raises(ValueError, match="number"):
        number(value)


def test_ranges_are_inclusive():
    assert (whole(1, 1, 3), whole(3, 1, 3), number(0.5, 0, 1)) == (1, 3, 0.5)
    for low_or_high in (0, 4):
        with pytest.raises(ValueError, match="in 1 to 3"):
            whole(low_or_high, 1, 3)
    with pytest.raises(ValueError, match="in 0 to 1"):
        number(1.5, 0, 1)
    for value in (True, 1.0, "1", None):
        with pytest.raises(ValueError, match="whole number"):
            whole(value, 0, 3)


def test_types_are_not_converted():
    assert (text("a"), array([1]), mapping({"a": 1})) == ("a", [1], {"a": 1})
    for check, wrong in ((text, 1), (text, "a" * 256), (array, "abc"), (array, {}), (mapping, [])):
        with pytest.raises(ValueError, match="needed"):
            check(wrong)


def test_lists_of_numbers_are_checked_as_single_numbers_are():
    assert numbers([0, 0.5, 255], 0, 255) == (0.0, 0.5, 255.0)
    assert all(type(one) is float for one in numbers([1, 2], 0, 255))
    assert numbers([], 0, 1) == ()
    for wrong in ([1, True], [math.nan], [0.5, -1], [256], ["1"], [None], "12", {}, [10**400]):
        with pytest.raises(ValueError, match=r"is needed, got"):
            numbers(wrong, 0, 255)
