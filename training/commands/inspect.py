"""The subcommand ``inspect``."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DatasetError


def add_inspect(commands: Any) -> None:
    """Add it to the command line."""
    inspect = commands.add_parser(
        "inspect", help="tell and draw what labelled data holds: classes, shares, sizes, problems"
    )
    inspect.add_argument("data", help="folder of the data, see docs/training.md for its layouts")
    inspect.add_argument("--config", metavar="FILE.toml", help="configuration whose [data] describes it")
    inspect.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="e.g. data.field=use")
    inspect.add_argument("--pictures", metavar="FOLDER", help="for a chart of the shares and sheets of all images")
    inspect.add_argument("--output", metavar="FILE.html", help="page with all of it")
    inspect.set_defaults(run=_inspect)


def _inspect(options: argparse.Namespace) -> None:
    """Print what there is.

    Raises:
        DatasetError: at the end, if an image cannot be used.
    """
    from ..config import load_config
    from ..data.sources import open_data
    from ..inspection.findings import inspect_dataset
    from ..inspection.page import ContactSheet, describe, save_page, save_pictures

    report = partial(print, flush=True)
    config = load_config(options.config, options.set)
    dataset = open_data(config, options.data)
    sheet = ContactSheet(dataset.scheme, len(dataset.entries)) if options.pictures or options.output else None
    found = inspect_dataset(dataset, sheet.add if sheet else None, report)
    report(describe(found))
    if sheet and options.pictures:
        written = save_pictures(found, sheet, Path(options.pictures))
        report(f"\n{', '.join(map(str, written))}")
    if sheet and options.output:
        save_page(found, sheet, Path(options.output))
        report(f"\n{options.output}")
    if found.errors:
        raise DatasetError(
            f"{len(found.errors)} of {len(dataset.entries)} images cannot be used, see above.",
            "Mend them, or leave them out: split.exclude.",
        )
