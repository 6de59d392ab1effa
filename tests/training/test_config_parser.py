"""Tables become dataclasses; settings from the command line are read as TOML with fewer quotes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from training.config_parser import build_section, override, require
from training.errors import ConfigError


@dataclass(frozen=True)
class Section:
    steps: int
    rate: float = 0.1
    name: str = "a"
    devices: int | str = 1
    tiles: tuple[str, ...] = ()
    scale: tuple[float, float] = (1.0, 2.0)
    on: bool = True
    arguments: dict[str, Any] = field(default_factory=dict)


KINDS = {"section": Section}


def test_values_get_the_declared_types() -> None:
    made = build_section("section", Section, {"steps": 3, "rate": 2, "tiles": ["a", "b"], "scale": [1, 2.5]})
    assert made == Section(3, 2.0, tiles=("a", "b"), scale=(1.0, 2.5))
    assert isinstance(made.rate, float)
    assert isinstance(made.scale[0], float)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ([1], r"\[section\] must be a table"),
        ({}, r"\[section\] lacks steps"),
        ({"steps": 1, "stepz": 2}, r"Unknown keys in \[section\]: stepz\. Known: steps, rate"),
        ({"steps": 1.0}, r"section\.steps must be a whole number, got 1\.0"),
        ({"steps": True}, "must be a whole number, got True"),
        ({"steps": 1, "rate": True}, "must be a number, got True"),
        ({"steps": 1, "on": 1}, "must be true or false, got 1"),
        ({"steps": 1, "name": 3}, "must be a text, got 3"),
        ({"steps": 1, "devices": 1.5}, "must be a whole number or a text, got 1.5"),
        ({"steps": 1, "scale": [1, 2, 3]}, "must be a list of 2, each a number"),
        ({"steps": 1, "tiles": "a"}, "must be a list, each a text, got 'a'"),
        ({"steps": 1, "tiles": ["a", 1]}, "must be a text, got 1"),
        ({"steps": 1, "arguments": 3}, "must be a table, got 3"),
    ],
)
def test_wrong_tables_are_refused_with_key_and_type(table: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_section("section", Section, table)


@pytest.mark.parametrize(
    ("setting", "key", "value"),
    [
        ("section.steps=7", "steps", 7), ("section.rate = 1e-3 ", "rate", 1e-3), ("section.on=false", "on", False),
        ("section.name=town", "name", "town"), ("section.name='a b'", "name", "a b"), ("section.name=12", "name", "12"),
        ("section.name=a=b", "name", "a=b"), ("section.devices=auto", "devices", "auto"),
        ("section.devices=2", "devices", 2), ("section.tiles=a,b", "tiles", ["a", "b"]),
        ("section.tiles=a", "tiles", ["a"]), ("section.tiles=['a,b']", "tiles", ["a,b"]),
        ("section.tiles=", "tiles", []), ("section.scale=0.5, 3", "scale", [0.5, 3]),
        ("section.arguments.width=16", "arguments", {"width": 16}),
        ("section.arguments.a.b=x", "arguments", {"a": {"b": "x"}}),
    ],
)  # fmt: skip
def test_settings_need_no_quotes_and_brackets(setting: str, key: str, value: object) -> None:
    assert override(KINDS, {}, [setting]) == {"section": {key: value}}


def test_later_settings_win_and_the_given_tables_stay() -> None:
    tables = {"section": {"steps": 1, "arguments": {"width": 4, "depth": 2}}, "other": {"x": 1}}
    changed = override(KINDS, tables, ["section.steps=2", "section.arguments.width=8", "section.steps=3"])
    assert changed == {"section": {"steps": 3, "arguments": {"width": 8, "depth": 2}}, "other": {"x": 1}}
    assert tables == {"section": {"steps": 1, "arguments": {"width": 4, "depth": 2}}, "other": {"x": 1}}


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("section.steps", "not of the form section.key=value"), ("steps=3", "not of the form"),
        ("section.=3", "not of the form"), ("section.arguments.=3", "not of the form"),
        ("sektion.steps=3", r"no section 'sektion' .*"), ("section.stepz=3", r"no key 'stepz' in \[section\]"),
        ("section.steps.x=3", r"section\.steps is not a table"),
    ],
)  # fmt: skip
def test_settings_of_another_form_are_refused(setting: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        override(KINDS, {}, [setting])


def test_a_value_inside_arguments_that_is_not_a_table_has_no_keys() -> None:
    with pytest.raises(ConfigError, match="'width' is not a table"):
        override(KINDS, {"section": {"arguments": {"width": 4}}}, ["section.arguments.width.x=1"])


def test_a_requirement_that_holds_is_silent() -> None:
    require(True, "never")
    with pytest.raises(ConfigError, match="too few") as caught:
        require(False, "too few", "Add some.")
    assert caught.value.remedy == "Add some."
