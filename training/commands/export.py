"""Command line: ``python -m training export``, ``quantize`` and ``card``."""

from __future__ import annotations

import argparse
from typing import Any


def add_export(commands: Any) -> None:
    """Add the commands to the subparsers of a command line."""
    export = commands.add_parser("export", help="make a model file and its card, or an ONNX file")
    export.add_argument("source", help="checkpoint, for example runs/dubai/best.ckpt, or a .safetensors model file")
    export.add_argument("output", help="file ending in .safetensors or .onnx; its stem names the model")
    export.add_argument("--title", default="", help="one sentence about the model")
    export.add_argument("--figures", help="JSON file of an evaluation whose figures describe the model")
    export.add_argument("--split", default="", help="how the images of that evaluation were chosen, in words")
    export.add_argument("--trained-by", default="", help="command line that trained the model, for the card")
    export.add_argument("--notes", help="Markdown file with your own observations, for the card")
    export.add_argument("--licence", default="", help="SPDX identifier; GPL-2.0-or-later if left out")
    export.add_argument("--data", help="folder of labelled data whose first image is compared on, besides noise")
    export.add_argument(
        "--fixed-window",
        type=int,
        metavar="PX",
        help="the only window an ONNX file takes; Deepness wants it fixed. Any size if left out",
    )
    export.add_argument("--stac", action="store_true", help="write the STAC item as a JSON file beside the model too")
    export.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    export.set_defaults(run=_export)
    quantize = commands.add_parser(
        "quantize", help="add a form of 8 bit to a model file: faster on CPUs, nearly as good"
    )
    quantize.add_argument("model", help=".safetensors model file; it is changed")
    quantize.add_argument("--data", required=True, help="folder of images with labels; the labels are not used")
    quantize.set_defaults(run=_quantize)
    card = commands.add_parser("card", help="write the card of a model file anew")
    card.add_argument("model", help=".safetensors model file")
    card.set_defaults(run=_card)


def _export(options: argparse.Namespace) -> None:
    from ..exports.export import Remarks, export_model

    remarks = Remarks(
        title=options.title,
        figures=options.figures,
        split=options.split,
        command=options.trained_by,
        notes=options.notes,
        licence=options.licence,
    )
    export_model(
        options.source,
        options.output,
        remarks,
        options.data,
        options.fixed_window,
        options.stac,
        overwrite=options.overwrite,
    )


def _quantize(options: argparse.Namespace) -> None:
    from ..exports.quantize import quantize_model

    print(quantize_model(options.model, options.data))


def _card(options: argparse.Namespace) -> None:
    from ..exports.card import rewrite_card

    print(rewrite_card(options.model))
