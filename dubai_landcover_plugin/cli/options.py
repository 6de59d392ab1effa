"""What all commands share."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any, Protocol

from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions


class Terminal(Monitor, Protocol):
    """A monitor that shows progress where the outcome will be printed."""

    def finish(self) -> None:
        """Clear the progress line; to be called before the outcome is printed."""


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace, Terminal], int], text: str, polls: bool = True
) -> argparse.ArgumentParser:
    """Add a command and return its parser.

    Args:
        commands: The subparsers of ``landcover``.
        name: What the user types.
        run: Does it and returns the exit status.
        text: One line of help.
        polls: Whether it looks at the monitor, so that Ctrl+C lets it tidy up; others end at once.
    """
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    command.add_argument("--json", action="store_true", help="print the outcome as JSON")
    command.set_defaults(run=run, polls=polls)
    return command


def print_json(value: Any) -> None:
    """Print an outcome for programs."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")  # ASCII is JSON in every encoding


def add_polygon_options(parser: argparse.ArgumentParser) -> None:
    """Add what shapes polygons."""
    parser.add_argument(
        "--min-area", type=float, default=SegmentOptions.min_area, help="smallest polygon, m² (%(default)s)"
    )
    parser.add_argument("--simplify", type=float, default=SegmentOptions.simplify, help="tolerance, m (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
