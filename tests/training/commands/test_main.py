"""The command line itself: version, help, wrong use, lists of words."""

from __future__ import annotations

import click
import pytest

from dubai_landcover_plugin import __version__
from training.__main__ import main, training
from training.commands.evaluate import evaluate


def test_it_prints_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"python -m training {__version__}\n"


def test_help_lists_the_commands_in_the_order_of_their_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    listed = [line.split()[0] for line in printed.partition("Commands:\n")[2].splitlines()]
    expected = [
        "inspect",
        "train",
        "evaluate",
        "calibrate",
        "export",
        "graphs",
        "quantize",
        "precisions",
        "statistics",
        "card",
    ]
    tools = ["sample-data", "check-labels", "train-model", "evaluate-model", "export-model"]
    assert listed == [*expected, "reproduce-published", *tools]


@pytest.mark.parametrize("name", training.commands)
def test_every_option_and_argument_has_help(name: str) -> None:
    for parameter in training.commands[name].params:
        text = parameter.help if isinstance(parameter, click.Option) else parameter.text
        assert text.partition("  [")[0].endswith("."), parameter.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "python -m training: Missing command."),
        (["trian"], "No such command 'trian'"),
        (["train", "own"], "python -m training train: Missing option '--data'"),
        (["card"], "Missing argument 'MODEL'"),
        (["evaluate", "m", "--window", "wide"], "Invalid value for '--window'"),
        (["calibrate", "m", "--device", "abacus"], "Invalid value for '--device'"),
    ],
)
def test_wrong_use_ends_with_status_2(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert "--help'." in printed


def test_options_with_words_take_all_up_to_the_next_option() -> None:
    arguments = ["model", "--groups", "tile1", "tile 3", "--pool", "a,b.json", "c.json", "--tta", "--names", "x/1"]
    values = evaluate.make_context("evaluate", arguments).params
    assert values["groups"] == ("tile1", "tile 3")
    assert values["pool"] == ("a,b.json", "c.json")
    assert values["names"] == ("x/1",)
    assert (values["model"], values["tta"], values["settings"]) == ("model", True, ())
    assert evaluate.make_context("evaluate", ["--groups=a"]).params["groups"] == ("a",)
