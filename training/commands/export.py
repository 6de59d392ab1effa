"""The commands ``export``, ``graphs``, ``quantize``, ``precisions``, ``statistics`` and ``card``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dubai_landcover_plugin.cli.values import Command

from .evaluate import Choice, choice_options, choose_images
from .options import CONTEXT, argument

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.bundle.save import Storage


@click.command(cls=Command, context_settings=CONTEXT)
@argument("source", "Checkpoint, for example runs/own/best.ckpt, or a .safetensors model file.")
@argument("output", "File ending in .safetensors or .onnx; its stem is the name of the model.")
@click.option("--title", default="", metavar="TEXT", help="Title of the model, one sentence.")
@click.option("--figures", metavar="FILE.json", help="Evaluation of the model, whose metrics are stored in the file.")
@click.option("--split", default="", metavar="TEXT", help="Description of the evaluated images.")
@click.option("--trained-by", "command", default="", metavar="TEXT", help="Command line of the training, for the card.")
@click.option("--notes", metavar="FILE.md", help="Markdown file with observations, copied to the card.")
@click.option(
    "--licence", default="", metavar="SPDX", help="SPDX identifier of the licence.  [default: GPL-2.0-or-later]"
)
@click.option(
    "--data",
    metavar="FOLDER",
    help="The export is compared with its source on the first image of this folder, and on noise.",
)
@click.option(
    "--fixed-window",
    type=int,
    metavar="PX",
    help="Fixed input size of the ONNX file, which Deepness requires.  [default: any size]",
)
@click.option(
    "--storage",
    type=click.Choice(("float32", "float16", "int8")),
    default="float16",
    show_default=True,
    help="How a model file stores weights. int8 halves its size again; it is computed as the others are.",
)
@click.option(
    "--graphs/--no-graphs",
    default=True,
    show_default=True,
    help="Add the graphs that OpenVINO reads to a model file, so that runs need no PyTorch.",
)
@click.option("--stac", is_flag=True, help="Also write the STAC item as a JSON file next to the model.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file.")
def export(
    source: str,
    output: str,
    title: str,
    figures: str | None,
    split: str,
    command: str,
    notes: str | None,
    licence: str,
    data: str | None,
    fixed_window: int | None,
    storage: Storage,
    graphs: bool,
    stac: bool,
    overwrite: bool,
) -> None:
    """Write a model file with its card, or an ONNX file."""
    from ..exports.export import Remarks, export_model

    remarks = Remarks(title=title, figures=figures, split=split, command=command, notes=notes, licence=licence)
    export_model(source, output, remarks, data, fixed_window, stac, overwrite=overwrite, storage=storage, graphs=graphs)


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "A .safetensors model file, modified in place.")
@click.option(
    "--data", metavar="FOLDER", help="Data folder, whose labels are not used; with it, the int8 graph is made anew."
)
def graphs(model: str, data: str | None) -> None:
    """Add the graphs that OpenVINO reads to a model file: runs need no PyTorch, and the first one starts sooner."""
    from ..exports.graphs import add_float_graphs
    from ..exports.quantize import quantize_model

    if data is not None:
        print(quantize_model(model, data))
    print(add_float_graphs(model))


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "A .safetensors model file, modified in place.")
@click.option("--data", required=True, metavar="FOLDER", help="Data folder; its labels are not used.")
def quantize(model: str, data: str) -> None:
    """Add an int8 version to a model file: faster on CPUs, almost as accurate."""
    from ..exports.quantize import quantize_model

    print(quantize_model(model, data))


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "A .safetensors model file, modified in place.")
@choice_options
def precisions(model: str, **choice: Any) -> None:
    """Measure a model in float32, bfloat16 and int8 on labelled images; runs then need no trial to choose one."""
    from dubai_landcover_plugin.core.bundle.bundle import load_bundle

    from ..exports.precisions import add_precisions

    bundle = load_bundle(model)
    _, dataset, selection = choose_images(Choice(**choice), bundle)
    add_precisions(model, bundle, dataset, selection)


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "A .safetensors model file, modified in place.")
@click.option("--data", required=True, metavar="FOLDER", help="Data folder of the training; its labels are not used.")
def statistics(model: str, data: str) -> None:
    """Add the pixel values of the training images to a model file of an earlier version."""
    from ..exports.statistics import add_statistics

    print(add_statistics(model, data))


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "A .safetensors model file.")
def card(model: str) -> None:
    """Rewrite the card of a model file."""
    from ..exports.card import rewrite_card

    print(rewrite_card(model))
