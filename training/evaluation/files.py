"""Writes an evaluation as JSON, Markdown and HTML."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from dubai_landcover_plugin.core.io.files import write_text

from ..errors import ConfigError
from ..monitoring.curves import Log
from .figures import Evaluation
from .page import page
from .text import markdown


def check_output(output: str | Path) -> Path:
    """Return the JSON file that an evaluation goes to.

    Raises:
        ConfigError: if its name does not end in .json, or the Markdown beside it would replace another text.
    """
    path = Path(output)
    if path.suffix.lower() != ".json":
        raise ConfigError(f"The figures go to a .json file, got '{path.name}'.", "Markdown and HTML appear beside it.")
    beside = path.with_suffix(".md")
    if beside.is_file() and not beside.read_bytes().startswith(b"# Evaluation of "):
        raise ConfigError(
            f"Figures in Markdown go to {beside}, but that is another text, maybe the card of a model.",
            f"Name the figures otherwise, e.g. {path.stem}-figures.json.",
        )
    return path


def write_evaluation(
    output: str | Path,
    evaluation: Evaluation,
    log: Log = (),
    pictures: Mapping[str, Image.Image] | None = None,
) -> list[Path]:
    """Write ``NAME.json`` and, beside it, ``NAME.md`` and ``NAME.html``; return the three.

    Args:
        output: Path ending in ``.json``.
        evaluation: What was measured.
        log: Of the training run, for the curves on the page.
        pictures: Strips of four panels by image name for the page.

    Raises:
        ConfigError: if ``output`` ends otherwise.
        OutputError: if a file cannot be written.
    """
    path = check_output(output)
    value = evaluation.to_json()
    content = {
        path: json.dumps(value, indent=1, ensure_ascii=False) + "\n",
        path.with_suffix(".md"): markdown(value),
        path.with_suffix(".html"): page(evaluation, value, log, pictures or {}),
    }
    for target, text in content.items():
        write_text(target, text, make_folders=True)
    return list(content)
