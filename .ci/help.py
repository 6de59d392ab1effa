"""Hooks of ``mkdocs`` for the help inside the plugin: only the pages of the navigation, and small pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from PIL import Image

_WIDTH = 1100
"""Widest picture, px."""
_QUALITY = 80
_PICTURE = re.compile(r'src="([^"]+)\.png"')
_LEFT_OUT = ("sitemap.xml", "sitemap.xml.gz")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Remove pages that the navigation does not list."""
    wanted = set(_pages(config.nav))
    for file in files.documentation_pages():
        if file.src_uri not in wanted:
            files.remove(file)
    return files


def on_post_page(output: str, page: Any, config: MkDocsConfig) -> str:
    """Let pages show the small pictures."""
    return _PICTURE.sub(r'src="\1.webp"', output)


def on_post_build(config: MkDocsConfig) -> None:
    """Write small pictures in the place of those of ``docs/``, without those that no page shows."""
    site = Path(config.site_dir)
    shown = "".join(path.read_text(encoding="utf-8") for path in site.glob("*.html"))
    for path in (site / "images").iterdir():
        if path.suffix == ".png":
            if f"images/{path.stem}.webp" in shown:
                _shrink(path)
            path.unlink()
        elif f"images/{path.name}" not in shown:
            path.unlink()
    for name in _LEFT_OUT:
        (site / name).unlink(missing_ok=True)


def _shrink(path: Path) -> None:
    with Image.open(path) as picture:
        small = picture.convert("RGB")
        small.thumbnail((_WIDTH, 4 * _WIDTH))
        small.save(path.with_suffix(".webp"), quality=_QUALITY, method=6)


def _pages(entries: Any) -> list[str]:
    """Return the pages of a navigation."""
    if isinstance(entries, str):
        return [entries]
    parts = entries.values() if isinstance(entries, dict) else entries
    return [page for part in parts for page in _pages(part)]
