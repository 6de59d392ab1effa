"""Files that the documentation for developers names are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/python.md", "docs/index.md")
TOPS = ("training", "resources", "tests", "docs", "requirements", ".ci")
PLUGIN = ROOT / "dubai_landcover_plugin"
ROOMS = {path.name for path in PLUGIN.iterdir() if path.is_dir()}


def named_paths(page: str) -> set[str]:
    """Return what stands in backquotes and is a file or folder of the project by its first part or its suffix."""
    found = set(re.findall(r"`([\w.-]+/[\w./-]*|\w+\.py)`", (ROOT / page).read_text(encoding="utf-8")))
    known = {*TOPS, *ROOMS, "dubai_landcover_plugin"}
    return {path for path in found if "NAME" not in path and (path.split("/")[0] in known or path.endswith(".py"))}


def exists(path: str) -> bool:
    """Return whether a path is in the repository, in the plugin or, a bare name, in the room of the run."""
    if "/" in path or path in ("plugin.py", "provider.py"):
        return any((folder / path).exists() for folder in (ROOT, PLUGIN, PLUGIN / "core"))
    return (PLUGIN / "core" / "segmentation" / path).is_file()


@pytest.mark.parametrize("page", PAGES)
def test_named_files_are_there(page):
    assert sorted(path for path in named_paths(page) if not exists(path)) == []


def test_the_architecture_names_every_room():
    named = named_paths("docs/architecture.md")
    folders = [f"{name}/" for name in ROOMS if name != "__pycache__"]
    folders += [f"core/{path.name}/" for path in (PLUGIN / "core").iterdir() if path.is_dir()]
    assert sorted(name for name in folders if name not in named and "__pycache__" not in name) == []
    assert len(named) > 60


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
