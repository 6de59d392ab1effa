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
    """Return the path of the JSON file of an evaluation.

    Raises:
        ConfigError: if it does not end in .json, or the Markdown file next to it would replace another text.
    """
    path = Path(output)
    if path.suffix.lower() != ".json":
        raise ConfigError(
            f"The output must be a .json file, got '{path.name}'.", "Markdown and HTML are written next to it."
        )
    beside = path.with_suffix(".md")
    if beside.is_file() and not beside.read_bytes().startswith(b"# Evaluation of "):
        raise ConfigError(
            f"The Markdown report would replace {beside}, which is another text, for example a model card.",
            f"Choose another output, for example {path.stem}-figures.json.",
        )
    return path


def write_evaluation(
    output: str | Path,
    evaluation: Evaluation,
    log: Log = (),
    pictures: Mapping[str, Image.Image] | None = None,
) -> list[Path]:
    """Write ``NAME.json``, ``NAME.md`` and ``NAME.html``; return the three paths.

    Args:
        output: Path ending in ``.json``.
        evaluation: The evaluation.
        log: Log of the training run for the curves on the page.
        pictures: Strips of four panels for the page, by image name.

    Raises:
        ConfigError: if ``output`` has another suffix.
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
