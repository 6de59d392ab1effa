"""``landcover accuracy``."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.commands.command import Terminal, add_command, print_json


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    accuracy = add_command(commands, "accuracy", _accuracy, "compare a classified raster with the truth", polls=False)
    accuracy.add_argument("truth")
    accuracy.add_argument("classified")


def _accuracy(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.accuracy import compare_maps

    figures = compare_maps(parsed.truth, parsed.classified)
    if parsed.json:
        print_json(figures)
        return 0
    sys.stdout.write(f"accuracy {figures['accuracy']}  mIoU {figures['miou']}  ({figures['pixels']:,} px)\n")
    for name, of_class in figures["classes"].items():
        sys.stdout.write(f"{name:12s} " + "  ".join(f"{key} {value}" for key, value in of_class.items()) + "\n")
    return 0
