"""The command ``reproduce-published``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dubai_landcover_plugin.cli.terminal import say
from dubai_landcover_plugin.cli.values import Command

from ..errors import DatasetError
from .evaluate import evaluate
from .options import CONTEXT, setting_option
from .train import train

_CONFIG = "published"
_PUBLISHED = {"accuracy": 0.72, "mean_precision": 0.50, "mean_recall": 0.48}
_STAND_INS = (
    *("tile1/image_part_004", "tile2/image_part_006", "tile3/image_part_002", "tile4/image_part_005"),
    *("tile5/image_part_004", "tile6/image_part_007", "tile7/image_part_003", "tile8/image_part_005"),
)
"""Images that are held out where the published test images have no labels, one of each tile."""


@click.command("reproduce-published", cls=Command, context_settings=CONTEXT)
@click.option("--data", required=True, metavar="FOLDER", help="Folder of the Dubai dataset.")
@click.option(
    "--run", "folder", required=True, metavar="FOLDER", help="Folder of the run, the model and its evaluation."
)
@setting_option("Override a value of the configuration, for example optimizer.steps=10; may be repeated.")
@click.option("--resume", is_flag=True, help="Continue from the last checkpoint in the folder if there is one.")
def reproduce_published(data: str, folder: str, settings: Sequence[str], resume: bool) -> None:
    """Train and evaluate the published configuration for the Dubai dataset.

    The metrics are printed beside the published ones. The configuration, training/configs/published.toml, lists
    its assumptions and differences. If the seven published test images have no labels in the folder, one image
    of each tile is held out instead.
    """
    from ..evaluation.figures import load_evaluation
    from ..exports.export import export_model
    from ..loop.checkpoint import LAST

    settings = (*settings, *stand_ins(data, settings))
    context = click.get_current_context()
    context.invoke(train, config=_CONFIG, data=data, folder=folder, settings=settings, resume=resume, name=_CONFIG)
    model, output = Path(folder) / f"{_CONFIG}.safetensors", Path(folder) / "evaluation.json"
    export_model(Path(folder) / LAST, model, report=say, overwrite=True)
    context.invoke(evaluate, model=str(model), data=data, config=_CONFIG, settings=settings, output=str(output))
    print(f"\n{comparison(load_evaluation(output).to_json())}")


def stand_ins(data: str, settings: Sequence[str]) -> tuple[str, ...]:
    """Return settings that hold out other images if those of the split have no labels; empty if they have some.

    Args:
        data: Folder of the Dubai dataset.
        settings: Settings that override the configuration.

    Raises:
        DatasetError: if neither those images nor the others have labels.
    """
    from ..config import load_config
    from ..data.sources import open_data
    from ..data.splits import choose

    config = load_config(_CONFIG, settings)
    dataset = open_data(config, data)
    if choose(dataset, config.split).validation:
        return ()
    known = {entry.name for entry in dataset.entries}
    others = [name for name in _STAND_INS if name in known]
    if not others:
        raise DatasetError(
            f"No image of the published split has labels in {data}, nor one of {', '.join(_STAND_INS)}.",
            "Hold out others, for example --set split.kind=list --set split.validation=tile1,tile3.",
        )
    say(f"The published test images have no labels in {data}. Held out instead: {', '.join(others)}.")
    return ("split.kind=list", f"split.validation={','.join(others)}")


def comparison(figures: Mapping[str, Any]) -> str:
    """Return the metrics of an evaluation beside the published ones as a Markdown table."""
    from ..evaluation.text import HEADLINE, number

    rows = "\n".join(
        f"| {HEADLINE[key]} | {published:.2f} | {number(figures[key])} |" for key, published in _PUBLISHED.items()
    )
    return (
        f"| Metric | published | here |\n|---|---|---|\n{rows}\n\n{figures['split']}\n"
        "Classes that are not predicted have no precision and do not enter its mean.\n"
        "The published code has Unlabeled as a sixth class; here unlabeled pixels are ignored."
    )
