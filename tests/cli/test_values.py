"""Values of options: lists of any length between other arguments, negative numbers, pairs, suffixes."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from dubai_landcover_plugin.cli.values import Argument, Command, Suffix, Values, ValuesOption, is_assignment, pair

NUMBERS = Values("number", float)


@pytest.fixture
def run():
    """Run a command with two lists and a file; return what it got, or its error text."""
    seen = {}

    @click.command(cls=Command)
    @click.argument("source", cls=lambda names, **rest: Argument(names[0], "The raster.", **rest))
    @click.argument("target", cls=lambda names, **rest: Argument(names[0], "The result.", **rest), required=False)
    @click.option("--bands", cls=ValuesOption, type=NUMBERS)
    @click.option("--limits", cls=ValuesOption, type=Values("LOW:HIGH pair", pair))
    @click.option("--expected", cls=ValuesOption, type=Values("class=accuracy", str, is_assignment))
    @click.option("--nodata", type=float)
    @click.option("--title")
    @click.option("--tta", is_flag=True)
    def command(**values):
        seen.update(values)

    def call(words: str):
        seen.clear()
        result = CliRunner().invoke(command, words.split())
        return {key: value for key, value in seen.items() if value} if result.exit_code == 0 else result.output

    call.command = command
    return call


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.tif --bands 4 1 2", {"bands": (4, 1, 2)}),
        ("a.tif --bands 4,1,2", {"bands": (4, 1, 2)}),
        ("a.tif --bands 4, 1, 2", {"bands": (4, 1, 2)}),
        ("a.tif --bands=4,1", {"bands": (4, 1)}),
        ("a.tif --bands -3.5 -.5", {"bands": (-3.5, -0.5)}),
        ("--bands 4 1 2 a.tif", {"bands": (4, 1, 2)}),
        ("--bands 4,1 a.tif 7", {"bands": (4, 1), "target": "7"}),
        ("a.tif --bands 1 --tta", {"bands": (1,), "tta": True}),
        ("a.tif --limits -100:155 0:1e4 b.tif", {"limits": ((-100, 155), (0, 1e4)), "target": "b.tif"}),
        ("a.tif --expected Road=0.5 4=.8 b.tif", {"expected": ("Road=0.5", "4=.8"), "target": "b.tif"}),
        ("a.tif --nodata -3.4e38", {"nodata": -3.4e38}),
        ("a.tif --nodata -1 -- --bands", {"nodata": -1, "target": "--bands"}),
        ("a.tif --bands 4,1 7", {"bands": (4, 1), "target": "7"}),
        ("a.tif --title --bands", {"title": "--bands"}),
        ("a.tif --bands 4 --tta --bands=1 --bands 2 3", {"bands": (4, 1, 2, 3), "tta": True}),
        ("a.tif --bands 4 --bands 1 -- --bands", {"bands": (4, 1), "target": "--bands"}),
    ],
)
def test_lists_end_where_their_values_end(run, words, expected):
    assert run(words) == {"source": "a.tif", **expected}


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("a.tif --bands x", "'x' is not a list of numbers"),
        ("a.tif --limits 5", "'5' is not a list of LOW:HIGH pairs"),
        ("a.tif --limits a:b", "'a:b' is not a list"),
        ("a.tif --nope", "No such option"),
    ],
)
def test_wrong_values_are_refused(run, words, text):
    assert text in run(words)


def test_the_help_describes_arguments(run):
    output = CliRunner().invoke(run.command, ["--help"]).output
    assert output.index("Arguments:") < output.index("Options:")
    assert "The raster." in output


def test_pairs():
    assert pair("-1:2.5") == (-1, 2.5)
    for text in ("1", "a:b", ":"):
        with pytest.raises(ValueError, match=r"LOW:HIGH|could not convert"):
            pair(text)


@pytest.mark.parametrize("text", ["shp", ".shp"])
def test_suffixes_with_and_without_a_dot(text):
    assert Suffix(["shp", "gpkg"]).convert(text, None, None) == ".shp"
    with pytest.raises(click.BadParameter):
        Suffix(["shp"]).convert(".kml", None, None)


def test_a_value_that_is_parsed_already_stays():
    assert NUMBERS.convert((1.0,), None, None) == (1.0,)
    assert not NUMBERS.accepts("x")
    assert NUMBERS.accepts("1,2")
