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


def located(path: str) -> Path | None:
    """Return a path in the repository, in the plugin or, for a bare name, in the room of the run; None if missing."""
    bare = "/" not in path and path not in ("plugin.py", "provider.py")
    folders = (PLUGIN / "core" / "segmentation",) if bare else (ROOT, PLUGIN, PLUGIN / "core")
    return next((folder / path for folder in folders if (folder / path).exists()), None)


def exists(path: str) -> bool:
    return located(path) is not None


def named_symbols(page: str) -> set[tuple[str, str]]:
    """Return names with their file, written as NAME in (or of) FILE, or as FILE, NAME, both in backquotes."""
    text = (ROOT / page).read_text(encoding="utf-8")
    before = re.findall(r"`([\w.]+)`\s+(?:in|of)\s+`([\w./]+\.py)`", text)
    after = [(name, path) for path, name in re.findall(r"`([\w./]+\.py)`,\s+`(\w+)`", text)]
    return {(name.split(".")[-1], path) for name, path in [*before, *after]}


@pytest.mark.parametrize("page", PAGES)
def test_named_files_are_there(page):
    assert sorted(path for path in named_paths(page) if not exists(path)) == []


@pytest.mark.parametrize("page", PAGES)
def test_named_symbols_are_in_their_files(page):
    def is_there(name: str, path: str) -> bool:
        file = located(path)
        return file is not None and re.search(rf"\b{name}\b", file.read_text(encoding="utf-8")) is not None

    assert sorted(pair for pair in named_symbols(page) if not is_there(*pair)) == []


def test_the_architecture_names_symbols():
    assert {("_skeletonize", "core/roads/skeleton.py"), ("_measure", "core/roads/extract.py")} <= named_symbols(
        "docs/architecture.md"
    )


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
