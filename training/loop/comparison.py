"""Compares the result of a run with the weights that it started from, on the held-out images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dubai_landcover_plugin.protocol.translation import tr

from ..data.names import listing
from .start import interpolate

FALL = 0.01
"""A fall of the mean IoU of a held-out image that is reported."""
UNITS = 20  # largest number of parts of the held-out images whose scatter gives the standard error
Counts = npt.NDArray[np.int64]
"""(U, S, 2 K, K) pixels of U parts of the images, see :func:`.count_pixels`."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Weights that may be kept.

    Args:
        label: What they are, for messages.
        alpha: Share of the result in the interpolation with the start: 0 is the start, 1 the result.
        step: Optimizer steps of the result.
        weights: The weights, by name.
    """

    label: str
    alpha: float
    step: int
    weights: Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Result of a run beside its start, on the held-out images.

    Args:
        name: File of the start.
        new_classes: Classes that the start does not have.
        images: Number of held-out images.
        start: Accuracy and mean IoU of the start.
        result: Those of the best of the compared weights.
        alpha: Share of the result in these weights; below 1 they are interpolated with the start.
        step: Optimizer steps of the result.
        gain: Mean IoU of ``result`` minus that of ``start``.
        error: Standard error of the gain, estimated from its scatter over the images; None for a single image.
        better: Whether the gain is above 0 and above its standard error; otherwise the start is kept.
        worse: Held-out images, or parts of them, whose mean IoU fell by more than 0.01.
    """

    name: str
    new_classes: tuple[str, ...]
    images: int
    start: dict[str, float | None]
    result: dict[str, float | None]
    alpha: float
    step: int
    gain: float
    error: float | None
    better: bool
    worse: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {**asdict(self), "new_classes": list(self.new_classes), "worse": list(self.worse)}


def candidates(
    start: Mapping[str, torch.Tensor],
    last: Mapping[str, torch.Tensor],
    steps: int,
    alphas: Iterable[float],
    rows: Sequence[int],
    best: Candidate | None = None,
) -> list[Candidate]:
    """Return the start, its interpolations with the last weights, these, and the best epoch if there is one.

    Args:
        start: Weights of the start.
        last: Averaged weights at the end of the run.
        steps: Optimizer steps of the run.
        alphas: Shares of the result to interpolate.
        rows: Rows of the output layer of classes that the start does not have.
        best: Weights of the best epoch; None if it is the start or the last one.
    """
    mixed = [
        Candidate(
            tr("{start:.0%} start, {result:.0%} result", start=1 - alpha, result=alpha),
            alpha,
            steps,
            interpolate(start, last, alpha, rows),
        )
        for alpha in sorted(set(alphas))
    ]
    found = [Candidate(tr("start"), 0.0, 0, start), *mixed, Candidate(tr("result"), 1.0, steps, last)]
    return found if best is None else [*found, best]


def compare(
    tried: Sequence[Candidate],
    count: Callable[[Candidate], Counts],
    summary: Callable[[Counts], dict[str, Any]],
    name: str,
    new_classes: Sequence[str],
    images: int,
    parts: Sequence[str] = (),
) -> tuple[Comparison, Candidate, dict[str, Any], list[str]]:
    """Validate candidates, the start first, and choose one: the best, unless its gain may be noise.

    The start is kept unless the gain in mean IoU is above its standard error, as the one-standard-error rule keeps the
    simpler model: the held-out images are few, and they choose among several candidates. Source: Breiman et al. 1984,
    Classification and Regression Trees, section 3.4.3, https://doi.org/10.1201/9781315139470.

    Args:
        tried: The candidates.
        count: Counts the pixels of a candidate.
        summary: Metrics of counts.
        name: File of the start.
        new_classes: Classes that the start does not have.
        images: Number of held-out images.
        parts: Names of the parts that are counted separately, to name those that get worse; empty for none.

    Returns:
        The comparison, the candidate to keep, its metrics, and a line of text on each candidate.
    """
    counted = [count(candidate) for candidate in tried]
    figures = [summary(counts) for counts in counted]
    scores = [figure["miou"] if figure["miou"] is not None else -1.0 for figure in figures]
    best = 1 + int(np.argmax(scores[1:]))  # the first of equal ones, with the least change
    gain = scores[best] - scores[0]
    error = standard_error(counted[0], counted[best], lambda counts: summary(counts)["miou"])
    better = gain > (error or 0.0)
    comparison = Comparison(
        name=name,
        new_classes=tuple(new_classes),
        images=images,
        start=_headline(figures[0]),
        result=_headline(figures[best]),
        alpha=tried[best].alpha,
        step=tried[best].step,
        gain=round(gain, 4),
        error=None if error is None else round(error, 4),
        better=better,
        worse=_fallen(counted[0], counted[best], lambda counts: summary(counts)["miou"], parts),
    )
    lines = [
        "  " + tr("{label}: mean IoU {score:.3f}", label=candidate.label, score=score)
        for candidate, score in zip(tried, scores, strict=True)
    ]
    chosen = best if better else 0
    return comparison, tried[chosen], figures[chosen], lines


def _headline(figures: Mapping[str, Any]) -> dict[str, float | None]:
    return {key: figures[key] for key in ("accuracy", "miou")}


def _fallen(
    one: Counts, other: Counts, score: Callable[[Counts], float | None], parts: Sequence[str]
) -> tuple[str, ...]:
    """Return the names of the parts whose score falls by more than :data:`FALL`."""
    found = []
    for index, name in enumerate(parts):
        before, after = score(one[index : index + 1]), score(other[index : index + 1])
        if before is not None and after is not None and after < before - FALL:
            found.append(name)
    return tuple(found)


def standard_error(one: Counts, other: Counts, score: Callable[[Counts], float | None]) -> float | None:
    """Return the jackknife standard error of the difference of two scores of the same images; None for one image.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 11.2,
    https://doi.org/10.1201/9780429246593.

    Args:
        one: Pixels of each part of the images.
        other: Those of other weights.
        score: Function from pixels to a score; None where it is not defined.
    """
    used = np.flatnonzero(one.sum(axis=(1, 2, 3)))  # parts with labels
    if len(used) < 2:
        return None
    differences = []
    for unit in used:
        rest = used[used != unit]
        before, after = score(one[rest]), score(other[rest])
        if before is not None and after is not None:
            differences.append(after - before)
    units = len(differences)
    if units < 2:
        return None
    scatter = np.square(np.subtract(differences, np.mean(differences))).sum()
    return float(np.sqrt((units - 1) / units * scatter))


def describe_comparison(found: Mapping[str, Any]) -> str:
    """Return sentences on a comparison as :meth:`Comparison.to_json` gives it, for the log, the card and the export."""
    start, result = found["start"], found["result"]
    noise = (
        tr("of unknown error") if found["error"] is None else tr("± {error:.3f} (standard error)", error=found["error"])
    )
    images = tr("1 held-out image") if found["images"] == 1 else tr("{count} held-out images", count=found["images"])
    sentences = [
        tr(
            "On {images}: mean IoU {before} of the start {name}, {after} of the result (accuracy {accuracy_before} and "
            "{accuracy_after}); gain {gain:+.3f}, {noise}.",
            images=images,
            before=_number(start["miou"]),
            name=found["name"],
            after=_number(result["miou"]),
            accuracy_before=_number(start["accuracy"]),
            accuracy_after=_number(result["accuracy"]),
            gain=found["gain"],
            noise=noise,
        )
    ]
    if found["alpha"] != 1:
        share = tr(
            "The compared weights are {share:.0%} of the way from the start to the result.", share=found["alpha"]
        )
        sentences.append(share)
    if found["new_classes"]:
        sentences.append(tr("The start does not have {names}.", names=", ".join(found["new_classes"])))
    if not found["better"]:
        sentences.append(
            tr("The result is no better than its start beyond this noise: the model has the weights of the start.")
        )
        if found["new_classes"]:
            sentences.append(tr("It never predicts the new classes."))
    if found.get("worse"):
        sentences.append(tr("Worse than the start on {names}.", names=listing(found["worse"], 5)))
    return " ".join(filter(None, (*sentences, _too_few(found))))


def _too_few(found: Mapping[str, Any]) -> str:
    """Return a warning if the held-out images cannot tell the result from its start; else an empty text."""
    if found["error"] is None:
        return tr("One held-out image cannot tell a gain from chance: hold out more, or measure both models on others.")
    least = 2 * found["error"]
    if abs(found["gain"]) >= least:
        return ""
    return tr(
        "The held-out images are too few to tell: a gain below {least:.3f} (two standard errors) can be chance.",
        least=least,
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
