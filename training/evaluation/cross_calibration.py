"""Calibration with figures on pixels that did not take part in the fit: each part is left out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.dataset import NOT_CLASS, is_partial
from ..data.partial_labels import PartialConfusion
from .calibration import Sample, Scaling, fit_scaling
from .reliability import Reliability

STORED, TEMPERATURE, BIASED = "as stored", "temperature", "temperature and class bias"
LEAST_PIXELS = 1000  # sampled px predicted as a class, without which its errors are not known
RATIO_LIMITS = (0.25, 4.0)
_FOLDS = 10  # more parts are joined, in turn
_TINY = 1e-38
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class ScalingFigures:
    """Quality of probabilities. Undefined values are NaN.

    Args:
        nll: Mean negative log likelihood of a pixel.
        ece: Expected calibration error, 0..1.
        accuracy: Pixel accuracy, 0..1.
        miou: Mean IoU, 0..1.
        expected: (K,) wrong share of the pixels predicted as each class that the confidence says: 1 - mean confidence.
        wrong: (K,) measured wrong share: 1 - precision.
        predicted: (K,) number of pixels predicted as each class.
    """

    nll: float
    ece: float
    accuracy: float
    miou: float
    expected: npt.NDArray[np.float64]
    wrong: npt.NDArray[np.float64]
    predicted: npt.NDArray[np.int64]

    @classmethod
    def of(cls, probabilities: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> ScalingFigures:
        """Compare (n, K) probabilities with (n,) labels; partial ones count for likelihood and mean IoU."""
        classes = probabilities.shape[1]
        confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
        found = PartialConfusion.of(labels.astype(np.uint8), predicted.astype(np.uint8), classes)
        partial = is_partial(labels.astype(np.uint8))
        named = probabilities[np.arange(len(labels)), np.where(partial, labels - NOT_CLASS, labels)]
        likelihood = np.where(partial, 1 - named, named)
        right, whole, sure = (predicted == labels)[~partial], predicted[~partial], confidence[~partial]
        pixels = np.bincount(whole, minlength=classes).astype(np.float64)
        with np.errstate(invalid="ignore"):  # classes that are not predicted: 0 / 0
            expected = 1 - np.bincount(whole, sure, classes) / pixels
        return cls(
            nll=float(-np.log(np.maximum(likelihood, _TINY)).mean()),
            ece=Reliability.of(sure, right).error,
            **{key: found.headline()[key] for key in ("accuracy", "miou")},
            expected=expected,
            wrong=1 - found.full.class_figures()["precision"],
            predicted=pixels.astype(np.int64),
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted scaling, with figures on parts kept out of the fit.

    Args:
        scaling: Fitted to all pixels.
        pixels: Size of the sample, px.
        parts: Number of parts, each of which was left out once.
        kept_out: Figures by kind of scaling: :data:`STORED`, :data:`TEMPERATURE` and :data:`BIASED`; only the first
            with a single part.
        kind: Kind of the scaling.
        places: Whether the parts are places.
    """

    scaling: Scaling
    pixels: int
    parts: int
    kept_out: dict[str, ScalingFigures]
    kind: str
    places: bool

    @property
    def error_ratios(self) -> tuple[float, ...]:
        """Measured wrong share of each class on places kept out, relative to that of its confidence; empty if unknown.

        1 for classes of fewer than :data:`LEAST_PIXELS` pixels; within :data:`RATIO_LIMITS`.
        """
        found = self.kept_out.get(self.kind)
        if found is None or not self.places:
            return ()
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(found.predicted >= LEAST_PIXELS, found.wrong / found.expected, 1.0)
        return tuple(round(float(value), _DIGITS) for value in np.nan_to_num(ratio, nan=1.0).clip(*RATIO_LIMITS))

    @property
    def is_worse(self) -> bool:
        """Whether the fitted scaling has a lower likelihood on parts kept out than the stored one."""
        return self.kind in self.kept_out and self.kept_out[self.kind].nll > self.kept_out[STORED].nll

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; pairs are of the model before the calibration and after it."""
        pair = [self.kept_out[key] for key in (STORED, self.kind) if key in self.kept_out and self.kind != STORED]
        figures = {key: [_number(getattr(one, key)) for one in pair] for key in ("nll", "ece", "accuracy", "miou")}
        return {
            "temperature": round(self.scaling.temperature, _DIGITS),
            "class_bias": [round(value, _DIGITS) for value in self.scaling.class_bias],
            "error_ratios": list(self.error_ratios),
            "pixels": self.pixels,
            "parts": self.parts,
            **(figures if len(pair) == 2 else {}),
        }


def calibrate_sample(sample: Sample, stored: Scaling, class_bias: str, places: bool) -> Calibration:
    """Fit temperature and class bias to a sample, and measure both with each part left out once.

    The stored scaling is kept where a fitted temperature has a lower likelihood on the parts that are left out.

    Args:
        sample: Logits and labels of pixels with their parts.
        stored: Scaling of the model before.
        class_bias: Whether a bias of each class is fitted: ``yes``, ``no``, or ``auto``, which keeps it if it is better
            on places kept out of the fit.
        places: Whether the parts are places; ``auto`` keeps no bias that was measured on images of one place.
    """
    kept_out = {STORED: ScalingFigures.of(stored.probabilities(sample.logits), sample.labels)}
    if len(sample.names) > 1:
        for kind, biased in ((TEMPERATURE, False), (BIASED, True)):
            if not biased or class_bias != "no":
                kept_out[kind] = ScalingFigures.of(_leave_out(sample, biased), sample.labels)
    keep = class_bias == "yes" or (class_bias == "auto" and places and _is_better(kept_out))
    kind = BIASED if keep else TEMPERATURE
    asked = class_bias == "yes" or (class_bias == "no" and bool(stored.class_bias))
    if not asked and kind in kept_out and kept_out[kind].nll > kept_out[STORED].nll:
        kind = STORED
    scaling = stored if kind == STORED else fit_scaling(sample.logits, sample.labels, keep)
    return Calibration(scaling, len(sample.labels), len(sample.names), kept_out, kind, places)


def _leave_out(sample: Sample, biased: bool) -> npt.NDArray[np.float64]:
    """Return (n, K) probabilities, those of each part with the scaling that was fitted to the other parts."""
    folds = sample.parts % _FOLDS
    probabilities = np.zeros(sample.logits.shape)
    for fold in np.unique(folds):
        out = folds == fold
        fitted = fit_scaling(sample.logits[~out], sample.labels[~out], biased)
        probabilities[out] = fitted.probabilities(sample.logits[out])
    return probabilities


def _is_better(kept_out: dict[str, ScalingFigures]) -> bool:
    """Return whether the class bias raises the likelihood on parts kept out and lowers neither accuracy nor IoU."""
    return BIASED in kept_out and not lowered_by_bias(kept_out)


def lowered_by_bias(kept_out: dict[str, ScalingFigures]) -> list[str]:
    """Return which figures on parts kept out the class bias lowers, beside the temperature alone."""
    plain, biased = kept_out[TEMPERATURE], kept_out[BIASED]
    changes = {
        "likelihood": (-plain.nll, -biased.nll),
        "accuracy": (plain.accuracy, biased.accuracy),
        "mean IoU": (plain.miou, biased.miou),
    }
    return [name for name, (before, after) in changes.items() if after < before]


def calibration_table(calibration: Calibration, classes: Sequence[str]) -> str:
    """Return the figures of all kinds of scaling as Markdown, with the expected and measured errors of each class."""
    kinds = list(calibration.kept_out)
    rows = [
        f"| {label} | " + " | ".join(f"{getattr(calibration.kept_out[kind], key):.4f}" for kind in kinds) + " |"
        for key, label in (
            ("nll", "Negative log likelihood"),
            ("ece", "Expected calibration error"),
            ("accuracy", "Pixel accuracy"),
            ("miou", "Mean IoU"),
        )
    ]
    for channel, name in enumerate(classes):
        pairs = ((one.expected[channel], one.wrong[channel]) for one in calibration.kept_out.values())
        cells = (f"{_percent(expected)} / {_percent(wrong)}" for expected, wrong in pairs)
        rows.append(f"| {name}: wrong by its confidence / measured | {' | '.join(cells)} |")
    return "\n".join((f"| | {' | '.join(kinds)} |", "|---|" + "---|" * len(kinds), *rows))


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.0f} %"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else round(value, _DIGITS)
