"""The command line, ``landcover``."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.cli import accuracy, buildings, change, installation, polygons, report, roads, segment
from dubai_landcover_plugin.cli.options import SETTINGS
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.errors import LandCoverError, RunCancelled

CANCELLED = 130  # exit status, as of a program that Ctrl+C ended
WRONG_USE = 2


class _Commands(click.Group):
    """Commands in the order in which they are added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names for the help."""
        return list(self.commands)


@click.group(cls=_Commands, context_settings={**SETTINGS}, no_args_is_help=False)
@click.version_option(
    __version__, prog_name="landcover", message="%(prog)s %(version)s", help="Print the version and exit."
)
def landcover() -> None:
    """Land-cover maps from aerial and satellite images."""


for _command in (
    segment.SEGMENT,
    segment.BATCH,
    polygons.POLYGONS,
    buildings.BUILDINGS,
    roads.ROADS,
    report.REPORT,
    accuracy.ACCURACY,
    accuracy.SAMPLE,
    change.CHANGE,
    installation.MODELS,
    installation.DOCTOR,
):
    landcover.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 1 failed, 2 wrong use, 130 cancelled."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be anything
    monitor = TerminalMonitor()
    # An explicit list: click would expand patterns such as *.tif on Windows.
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(landcover.main(words, prog_name="landcover", standalone_mode=False, obj=monitor) or 0)
    except RunCancelled as error:
        monitor.finish()
        monitor.log("error", f"landcover: {error.message}")
        return CANCELLED
    except (KeyboardInterrupt, click.Abort):
        monitor.finish()
        return CANCELLED
    except LandCoverError as error:
        monitor.finish()
        monitor.log("error", f"landcover: {error}")
        return 1
    except click.ClickException as error:
        monitor.log("error", _usage(error))
        return WRONG_USE


def _usage(error: click.ClickException) -> str:
    """Return the message of a wrong use in one line, with the command that shows the help."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "landcover"
    return f"{path}: {' '.join(error.format_message().split())} Try '{path} --help'."
