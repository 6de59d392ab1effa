"""The command line, ``landcover``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.cli import (
    accuracy,
    buildings,
    change,
    corrections,
    installation,
    labels,
    polygons,
    preview,
    report,
    roads,
    segment,
    teach,
)
from dubai_landcover_plugin.cli.options import SETTINGS
from dubai_landcover_plugin.cli.program import Program, prepare_streams
from dubai_landcover_plugin.cli.terminal import TerminalMonitor


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
    corrections.CORRECT,
    corrections.RECODE,
    corrections.RECLASSIFY,
    teach.TEACH,
    preview.PREVIEW,
    labels.LABEL_LAYER,
    installation.MODELS,
    installation.DOCTOR,
):
    landcover.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 1 failed, 2 wrong use, 130 cancelled."""
    prepare_streams()
    monitor = TerminalMonitor()
    return Program("landcover", "landcover", landcover).run(arguments, monitor, monitor.finish)
