"""Options of the commands: where they come from, and how their values are read."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from dubai_landcover_plugin.cli.main import landcover, main
from dubai_landcover_plugin.cli.options import request_of
from dubai_landcover_plugin.protocol.requests.assessment import AccuracyRequest, AccuracySampleRequest
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, RecodeRequest
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from tests.factories import ROOT

SEGMENT_OPTIONS = (
    "--model --bands --min-confidence --window --overlap --batch --memory --device --runtime --precision --cog --keep "
    "--tta --gsd-mode --gsd --crs --nodata --stretch --limits --pixel-space --min-area --simplify --overwrite "
    "--workers --scheduler --probabilities "
)
OPTIONS = {
    "segment": SEGMENT_OPTIONS
    + "--request --extent --within --confidence --novelty --polygons --buildings --roads --report",
    "batch": SEGMENT_OPTIONS + "--pattern --recursive --polygons --confidence --novelty --report --redo",
    "polygons": "--classes --format --confidence --corners --min-area --simplify --overwrite",
    "buildings": "--tolerance --min-iou --diagonals --split --min-part --obstacles --overwrite",
    "roads": "--nodes --class --confidence --barriers --max-gap --spur --min-length --max-width --max-hole --simplify "
    "--overwrite",
    "report": "--csv --zones --zone-field --zones-layer --confidence --title --colours --overwrite",
    "accuracy": "--field --report --table --overwrite",
    "sample": "--standard-error --expected-accuracy --expected --size --allocation --min-per-class --seed --overwrite",
    "change": "--polygons --csv --report --earlier-confidence --later-confidence --min-confidence --min-area "
    "--correct-shift --overwrite",
    "correct": "--brush --polygons --buildings --roads --confidence --building-class --road-class --min-area "
    "--simplify --scheme --overwrite",
    "recode": "--classes --within --polygons --buildings --roads --confidence --building-class --road-class --min-area "
    "--simplify --scheme --overwrite",
    "reclassify": "--weights --minimums --min-confidence --average --confidence --uncertainty --measure --polygons "
    "--buildings --roads --building-class --road-class --min-area --simplify --overwrite",
    "teach": "--new-classes --class-field --brush --model-title --model --bands --gsd --overwrite",
    "preview": "--extent --confidence --model --bands --min-confidence --gsd --stretch --overwrite",
    "label-layer": "--places --sampling --count --size --new-classes --seed --model --bands --overwrite",
    "models": "",
    "doctor": "",
}
"""Names that scripts of users rely on. New ones may be added; none may go."""
REQUESTS = {
    "segment": [SegmentationRequest],
    "batch": [FolderRequest],
    "polygons": [PolygonizeRequest, ClassFilesRequest],
    "buildings": [BuildingsRequest],
    "roads": [RoadsRequest],
    "report": [ReportRequest],
    "accuracy": [AccuracyRequest],
    "sample": [AccuracySampleRequest],
    "change": [ChangeRequest],
    "correct": [CorrectionsRequest],
    "recode": [RecodeRequest],
    "reclassify": [ReclassifyRequest],
}


def command_of(name: str) -> click.Command:
    return landcover.get_command(click.Context(landcover), name)


def options_of(command: str) -> set[str]:
    return {name for item in command_of(command).params for name in item.opts if name.startswith("--")}


def values(command: str, words: str) -> dict:
    """Return the values that were given to a command."""
    context = command_of(command).make_context(command, words.split())
    return {name: value for name, value in context.params.items() if value not in (None, False)}


@pytest.mark.parametrize("command", OPTIONS)
def test_commands_keep_their_options(command):
    assert {*OPTIONS[command].split(), "--json"} <= options_of(command)


def test_there_are_no_other_commands():
    assert set(landcover.list_commands(click.Context(landcover))) == set(OPTIONS)


@pytest.mark.parametrize("command", OPTIONS)
def test_every_option_and_argument_has_help(command):
    context = click.Context(command_of(command), info_name=command)
    for item in command_of(command).get_params(context):
        text = item.help if isinstance(item, click.Option) else item.text
        assert text, item.name
        assert len(text) > 10, item.name
    assert command_of(command).get_short_help_str(60).endswith(".")


@pytest.mark.parametrize("command", REQUESTS)
def test_every_option_of_a_request_is_in_the_command(command):
    params = {item.name for item in command_of(command).params}
    expected = {item.name for request in REQUESTS[command] for item in request.described()}
    assert expected - {"output_folder"} <= params


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.tif o.tif --nodata -3.4e38", {"nodata": -3.4e38}),
        ("a.tif o.tif --nodata=-9999", {"nodata": -9999.0}),
        ("a.tif --tta o.tif", {"tta": True}),
        ("--bands 4 1 2 a.tif o.tif", {"bands": (4, 1, 2)}),
        ("a.tif o.tif --bands 4,1,2", {"bands": (4, 1, 2)}),
        ("a.tif --bands=4,1,2 o.tif", {"bands": (4, 1, 2)}),
        ("--limits -100:155 a.tif o.tif", {"limits": ((-100.0, 155.0),)}),
        ("a.tif o.tif --limits 0:3000 -1:3000 0:2.5e3", {"limits": ((0, 3000), (-1, 3000), (0, 2500))}),
        ("--limits 0:1,2:3 a.tif o.tif", {"limits": ((0, 1), (2, 3))}),
        ("--extent -5 -10 5.5 1e3 a.tif o.tif", {"extent": (-5, -10, 5.5, 1000)}),
        ("--extent 1,2,3,4 a.tif o.tif", {"extent": (1, 2, 3, 4)}),
        ("--crs --odd a.tif o.tif", {"crs": "--odd"}),
    ],
)
def test_values_of_segment(words, expected):
    assert values("segment", words) == {"input": "a.tif", "output": "o.tif", **expected}


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        ("polygons", "--classes Water,Road i.tif o", {"classes": ("Water", "Road")}),
        ("polygons", "i.tif o --classes Water Road --format gpkg", {"classes": ("Water", "Road"), "suffix": ".gpkg"}),
        ("polygons", "i.tif o --format .fgb", {"suffix": ".fgb"}),
        ("roads", "i.tif o --barriers", {"barriers": ()}),
        ("roads", "i.tif o --barriers --class Street", {"barriers": (), "class_name": "Street"}),
        ("sample", "--expected Road=0.6 Water=1 i.tif o", {"expected": ("Road=0.6", "Water=1")}),
    ],
)
def test_values_of_other_commands(command, words, expected):
    found = values(command, words)
    assert {name: found[name] for name in expected} == expected


def test_what_follows_two_dashes_is_an_argument():
    assert values("segment", "--bands 1 -- -a.tif --tta") == {"bands": (1,), "input": "-a.tif", "output": "--tta"}


def test_tables_become_numbers_of_the_request():
    request = request_of(AccuracySampleRequest, {"input": "a", "output": "p.gpkg", "expected": ("Road=0.6",)})
    assert request.expected == {"Road": 0.6}


def test_options_that_are_not_given_keep_the_defaults_of_the_request():
    request = request_of(SegmentationRequest, {"input": "a", "output": "o.tif", "window": 64})
    assert request.options.window == 64
    assert request.options.min_area == 20.0
    assert request.options.bands is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "landcover: Missing command."),
        ("fly", "No such command 'fly'."),
        ("segment a o --windoww 3", "'--windoww'"),
        ("segment a o --window wide", "'wide' is not a valid integer"),
        ("segment a o --bands one", "'one' is not a list of whole numbers"),
        ("segment a o --limits 5", "'5' is not a list of LOW:HIGH pairs"),
        ("segment a o --device tpu", "'tpu' is not one of 'auto'"),
        ("segment a o --workers 0", "--workers"),
        ("segment a o.tif --workers 2 --scheduler x", "exclude each other"),
        ("polygons a o --format dxf", "'dxf' is not one of 'gpkg'"),
        ("roads a", "Missing argument 'OUTPUT'"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_help(words, message, capsys):
    assert main(words.split()) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert message in line
    assert "--help'." in line
    assert not printed.out


def test_version_and_help_end_well(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("landcover ")
    assert main(["segment", "--help"]) == 0
    assert "[px; 16..8192]" in capsys.readouterr().out


def test_the_command_line_loads_nothing_heavy():
    program = (
        "import sys; import dubai_landcover_plugin.cli.main as cli; cli.main(['segment', '--help']);"
        "sys.exit(','.join({'torch', 'numpy', 'rasterio', 'shapely'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stderr.strip() == ""
    assert "--bands" in done.stdout
