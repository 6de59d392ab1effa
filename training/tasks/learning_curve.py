"""Learning curve: the same training with parts of the labelled images, judged on the same held-out labels."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import tr

from ..data.splits import Split
from ..loop.train import Run

_ROSE = "From {first} to {last} labelled images the mean IoU rose by {change:.3f}."
_FELL = "From {first} to {last} labelled images the mean IoU fell by {change:.3f}."
_STAYED = "From {first} to {last} labelled images the mean IoU did not change."
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
        count, total = len(split.training), len(run.split.training)
        monitor.log("info", tr("Learning curve: {count} of {total} images", count=count, total=total))
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
    if len(known) < 2 or known[-2]["images"] == known[-1]["images"]:
        return ""
    gain = known[-1]["miou"] - known[-2]["miou"]
    change = _change(gain, known[-2]["images"], known[-1]["images"])
    if gain >= _ENOUGH:
        return f"{change} {tr('More labels are likely to help.')}"
    few = tr("More labels of this kind are unlikely to help much; label other ground, or other classes.")
    return f"{change} {few}"


def _change(gain: float, first: int, last: int) -> str:
    shown = round(gain, 3)
    if not shown:
        return tr(_STAYED, first=first, last=last)
    return tr(_ROSE if shown > 0 else _FELL, first=first, last=last, change=abs(shown))


def _point(share: float, images: int, run: Run) -> dict[str, Any]:
    result = run.comparison["result"]["miou"] if run.comparison else run.best
    return {"share": share, "images": images, "miou": result}
