"""Figures of a calibration are of parts that did not take part in the fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.calibration import Sample, Scaling, fit_scaling
from training.evaluation.cross_calibration import (
    BIASED,
    RATIO_LIMITS,
    STORED,
    TEMPERATURE,
    ScalingFigures,
    calibrate_sample,
    calibration_table,
)


def sample_of(*biases: tuple[float, ...], count: int = 4000) -> Sample:
    """Return a part for each bias, in which the labels are drawn from the softmax of logits plus that bias."""
    draw = np.random.default_rng(0)
    logits = 2 * draw.standard_normal((len(biases) * count, 3)).astype(np.float32)
    parts = np.repeat(np.arange(len(biases)), count)
    gumbel = draw.gumbel(size=logits.shape)
    labels = (logits + np.array(biases)[parts] + gumbel).argmax(1)
    return Sample(logits, labels, parts, tuple(f"place{index}" for index in range(len(biases))))


def test_figures_by_hand() -> None:
    probabilities = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.3, 0.7, 0.0]])
    found = ScalingFigures.of(probabilities, np.array([0, 1, 1]))
    assert found.nll == pytest.approx(-np.log([0.8, 0.4, 0.7]).mean())
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.miou == pytest.approx(0.5)  # 1 of 2 pixels in each class
    assert found.expected[:2] == pytest.approx([0.3, 0.3])
    assert found.wrong[:2] == pytest.approx([0.5, 0.0])
    assert np.isnan(found.expected[2])
    assert np.isnan(found.wrong[2])


def test_a_bias_that_places_share_is_kept() -> None:
    fitted = calibrate_sample(sample_of(*[(1.0, 0.0, -1.5)] * 3), Scaling(), "auto", places=True)
    assert fitted.kind == BIASED
    assert not fitted.is_worse
    assert np.argsort(fitted.scaling.class_bias).tolist() == [2, 1, 0]
    plain, biased = fitted.kept_out[TEMPERATURE], fitted.kept_out[BIASED]
    assert biased.accuracy > plain.accuracy + 0.03
    # errors by class from the confidence are those that are measured
    assert np.abs(plain.expected - plain.wrong).max() > 0.15
    assert biased.expected == pytest.approx(biased.wrong, abs=0.04)


def test_a_bias_that_hurts_other_places_is_not_kept() -> None:
    sample = sample_of((2.0, 0.0, -2.0), (-2.0, 0.0, 2.0), (2.0, 0.0, -1.0))
    fitted = calibrate_sample(sample, Scaling(), "auto", places=True)
    assert fitted.scaling.class_bias == ()
    assert fitted.kept_out[BIASED].nll > fitted.kept_out[TEMPERATURE].nll
    forced = calibrate_sample(sample, Scaling(), "yes", places=True)
    assert len(forced.scaling.class_bias) == 3
    assert forced.is_worse
    # within the sample it seems to help: that is not what is reported
    inside = ScalingFigures.of(forced.scaling.probabilities(sample.logits), sample.labels)
    assert inside.nll < fitted.kept_out[TEMPERATURE].nll < forced.kept_out[BIASED].nll
    assert forced.to_json()["nll"][1] == round(forced.kept_out[BIASED].nll, 4)


def test_a_stored_scaling_that_is_better_where_labels_were_kept_out_stays() -> None:
    sample = sample_of((1.5, 0.0, -1.5), (-1.5, 0.0, 1.5))
    found = fit_scaling(sample.logits, sample.labels)  # that of all places: better than one fitted to the other place
    fitted = calibrate_sample(sample, found, "auto", places=True)
    assert fitted.kind == STORED
    assert fitted.scaling == found
    assert not fitted.is_worse
    assert "nll" not in fitted.to_json()
    biased = Scaling(found.temperature, (9.0, 0.0, 0.0))
    assert calibrate_sample(sample, biased, "no", places=True).scaling.class_bias == ()


def test_error_ratios_are_measured_errors_by_those_of_the_confidence() -> None:
    fitted = calibrate_sample(sample_of(*[(1.0, 0.0, -1.5)] * 3), Scaling(), "no", places=True)
    figures = fitted.kept_out[fitted.kind]
    measured = (figures.wrong / figures.expected).clip(*RATIO_LIMITS)
    assert fitted.error_ratios == pytest.approx(tuple(measured), abs=1e-4)
    assert fitted.error_ratios[0] < 1 < fitted.error_ratios[2]  # too few and too many pixels
    assert fitted.to_json()["error_ratios"] == list(fitted.error_ratios)
    assert calibrate_sample(sample_of(*[(0.0,) * 3] * 3), Scaling(), "no", places=False).error_ratios == ()
    rare = sample_of((-20.0, 0.0, 0.0), (-20.0, 0.0, 0.0), count=1200)
    rare = replace(rare, logits=rare.logits - np.float32([9, 0, 0]))
    few = calibrate_sample(rare, Scaling(), "no", places=True)
    assert few.error_ratios[0] == 1


def test_images_of_one_place_are_not_enough() -> None:
    sample = sample_of(*[(1.0, 0.0, -1.5)] * 3)
    assert calibrate_sample(sample, Scaling(), "auto", places=False).scaling.class_bias == ()
    assert BIASED not in calibrate_sample(sample, Scaling(), "no", places=True).kept_out


def test_a_single_part_has_no_figures_of_a_fit() -> None:
    fitted = calibrate_sample(sample_of((1.0, 0.0, -1.5)), Scaling(), "auto", places=True)
    assert list(fitted.kept_out) == [STORED]
    assert set(fitted.to_json()) == {"temperature", "class_bias", "error_ratios", "pixels", "parts"}
    assert fitted.error_ratios == ()


def test_many_parts_are_joined() -> None:
    fitted = calibrate_sample(sample_of(*[(1.0, 0.0, -1.5)] * 25, count=200), Scaling(), "auto", places=True)
    assert fitted.parts == 25
    assert fitted.kind == BIASED


def test_the_table_has_every_class() -> None:
    fitted = calibrate_sample(sample_of(*[(1.0, 0.0, -1.5)] * 2), Scaling(2.0), "auto", places=True)
    lines = calibration_table(fitted, ["Sand", "Roof", "Palm"]).splitlines()
    assert lines[0] == f"| | {STORED} | {TEMPERATURE} | {BIASED} |"
    expected, wrong = (100 * values[2] for values in (fitted.kept_out[STORED].expected, fitted.kept_out[STORED].wrong))
    assert lines[-1].startswith(f"| Palm: wrong by its confidence / measured | {expected:.0f} % / {wrong:.0f} % |")
