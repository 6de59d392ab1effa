"""The command ``train``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

import click

from dubai_landcover_plugin.cli.terminal import say
from dubai_landcover_plugin.cli.values import Command

from .options import CONTEXT, argument, setting_option

PACKAGE = __package__.rpartition(".")[0]


@click.command(cls=Command, context_settings=CONTEXT)
@argument("config", "TOML file, or the name of a configuration that ships: dubai, finetune, own, published, world.")
@click.option("--data", required=True, metavar="FOLDER", help="Data folder; its layouts are in docs/training.md.")
@click.option("--run", "folder", required=True, metavar="FOLDER", help="Folder of the run, for example runs/own.")
@setting_option("Override a value of the configuration, for example optimizer.steps=200; may be repeated.")
@click.option("--resume", is_flag=True, help="Continue from the last checkpoint in the folder if there is one.")
@click.option(
    "--start-from",
    metavar="MODEL",
    help="Initial weights: installed model, model file or checkpoint; the result is compared with it.  "
    "[default: start.model of the configuration]",
)
@click.option(
    "--name",
    default="",
    metavar="NAME",
    help="Name of the model, for the export: at least three characters, of letters, digits, spaces and _ . -.  "
    "[default: that of the folder of the run]",
)
def train(
    config: str, data: str, folder: str, settings: Sequence[str], resume: bool, start_from: str | None, name: str
) -> None:
    """Train a network, or fine-tune a model: train finetune --data FOLDER --run FOLDER.

    Several devices and nodes are described in docs/training.md.
    """
    from ..config import load_config
    from ..data.chips import draw_scenes
    from ..data.ground_samples import ground_samples
    from ..data.places import place_names
    from ..data.splits import make_split
    from ..data.values import are_stretched, value_statistics
    from ..exports.stac import check_name, is_name
    from ..exports.trial import check_export
    from ..loop.checkpoint import BEST, LAST, START
    from ..loop.disk_space import check_space
    from ..loop.initialization import make_fabric
    from ..loop.opening import open_training_data
    from ..loop.start import read_start
    from ..loop.train import Run

    if name:
        check_name(name)
    configuration = load_config(config, settings)
    fabric = make_fabric(configuration.run)  # first, so that only the process with rank 0 reports
    report = say if fabric.is_global_zero else _ignore
    resumed = resume and (Path(folder) / START).is_file()  # the start as it was, even if its file has gone
    source = Path(folder) / START if resumed else start_from or configuration.start.model
    start = read_start(source) if source else None
    configuration, dataset, bands = open_training_data(configuration, data, start, report)
    split = make_split(dataset, configuration.split, report)
    values = value_statistics(split.training, are_stretched(dataset.entries, bands))
    place_of = place_names(dataset)
    scenes = draw_scenes(configuration.data, dataset.scheme, configuration.model.gsd)
    ground = ground_samples(
        ((place_of.get(image.name, image.name), image.at_model_gsd()) for image in split.training), scenes
    )
    run = Run(
        configuration,
        split,
        dataset.scheme,
        folder,
        resume,
        start,
        dataset.title,
        fabric,
        report,
        bands,
        values,
        ground,
        scenes,
    )
    if fabric.is_global_zero:
        check_space(run.folder, run.model)
    check_export(run.checkpoint(), run.model, name)
    run.go()
    weights = run.folder / (BEST if (run.folder / BEST).is_file() else LAST)
    if run.comparison and not run.comparison["better"]:
        report(f"{weights} has the weights of the start: keep using {run.started_from}, or add labelled images.")
        return
    name = name or (run.folder.name if is_name(run.folder.name) else "NAME")
    model = shlex.quote(f"{name}.safetensors")
    report(f"Export the model with: python -m {PACKAGE} export {shlex.quote(str(weights))} {model}")


def _ignore(text: str) -> None:
    pass
