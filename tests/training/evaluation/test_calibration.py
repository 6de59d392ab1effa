"""Reliability bins by hand, and temperatures that undo a known one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from tests.training.dataset import make_image
from training.__main__ import main
from training.errors import DatasetError
from training.evaluation.calibration import LIMITS, fit_temperature, sample_logits
from training.evaluation.reliability import BINS, Reliability


def drawn(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that are drawn from their softmax at a temperature."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(count, 5, generator=generator)
    labels = torch.multinomial(torch.softmax(logits / temperature, 1), 1, generator=generator)[:, 0]
    return logits.numpy(), labels.numpy()


class TestReliability:
    def test_by_hand(self) -> None:
        found = Reliability.of(np.array([1.0, 0.9, 0.95, 0.5, 0.2]), np.array([True, True, False, True, False]))
        assert found.sums[:, 0].tolist() == [0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2]  # 0.2 closes its bin
        # |0.2 - 0| + |0.5 - 1| + |0.9 - 1| + |1.95 - 1|, over five pixels
        assert found.error == pytest.approx((0.2 + 0.5 + 0.1 + 0.95) / 5)
        assert found.excess == pytest.approx((3.55 - 3) / 5)

    def test_as_torchmetrics_has_it(self) -> None:
        logits, labels = drawn(2.0, 5000)
        probabilities = torch.softmax(torch.from_numpy(logits), 1)
        confidence, channels = probabilities.max(1)
        found = Reliability.of(confidence.numpy(), channels.numpy() == labels)
        expected = multiclass_calibration_error(probabilities, torch.from_numpy(labels), 5, BINS, "l1")
        assert found.error == pytest.approx(float(expected), abs=1e-5)

    def test_parts_add_up(self) -> None:
        draw = np.random.default_rng(0)
        confidence, right = draw.random(1000), draw.random(1000) < 0.5
        parts = Reliability.of(confidence[:300], right[:300]) + Reliability.of(confidence[300:], right[300:])
        assert parts.error == pytest.approx(Reliability.of(confidence, right).error)

    def test_no_pixel_is_no_number(self) -> None:
        assert np.isnan(Reliability.empty().error)
        assert Reliability.empty().table()[0]["accuracy"] is None

    def test_percent_is_fine_enough(self) -> None:
        logits, labels = drawn(1.5)
        confidence, channels = torch.softmax(torch.from_numpy(logits), 1).max(1)
        values, right = confidence.numpy(), channels.numpy() == labels
        percent = np.rint(100 * values) / 100
        assert Reliability.of(percent, right).error == pytest.approx(Reliability.of(values, right).error, abs=1e-3)


class TestTemperature:
    @pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
    def test_it_is_found(self, true: float) -> None:
        fitted = fit_temperature(*drawn(true))
        assert fitted.temperature == pytest.approx(true, rel=0.04)
        assert fitted.nll[1] <= fitted.nll[0]
        assert fitted.ece[1] < 0.012

    def test_it_stays_within_limits(self) -> None:
        logits = np.eye(5, dtype=np.float32)[np.arange(50) % 5]
        assert fit_temperature(logits, np.arange(50) % 5).temperature == pytest.approx(LIMITS[0])  # always right
        assert fit_temperature(logits, (np.arange(50) + 1) % 5).temperature == pytest.approx(LIMITS[1])  # never

    def test_the_sample_is_of_labelled_pixels_and_repeats(self, trained: Callable[[], Path]) -> None:
        bundle = load_bundle(trained())
        image = make_image(3)
        labels = image.labels.copy()
        labels[:48] = IGNORE
        halves = [replace(image, labels=labels)]
        logits, channels = sample_logits(bundle, halves)
        again, _ = sample_logits(bundle, halves)
        assert (logits == again).all()
        assert 0 < len(channels) < 0.1 * 48 * 80 * 2  # windows may overlap
        answer = np.log(Predictor(bundle, "cpu")(image.pixels[32:, :64].transpose(2, 0, 1)[None].copy())[0])
        inside = {tuple(column) for column in answer.reshape(5, -1).T.round(3).tolist()}
        assert any(tuple(row) in inside for row in logits.round(3).tolist())

    def test_without_a_labelled_pixel_there_is_nothing_to_fit(self, trained: Callable[[], Path]) -> None:
        image = make_image(3)
        with pytest.raises(DatasetError, match="cannot be fitted"):
            sample_logits(load_bundle(trained()), [replace(image, labels=np.full_like(image.labels, IGNORE))])


class TestCommand:
    def test_it_goes_into_the_model_file(
        self, trained: Callable[[], Path], data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = trained()
        before = model.read_bytes()
        command = ["calibrate", str(model), "--data", str(data), "--device", "cpu"]
        assert main([*command, "--dry-run"]) == 0
        assert model.read_bytes() == before
        assert main(command) == 0
        assert "expected calibration error from" in capsys.readouterr().out
        metadata = load_bundle(model).metadata
        assert metadata.temperature != 1
        assert metadata.training["calibration"]["temperature"] == metadata.temperature
        assert "All labelled images" in metadata.training["calibration"]["images"]

    def test_it_can_be_given(self, trained: Callable[[], Path], capsys: pytest.CaptureFixture[str]) -> None:
        model = trained()
        assert main(["calibrate", str(model), "--temperature", "1.25"]) == 0
        assert load_bundle(model).metadata.temperature == 1.25
        assert main(["calibrate", str(model), "--temperature", "-1"]) == 1
        assert "--temperature must be in 0.05..20, got -1" in capsys.readouterr().err
        assert load_bundle(model).metadata.temperature == 1.25
