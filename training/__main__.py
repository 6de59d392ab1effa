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
    train.add_argument("--start-from", help="checkpoint of another run whose weights are the start")
    train.set_defaults(run=_train)
    evaluate = commands.add_parser("evaluate", help="compare a model file with labels")
    evaluate.add_argument("model", help="model file, or name of an installed one")
    evaluate.add_argument("--data", required=True, help="folder with 'Tile N/images' and 'Tile N/masks'")
    evaluate.add_argument("--tiles", type=int, nargs="+", help="only these tiles")
    evaluate.add_argument("--output", help="JSON file for the figures")
    evaluate.add_argument("--pictures", help="folder for pictures of image, labels and prediction")
    evaluate.set_defaults(run=_evaluate)
    export = commands.add_parser("export", help="make a model file and its card from a checkpoint")
    export.add_argument("checkpoint", help="for example runs/dubai/last.ckpt")
    export.add_argument("output", help="for example resources/models/dubai.safetensors")
    export.add_argument("--validation", help="validation.json whose figures describe the model")
    export.add_argument("--split", default="", help="how those validation images were chosen, in words")
    export.add_argument("--trained-by", default="", help="command line that trained the model, for the card")
    export.set_defaults(run=_export)
    return parser


def _train(options: argparse.Namespace) -> None:
    from training.config import load_config
    from training.train import Run, load_split

    say = partial(print, flush=True)
    config = load_config(options.config)
    training, validation = load_split(options.data, config.data.validate_tiles, say)
    Run(config, training, validation, options.folder, options.resume, options.start_from).go(say=say)


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import evaluate_bundle

    evaluate_bundle(options.model, options.data, options.tiles, options.output, options.pictures)


def _export(options: argparse.Namespace) -> None:
    from training.export import export_bundle

    metadata = export_bundle(options.checkpoint, options.output, options.validation, options.split, options.trained_by)
    print(f"{options.output}: {metadata.title}, {metadata.parameters:,} weights")


if __name__ == "__main__":
    sys.exit(main())
