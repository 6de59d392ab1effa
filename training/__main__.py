"""Command line of training: ``python -m training --help``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.cli.program import Program, prepare_streams
from dubai_landcover_plugin.cli.terminal import TerminalMonitor

from .commands.evaluate import calibrate, evaluate
from .commands.export import card, export, graphs, precisions, quantize, statistics
from .commands.inspect import inspect
from .commands.options import CONTEXT
from .commands.reproduce import reproduce_published
from .commands.tools import TOOLS
from .commands.train import train

PROGRAM = f"python -m {__package__}"


class _Commands(click.Group):
    """Commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names for the help."""
        return list(self.commands)


@click.group(cls=_Commands, context_settings=CONTEXT, no_args_is_help=False)
@click.version_option(
    __version__, prog_name=PROGRAM, message="%(prog)s %(version)s", help="Print the version and exit."
)
def training() -> None:
    """Train, evaluate and export land-cover models."""


for _command in (
    inspect,
    train,
    evaluate,
    calibrate,
    export,
    graphs,
    quantize,
    precisions,
    statistics,
    card,
    reproduce_published,
    *TOOLS,
):
    training.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0 done, 1 failed, 2 wrong use, 130 interrupted."""
    prepare_streams()
    monitor = TerminalMonitor()
    words = sys.argv[1:] if arguments is None else list(arguments)
    resumable = words[:1] == [train.name]  # the other commands leave no checkpoint
    return Program(
        PROGRAM,
        "error",
        training,
        "Interrupted. Continue the run from its last checkpoint with train --resume." if resumable else "Interrupted.",
        "Continue the run with train --resume." if resumable else "",
        training=True,
    ).run(words, monitor, monitor.finish)


if __name__ == "__main__":
    sys.exit(main())
