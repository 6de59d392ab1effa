"""Command line: ``python -m training train|evaluate|export``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial

from dubai_landcover_plugin.core.errors import LandCoverError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except LandCoverError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train land-cover models.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a network")
    train.add_argument("config", help="TOML file, see training/configs")
    train.add_argument("--data", required=True, help="folder with 'Tile N/images' and 'Tile N/masks'")
    train.add_argument("--run", dest="folder", required=True, help="folder of the run, e.g. runs/dubai")
    train.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    train.set_defaults(run=_train)
    return parser


def _train(options: argparse.Namespace) -> None:
    from training.config import load_config
    from training.train import Run, load_split

    say = partial(print, flush=True)
    config = load_config(options.config)
    training, validation = load_split(options.data, config.data.validate_tiles, say)
    Run(config, training, validation, options.folder, options.resume).go(say=say)


if __name__ == "__main__":
    sys.exit(main())
