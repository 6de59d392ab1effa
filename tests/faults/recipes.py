"""Recipes of unusual inputs, most from public reports, each with the outcome that is right.

A recipe makes its input small from the town, runs commands in a :class:`Place` and asserts. Every run is checked for a
traceback, an odd exit status and a hang by :meth:`Place.run`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

from tests.faults.contents import files_of
from tests.faults.jobs import COLOURS, Job, segment_words, town
from tests.faults.system_calls import Fault, Run
from tests.faults.trials import prepare, run_job

RECIPES: dict[str, Callable[[Place], None]] = {}
"""Recipes by name; the modules ``*_recipes`` add theirs."""


def recipe(function: Callable[[Place], None]) -> Callable[[Place], None]:
    """Add a recipe."""
    RECIPES[function.__name__] = function
    return function


def run_recipe(function: Callable[[Place], None], base: Path) -> None:
    """Run a recipe; raises AssertionError where the outcome is not the right one."""
    function(Place(base))


class Place:
    """A folder with the new town's inputs in ``in`` and an empty ``out``.

    Args:
        base: Folder with the inputs of both states.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = prepare(base, 0, "new", replace=False)
        for path in (self.folder / "out").iterdir():
            path.unlink()
        self.inputs, self.out = self.folder / "in", self.folder / "out"

    def run(self, *words: str, fault: Fault | None = None, prepare: Callable[[], object] = lambda: None) -> Run:
        """Run a command line."""
        job = Job(words[0], words, prepare=prepare)
        done = run_job(job, self.folder, fault or Fault(), overwrite=False)
        assert not done.hung, f"{words} hangs"
        assert "Traceback" not in done.output, done.output[-300:]
        assert "report it" not in done.output, done.output[-300:]
        assert done.code in (0, 1), f"{words}: exit status {done.code}: {done.output[-300:]}"
        return done

    def succeed(self, *words: str, **values: Any) -> str:
        """Run a command line that must succeed; return its output."""
        done = self.run(*words, **values)
        assert done.code == 0, f"{words}: {done.output[-300:]}"
        return done.output

    def refuse(self, *words: str) -> str:
        """Run a command line that must fail in one sentence and leave nothing; return its output."""
        before = files_of(self.out)
        done = self.run(*words)
        assert done.code == 1, f"{words} succeeds: {done.output[-300:]}"
        assert files_of(self.out) == before, f"left {set(files_of(self.out)) - set(before)}: {done.output[-300:]}"
        return done.output

    def classes(self, image: Path, *words: str) -> np.ndarray:
        """Segment an image; return the class ids."""
        self.succeed(*segment_on(image), *words)
        with rasterio.open(self.out / "o.tif") as dataset:
            return dataset.read(1)

    def image(self) -> np.ndarray:
        """Return the pixels (3, H, W) of the town."""
        return np.moveaxis(COLOURS[town(True) - 1], 2, 0)


def segment_on(image: Path, *outputs: str, runtime: str = "onnxruntime") -> list[str]:
    """Return the command line that segments an image to ``out/o.tif``."""
    words = list(segment_words(*outputs, runtime=runtime))
    words[1] = str(image)
    return [*words, "--overwrite"]


BATCH = ("batch", "in/images", "out", "--model", "in/town.onnx", "--runtime", "onnxruntime", "--precision", "float32")
