"""``python -m training train``."""

from __future__ import annotations

import argparse
import shlex
from functools import partial
from typing import Any

PACKAGE = __package__.rpartition(".")[0]


def add_train(commands: Any) -> None:
    """Add the command to the parser's commands."""
    train = commands.add_parser(
        "train",
        help="train a network",
        description="Train a network. To use several devices or nodes see docs/training.md.",
    )
    train.add_argument("config", help="TOML file, or a shipped one: dubai, own")
    train.add_argument("--data", required=True, help="folder of images and labels; `inspect` tells what is in it")
    train.add_argument("--run", dest="folder", required=True, help="folder of the run, e.g. runs/dubai")
    train.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="change a value of the TOML file, e.g. --set optimizer.steps=200; may be repeated",
    )
    train.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint if there is one")
    train.add_argument(
        "--start-from", metavar="FILE", help="checkpoint of another run, or model file, whose weights are the start"
    )
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> None:
    from ..config import load_config
    from ..data.sources import open_data
    from ..data.splits import make_split
    from ..loop.checkpoint import BEST, LAST
    from ..loop.initialization import make_fabric
    from ..loop.train import Run

    config = load_config(options.config, options.settings)
    fabric = make_fabric(config.run)  # first, so that only one of several processes speaks
    report = partial(print, flush=True) if fabric.is_global_zero else _ignore
    dataset = open_data(config, options.data)
    split = make_split(dataset, config.split, report)
    run = Run(
        config,
        split,
        dataset.scheme,
        options.folder,
        options.resume,
        options.start_from,
        dataset.title,
        fabric,
        report,
    )
    run.go()
    weights = run.folder / (BEST if (run.folder / BEST).is_file() else LAST)
    report(f"To make a model file of it: python -m {PACKAGE} export {shlex.quote(str(weights))} NAME.safetensors")


def _ignore(text: str) -> None:
    pass
