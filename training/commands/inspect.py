"""The command ``inspect``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from dubai_landcover_plugin.cli.terminal import say
from dubai_landcover_plugin.cli.values import Command

from ..errors import DatasetError
from .options import CONTEXT, argument, setting_option


@click.command(cls=Command, context_settings=CONTEXT)
@argument("data", "Data folder; its layouts are in docs/training.md.")
@click.option("--config", metavar="FILE.toml", help="Configuration whose [data] and [[sources]] describe the data.")
@setting_option("Override a value of the configuration, for example data.field=use; may be repeated.")
@click.option(
    "--pictures", metavar="FOLDER", help="Write a chart of the class shares and contact sheets of the images."
)
@click.option("--output", metavar="FILE.html", help="Write a page with all results.")
def inspect(data: str, config: str | None, settings: Sequence[str], pictures: str | None, output: str | None) -> None:
    """Report classes, shares, sizes and problems of labelled data.

    The exit status is 1 if an image cannot be used.
    """
    from ..config import load_config
    from ..data.resolution import describe_gsd
    from ..data.sources import open_data
    from ..inspection.findings import inspect_dataset
    from ..inspection.page import ContactSheet, describe, save_page, save_pictures

    report = say
    configuration = load_config(config, settings)
    dataset = open_data(configuration, data)
    dataset = replace(dataset, notes=(*describe_gsd(configuration, dataset), *dataset.notes))
    sheet = ContactSheet(dataset.scheme, len(dataset.entries)) if pictures or output else None
    found = inspect_dataset(dataset, sheet.add if sheet else None, report)
    report(describe(found))
    if sheet and pictures:
        written = save_pictures(found, sheet, Path(pictures))
        report(f"\n{', '.join(map(str, written))}")
    if sheet and output:
        save_page(found, sheet, Path(output))
        report(f"\n{output}")
    if found.errors:
        raise DatasetError(
            f"{len(found.errors)} of {len(dataset.entries)} images cannot be used, see above.",
            "Correct them, or exclude them: split.exclude.",
        )
