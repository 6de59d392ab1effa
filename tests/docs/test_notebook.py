"""The notebook of the documentation runs, and its committed outputs are those of a run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "docs" / "notebooks" / "segment.ipynb"
_SPEC = importlib.util.spec_from_file_location("notebook", ROOT / ".ci" / "notebook.py")
notebook = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(notebook)
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def outputs(node: Any) -> list[tuple[str, Any]]:
    """Return kind and content of every output, in order: ``text`` or ``image``."""
    found = []
    for cell in node.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            found.append(("image", data["image/png"]) if "image/png" in data else ("text", output.get("text", "")))
    return found


@pytest.fixture(scope="module")
def executed() -> Any:
    return notebook.execute(PATH)


def test_a_run_gives_what_is_committed(executed):
    committed = nbformat.read(PATH, as_version=4)
    assert [cell.source for cell in executed.cells] == [cell.source for cell in committed.cells]
    before, after = outputs(committed), outputs(executed)
    assert [kind for kind, _ in after] == [kind for kind, _ in before] == ["text", "image", "text", "image", "text"]
    for (kind, old), (_, new) in zip(before, after):
        if kind == "text":  # processors differ in the last bits, and so may a few pixels
            assert NUMBER.sub("#", " ".join(new.split())) == NUMBER.sub("#", " ".join(old.split()))
        else:
            assert len(new) == pytest.approx(len(old), rel=0.2)


def test_the_accuracy_is_that_of_the_page(executed):
    def accuracy(node: Any) -> float:
        text = "".join(content for kind, content in outputs(node) if kind == "text")
        return float(re.search(r"Overall accuracy (\d\.\d+)", text)[1])

    assert accuracy(executed) == pytest.approx(accuracy(nbformat.read(PATH, as_version=4)), abs=0.02)
    assert accuracy(executed) > 0.75


def test_committed_pictures_are_small():
    assert PATH.stat().st_size < 500_000
