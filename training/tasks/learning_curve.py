"""Learning curve: the same training with parts of the labelled images, judged on the same held-out labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dubai_landcover_plugin.protocol.monitor import Monitor

from ..data.splits import Split
from ..loop.train import Run

SHARES = (0.25, 0.5)
"""Shares of the training images of the additional trainings."""
_ENOUGH = 0.01  # gain in mean IoU from half to all images below which more labels of this kind hardly help


def learning_curve(
    run: Run, make: Callable[[Split, Path, Monitor], Run], folder: Path, monitor: Monitor
) -> tuple[dict[str, Any], ...]:
    """Train with each of :data:`SHARES` and return share, images and mean IoU, that of all images last.

    Args:
        run: The finished training with all images.
        make: Makes a run of the same start with another split, folder and monitor.
        folder: Folder of the run; those of the others are inside it, and removed.
        monitor: Receives progress; may cancel, which leaves out the rest of the curve.
    """
    points: list[dict[str, Any]] = []
    for share in SHARES:
        split = part_of(run.split, share)
        if monitor.cancelled() or (points and points[-1]["images"] == len(split.training)):
            continue
        monitor.log("info", f"Learning curve: {len(split.training)} of {len(run.split.training)} images")
        where = folder / f"curve-{share:g}"
        shutil.rmtree(where, ignore_errors=True)
        part = make(split, where, monitor)
        part.go()
        if not monitor.cancelled():
            points.append(_point(share, len(split.training), part))
        shutil.rmtree(where, ignore_errors=True)
    return (*points, _point(1.0, len(run.split.training), run))


def part_of(split: Split, share: float) -> Split:
    """Return a split with a share of the training images, spread over them, at least one."""
    count = max(round(share * len(split.training)), 1)
    chosen = np.unique(np.linspace(0, len(split.training) - 1, count).round().astype(int))
    return replace(split, training=tuple(split.training[index] for index in chosen))


def describe_curve(points: tuple[dict[str, Any], ...]) -> str:
    """Return whether more labels are likely to help, in a sentence; empty without a curve."""
    known = [point for point in points if point["miou"] is not None]
    if len(known) < 2:
        return ""
    gain = known[-1]["miou"] - known[-2]["miou"]
    first, last = known[-2]["images"], known[-1]["images"]
    text = f"From {first} to {last} labelled images the mean IoU rose by {gain:+.3f}: "
    if gain >= _ENOUGH:
        return text + "more labels are likely to help."
    return text + "more labels of this kind are unlikely to help much; label other ground, or other classes."


def _point(share: float, images: int, run: Run) -> dict[str, Any]:
    result = run.comparison["result"]["miou"] if run.comparison else run.best
    return {"share": share, "images": images, "miou": result}
