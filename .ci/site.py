"""Hooks of ``mkdocs``: pages from files outside ``docs/`` and from notebooks; links that leave the folder.

Files keep links that work in the repository. On the site a link goes to the page of its file where there is one, else
to the file in the public repository.
"""

from __future__ import annotations

import base64
import configparser
import posixpath
import re
from pathlib import Path
from typing import Any

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
PAGES = {  # file of the repository → page of the site
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "resources/models/dubai.md": "model-card.md",
    "training/EXPERIMENTS.md": "experiments.md",
}
LINK = re.compile(r"(\]\()([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not come from ``docs/*.md``."""
    for path, page in PAGES.items():
        files.append(File.generated(config, page, content=(ROOT / path).read_text(encoding="utf-8")))
    for path in sorted((ROOT / "docs").glob("notebooks/*.ipynb")):
        page = path.relative_to(ROOT / "docs").with_suffix(".md").as_posix()
        files.append(File.generated(config, page, content=notebook_page(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Redirect the links of a page that leave ``docs/``."""
    here = page.file.src_uri
    published = {site: path for path, site in PAGES.items()}
    source = published.get(here, f"docs/{here}")

    def redirect(match: re.Match[str]) -> str:
        target = match[2]
        if re.match("[a-z]+:", target):
            return match[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        if path.startswith("docs/"):
            site = re.sub(r"\.ipynb$", ".md", path.removeprefix("docs/"))
        else:
            site = PAGES.get(path, "")
        left_out = (ROOT / path).is_file() and files.get_file_from_path(site) is None
        if not site or left_out:
            return f"{match[1]}{repository()}/blob/main/{path}"
        return match[1] + posixpath.relpath(site, posixpath.dirname(here) or ".")

    return LINK.sub(redirect, markdown)


def repository() -> str:
    """Return the address of the public repository."""
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    return metadata["general"]["repository"]


def notebook_page(path: Path) -> str:
    """Return an executed notebook as Markdown, pictures included."""
    notebook = nbformat.read(path, as_version=4)
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
            parts += [output_block(output) for output in cell.outputs]
    parts.append(f"[This notebook]({repository()}/blob/main/docs/notebooks/{path.name})")
    return "\n\n".join(parts)


def output_block(output: dict[str, Any]) -> str:
    """Return one output of a cell as Markdown."""
    if output["output_type"] == "stream":
        return f"```text\n{output['text'].rstrip()}\n```"
    data = output.get("data", {})
    if "image/png" in data:
        image = base64.b64encode(base64.b64decode(data["image/png"])).decode()
        return f"![](data:image/png;base64,{image})"
    return f"```text\n{data.get('text/plain', '').rstrip()}\n```"
