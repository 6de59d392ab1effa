"""Commands made from requests: every option of a request becomes an option of the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from dubai_landcover_plugin.cli.program import print_result
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.cli.values import Argument, Command, Suffix, Values, ValuesOption, is_assignment, pair
from dubai_landcover_plugin.protocol.requests.options import Described, number_text
from dubai_landcover_plugin.protocol.requests.request import Request, Result

_LISTS = {
    "tuple[int, ...]": Values("whole number", int),
    "tuple[str, ...]": Values("name", str),
    "tuple[float, float, float, float]": Values("number", float),
    "tuple[tuple[float, float], ...]": Values("LOW:HIGH pair", pair),
    "dict[str, float]": Values("NAME=VALUE pair", str, is_assignment),
}
_SINGLE: dict[str, Any] = {"int": click.INT, "float": click.FLOAT, "str": click.STRING}
_METAVARS = {
    "raster": "FILE.tif",
    "page": "FILE.html",
    "table": "FILE.csv",
    "folder": "FOLDER",
    "model": "FILE.safetensors",
}
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_Request = TypeVar("_Request", bound=Request)


@dataclass(frozen=True)
class Outcome:
    """Result of a command.

    Args:
        value: The result for ``--json``.
        lines: The result as text.
        status: Exit status.
    """

    value: Any
    lines: Iterable[str]
    status: int = 0


def command(
    name: str,
    text: str,
    params: Sequence[click.Parameter],
    run: Callable[[dict[str, Any], TerminalMonitor], Outcome],
    polls: bool = True,
) -> Command:
    """Return a command that runs ``run`` and prints its outcome.

    Args:
        name: Name on the command line.
        text: Help of the command; its first sentence is shown in the list of commands.
        params: Arguments and options, without ``--json``.
        run: Takes the given values by name and a monitor.
        polls: Whether ``run`` asks the monitor for cancellation, so that Ctrl+C lets it clean up.
    """

    def callback(json: bool, **values: Any) -> int:
        monitor = click.get_current_context().ensure_object(TerminalMonitor)
        given = {key: value for key, value in values.items() if value is not None}
        if polls:
            with monitor.listening():
                outcome = run(given, monitor)
        else:
            outcome = run(given, monitor)
        monitor.finish()
        _print(outcome, json)
        return outcome.status

    as_json = click.Option(["--json"], is_flag=True, help="Print the result as JSON.")
    return Command(
        name,
        params=[*params, as_json],
        callback=callback,
        help=text,
        context_settings={**SETTINGS},
        no_args_is_help=False,
    )


def tool_command(
    name: str,
    request: type[_Request],
    tool: str,
    lines: Callable[[Any], Iterable[str]],
    text: str,
) -> Command:
    """Return the command of a tool.

    Args:
        name: Name on the command line.
        request: The tool's request; its options become the command's.
        tool: Name of the tool in :mod:`dubai_landcover_plugin.core`.
        lines: Returns a result as lines of text.
        text: Help of the command.
    """

    def run(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
        from dubai_landcover_plugin import core

        result: Result = getattr(core, tool)(request_of(request, values), monitor)
        return Outcome(result.to_json(), lines(result))

    return command(name, text, parameters_of(request), run)


def parameters_of(request: type[Request], skip: Sequence[str] = ()) -> list[click.Parameter]:
    """Return arguments for the required options of a request and options for the others, except those in ``skip``."""
    return [parameter(item) for item in request.described() if item.name not in skip]


def parameter(item: Described, required: bool | None = None) -> click.Parameter:
    """Return the argument or option of the command line for an option of a request."""
    if item.required:
        return Argument(item.name, item.option.help, required=required is not False)
    names = [item.flag, item.name]
    text = _help(item)
    if item.kind == "bool":
        return click.Option(names, is_flag=True, default=None, help=text)
    if item.kind in _LISTS:
        return ValuesOption(names, type=_LISTS[item.kind], metavar=_list_metavar(item), help=text)
    kind = _SINGLE[item.kind]
    metavar: str | None = item.option.metavar or _METAVARS.get(item.option.writes or item.option.reads) or None
    if item.option.choices:
        metavar = None
        kind = click.Choice(item.option.choices)
        if item.option.choices[0].startswith("."):
            kind = Suffix([suffix[1:] for suffix in item.option.choices])
    elif item.option.writes or item.option.reads:
        metavar = metavar or "FILE"
    return click.Option(names, type=kind, metavar=metavar, help=text)


def request_of(request: type[_Request], values: dict[str, Any]) -> _Request:
    """Return a request with the given values.

    Raises:
        RequestError: for values out of range.
    """
    from dubai_landcover_plugin.protocol.requests.assessment import expected_accuracies

    tables = {item.name for item in request.described() if item.kind.startswith("dict")}
    return request.from_options(
        {name: expected_accuracies(value) if name in tables else value for name, value in values.items()}
    )


def _help(item: Described) -> str:
    """Return the help of an option with its unit, range and default."""
    option = item.option
    default = "" if item.kind == "bool" or item.default in (None, (), {}) else f"default: {_shown(item.default)}"
    notes = [note for note in (option.unit, option.range_text.removeprefix("in "), default) if note]
    return f"{option.help}  [{'; '.join(notes)}]" if notes else option.help


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return number_text(value)
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value).removeprefix(".")


def _list_metavar(item: Described) -> str:
    metavar = item.option.metavar
    return metavar if " " in metavar else f"{metavar}..."


def _print(outcome: Outcome, as_json: bool) -> None:
    if as_json:
        print_result(json.dumps(outcome.value, indent=2) + "\n")  # ASCII is JSON in every encoding
    else:
        print_result("".join(f"{line}\n" for line in outcome.lines))
