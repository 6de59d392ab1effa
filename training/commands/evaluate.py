"""The subcommands ``evaluate`` and ``calibrate``."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dubai_landcover_plugin.protocol.requests.segmentation import DEVICES, PRECISIONS

from ..errors import ConfigError

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.bundle.bundle import ModelBundle

    from ..config import TrainingConfig
    from ..data.dataset import Dataset
    from ..evaluation.figures import Evaluation
    from ..evaluation.selection import Selection


_MOST_BOUNDARY = 1000  # px; beyond it all of an image is border


def add_commands(commands: Any) -> None:
    """Add both to the command line."""
    evaluate = commands.add_parser("evaluate", help="compare a model file with labels, or pool such comparisons")
    evaluate.add_argument("model", nargs="?", help="model file, or name of an installed one")
    _add_choice(evaluate)
    _add_computation(evaluate)
    evaluate.add_argument("--tta", action="store_true", help="test-time augmentation")
    evaluate.add_argument("--window", type=int, metavar="PX", help="side of the windows; default the model's")
    evaluate.add_argument("--overlap", type=int, metavar="PX", help="of neighbouring windows; default an eighth")
    evaluate.add_argument("--boundary", type=int, metavar="PX", help="distance of the boundary IoU (5)")
    evaluate.add_argument(
        "--output", metavar="FILE.json", help="figures and counts; a .md and a .html appear beside it"
    )
    evaluate.add_argument("--log", metavar="log.csv", help="log of the training run, for curves on the page")
    evaluate.add_argument("--pictures", metavar="FOLDER", help="for a PNG of each image with labels and prediction")
    evaluate.add_argument("--pool", nargs="+", metavar="FILE.json", help="pool earlier evaluations instead")
    evaluate.set_defaults(run=_evaluate)

    calibrate = commands.add_parser("calibrate", help="fit a model file's temperature and store it in the file")
    calibrate.add_argument("model", help="model file")
    _add_choice(calibrate)
    _add_computation(calibrate)
    calibrate.add_argument("--temperature", type=float, help="store this one instead of fitting it")
    calibrate.add_argument("--dry-run", action="store_true", help="fit and tell, but leave the file as it is")
    calibrate.set_defaults(run=_calibrate)


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", metavar="FOLDER", help="labelled data, as for training")
    parser.add_argument(
        "--validation", action="store_true", help="only the images that the model's own training kept out"
    )
    parser.add_argument(
        "--config", metavar="FILE.toml", help="only the images that this configuration's split keeps out"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of it, e.g. split.fold=2"
    )
    parser.add_argument("--groups", nargs="+", default=[], metavar="NAME", help="only these places, e.g. tile1 tile3")
    parser.add_argument("--names", nargs="+", default=[], metavar="NAME", help="only these images")


def _add_computation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")


def _evaluate(options: argparse.Namespace) -> None:
    from ..evaluation.figures import load_evaluation, pool
    from ..evaluation.files import check_output, write_evaluation
    from ..evaluation.text import markdown
    from ..monitoring.curves import read_log

    if options.boundary is not None and not 0 <= options.boundary <= _MOST_BOUNDARY:
        raise ConfigError(f"--boundary must be in 0..{_MOST_BOUNDARY} px, got {options.boundary}.")
    log = read_log(options.log) if options.log else ()
    if options.output:
        check_output(options.output)  # before hours of work
    strips: dict[str, Any] = {}
    earlier = [load_evaluation(path) for path in options.pool or ()]
    evaluation = pool(earlier) if earlier else _compare(options, strips)
    print(f"\n{markdown(evaluation.to_json())}")
    if options.output:
        for path in write_evaluation(options.output, evaluation, log, strips):
            print(path)


def _compare(options: argparse.Namespace, strips: dict[str, Any]) -> Evaluation:
    from dubai_landcover_plugin.core.bundle.bundle import load_bundle
    from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions

    from ..evaluation.boundary import DISTANCE
    from ..evaluation.evaluate import evaluate
    from ..evaluation.page import STRIP_WIDTH
    from ..monitoring.pictures import save_comparison, strip

    if not options.model:
        raise ConfigError("There is no model to evaluate.", "Name one, or pool earlier evaluations with --pool.")
    bundle = load_bundle(options.model)
    config, dataset, selection = _choose(options, bundle)
    scheme = bundle.metadata.scheme

    def draw(image: Any, predicted: Any, result: Any) -> None:
        if options.output:
            strips[result.name] = strip(image, predicted, scheme, STRIP_WIDTH)
        if options.pictures:
            save_comparison(Path(options.pictures) / f"{result.name.replace('/', '_')}.png", image, predicted, scheme)

    return evaluate(
        bundle,
        dataset,
        selection,
        SegmentOptions(
            model=options.model,
            bands=config.data.bands or None,
            tta=options.tta,
            device=options.device,
            precision=options.precision,
            window=options.window,
            overlap=options.overlap,
        ),
        DISTANCE if options.boundary is None else options.boundary,
        partial(print, flush=True),
        draw,
    )


def _choose(options: argparse.Namespace, bundle: ModelBundle) -> tuple[TrainingConfig, Dataset, Selection]:
    """Return the configuration that names data and split, the data, and the images wanted."""
    from ..config import TrainingConfig, load_config
    from ..data.layouts import open_dataset
    from ..evaluation.selection import select

    if not options.data:
        raise ConfigError("There is no data.", "Give the folder of labelled data with --data.")
    if options.validation and options.config:
        raise ConfigError("--validation and --config both choose the images.", "Give one of them.")
    if options.set and not options.config:
        raise ConfigError("--set changes a configuration, but there is none.", "Give it with --config.")
    config = TrainingConfig()
    if options.config:
        config = load_config(options.config, options.set)
    elif options.validation:
        config = _own_config(bundle)
    dataset = open_dataset(config.data, options.data)
    split = config.split if options.config or options.validation else None
    return config, dataset, select(dataset, split, options.names, options.groups)


def _own_config(bundle: ModelBundle) -> TrainingConfig:
    from ..config import TrainingConfig

    try:
        return TrainingConfig.from_mapping(bundle.metadata.training["config"])
    except (KeyError, ConfigError) as error:
        raise ConfigError(
            f"The model '{bundle.metadata.name}' does not record which images its training held out: {error}.",
            "Give its configuration with --config, or choose images by --groups or --names.",
        ) from error


def _calibrate(options: argparse.Namespace) -> None:
    from dataclasses import replace

    from dubai_landcover_plugin.core.bundle.bundle import load_bundle
    from dubai_landcover_plugin.core.bundle.save import describe_anew
    from dubai_landcover_plugin.protocol.model_metadata import find_model

    from ..evaluation.calibration import LIMITS, fit_temperature, sample_logits
    from ..evaluation.evaluate import in_channels_of

    bundle = load_bundle(options.model)
    told: dict[str, Any] = {"temperature": options.temperature}
    low, high = LIMITS
    if options.temperature is not None and not low <= options.temperature <= high:
        raise ConfigError(f"--temperature must be in {low:g}..{high:g}, got {options.temperature:g}.")
    if options.temperature is None:
        _, dataset, selection = _choose(options, bundle)
        images = (in_channels_of(bundle.metadata.scheme, dataset.scheme, entry.load()) for entry in selection.entries)
        fitted = fit_temperature(*sample_logits(bundle, images, options.device, options.precision))
        told = {**fitted.to_json(), "images": selection.description}
        print(
            f"Temperature {fitted.temperature:.4g}. On {fitted.pixels:,} px the negative log likelihood goes from "
            f"{fitted.nll[0]:.4f} to {fitted.nll[1]:.4f}, the expected calibration error from {fitted.ece[0]:.4f} to "
            f"{fitted.ece[1]:.4f}. {selection.description}"
        )
    if options.dry_run:
        return
    path = find_model(options.model)
    training = {**bundle.metadata.training, "calibration": told}
    describe_anew(path, replace(bundle.metadata, temperature=float(told["temperature"]), training=training))
    print(f"{path} now has temperature {told['temperature']:.4g}.")
    print(f"Its card does not know yet: python -m {__package__.rpartition('.')[0]} card {path}")
