"""The command line, ``landcover``."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

import click

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.cli.options import SETTINGS
from dubai_landcover_plugin.cli.program import Program, prepare_streams
from dubai_landcover_plugin.cli.terminal import TerminalMonitor

_COMMANDS = {
    "segment": "segment.SEGMENT",
    "batch": "segment.BATCH",
    "polygons": "polygons.POLYGONS",
    "buildings": "buildings.BUILDINGS",
    "roads": "roads.ROADS",
    "report": "report.REPORT",
    "accuracy": "accuracy.ACCURACY",
    "sample": "accuracy.SAMPLE",
    "change": "change.CHANGE",
    "correct": "corrections.CORRECT",
    "recode": "corrections.RECODE",
    "reclassify": "corrections.RECLASSIFY",
    "teach": "teach.TEACH",
    "preview": "preview.PREVIEW",
    "label-layer": "labels.LABEL_LAYER",
    "models": "installation.MODELS",
    "doctor": "installation.DOCTOR",
}
"""Module and variable of each command, in the order of the help; those that a run does not need are not imported."""


class _Commands(click.Group):
    """Commands that are imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names for the help."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name; None if there is none."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, variable = _COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(import_module(f"{__package__}.{module}"), variable)
        return command


@click.group(cls=_Commands, context_settings={**SETTINGS}, no_args_is_help=False)
@click.version_option(
    __version__, prog_name="landcover", message="%(prog)s %(version)s", help="Print the version and exit."
)
def landcover() -> None:
    """Land-cover maps from aerial and satellite images."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 1 failed, 2 wrong use, 130 cancelled."""
    prepare_streams()
    monitor = TerminalMonitor()
    return Program("landcover", "landcover", landcover).run(arguments, monitor, monitor.finish)
