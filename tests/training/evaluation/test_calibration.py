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
from dubai_landcover_plugin.core.bundle.bundle import load_bundle, open_bundle
from dubai_landcover_plugin.core.bundle.save import add_graphs, replace_metadata, save_bundle
from dubai_landcover_plugin.core.networks import LAST_BIAS
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from tests.training.dataset import make_image
from training.__main__ import main
from training.errors import DatasetError
from training.evaluation.calibration import LIMITS, Scaling, fit_scaling, sample_logits
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


class TestFit:
    @pytest.mark.parametrize("true", [0.5, 1.0, 2.5])
    def test_the_temperature_is_found(self, true: float) -> None:
        logits, labels = drawn(true)
        fitted = fit_scaling(logits, labels)
        assert fitted.temperature == pytest.approx(true, rel=0.04)
        assert fitted.class_bias == ()
        confidence = fitted.probabilities(logits).max(1)
        assert Reliability.of(confidence, logits.argmax(1) == labels).error < 0.012

    def test_it_stays_within_limits(self) -> None:
        logits = np.eye(5, dtype=np.float32)[np.arange(50) % 5]
        assert fit_scaling(logits, np.arange(50) % 5).temperature == pytest.approx(LIMITS[0])  # always right
        assert fit_scaling(logits, (np.arange(50) + 1) % 5).temperature == pytest.approx(LIMITS[1])  # never

    def test_biases_are_those_of_the_logits(self) -> None:
        true = np.array([0.4, -0.6, 0.0, 0.5, -0.3], np.float32)
        logits, labels = drawn(2.0)
        fitted = fit_scaling(logits - true, labels, biased=True)
        assert fitted.temperature == pytest.approx(2, rel=0.05)
        found = np.array(fitted.class_bias)
        assert found - found.mean() == pytest.approx(true - true.mean(), abs=0.12)

    def test_mean_probabilities_are_the_shares_of_the_labels(self) -> None:
        logits, labels = drawn(1.0)
        labels = np.where((labels == 4) & (np.arange(len(labels)) % 2 > 0), 0, labels)  # half as many of class 4
        shares = np.bincount(labels, minlength=5) / len(labels)
        plain, biased = (fit_scaling(logits, labels, kind).probabilities(logits).mean(0) for kind in (False, True))
        assert np.abs(plain - shares).max() > 0.06
        assert biased == pytest.approx(shares, abs=0.015)

    def test_a_class_without_labels_keeps_bias_0(self) -> None:
        logits, labels = drawn(1.0)
        known = labels != 2
        fitted = fit_scaling(logits[known], labels[known], biased=True)
        assert fitted.class_bias[2] == 0
        assert max(map(abs, fitted.class_bias)) < 2


class TestSample:
    def test_it_is_of_labelled_pixels_and_repeats(self, trained: Callable[[], Path]) -> None:
        bundle = load_bundle(trained())
        image = make_image(3)
        labels = image.labels.copy()
        labels[:48] = IGNORE
        halves = [("north", replace(image, labels=labels))]
        sample = sample_logits(bundle, halves)
        assert (sample.logits == sample_logits(bundle, halves).logits).all()
        assert 0 < len(sample.labels) < 0.1 * 48 * 80 * 2  # windows may overlap
        answer = np.log(Predictor(bundle, "cpu")(image.pixels[32:, :64].transpose(2, 0, 1)[None].copy())[0])
        inside = {tuple(column) for column in answer.reshape(5, -1).T.round(3).tolist()}
        assert any(tuple(row) in inside for row in sample.logits.round(3).tolist())

    def test_pixels_belong_to_parts(self, trained: Callable[[], Path]) -> None:
        images = [("a", make_image(3)), ("b", make_image(4)), ("a", make_image(5))]
        sample = sample_logits(load_bundle(trained()), images)
        assert sample.names == ("a", "b")
        assert (np.diff(sample.parts) != 0).sum() == 2
        assert set(sample.parts.tolist()) == {0, 1}

    def test_logits_are_without_the_stored_scaling(self, trained: Callable[[], Path]) -> None:
        path, images = trained(), [("a", make_image(3))]
        before = sample_logits(load_bundle(path), images, "cpu")
        metadata = load_bundle(path).metadata
        replace_metadata(path, replace(metadata, temperature=1.7, class_bias=(0.5, -0.5, 0.25, 0.0, 1.0)))
        after = sample_logits(load_bundle(path), images, "cpu")
        differences = after.logits - before.logits
        assert (differences - differences[:, :1]) == pytest.approx(0, abs=2e-3)
        stored = Scaling.of(load_bundle(path).metadata)
        assert stored.probabilities(after.logits) == pytest.approx(stored.probabilities(before.logits), abs=1e-3)

    def test_without_a_labelled_pixel_there_is_nothing_to_fit(self, trained: Callable[[], Path]) -> None:
        image = make_image(3)
        empty = replace(image, labels=np.full_like(image.labels, IGNORE))
        with pytest.raises(DatasetError, match="cannot be fitted"):
            sample_logits(load_bundle(trained()), [("a", empty)])


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
        printed = capsys.readouterr().out
        assert "2 places, each left out of the fit once" in printed
        assert "| | as stored | temperature | temperature and class bias |" in printed
        metadata = load_bundle(model).metadata
        assert metadata.temperature != 1
        fitted = metadata.training["calibration"]
        assert fitted["temperature"] == metadata.temperature
        assert tuple(fitted["class_bias"]) == metadata.class_bias
        assert "All labelled images" in fitted["images"]

    def test_a_class_drawn_too_often_gets_a_bias_that_every_runtime_applies(
        self, trained: Callable[[], Path], data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = trained()
        bundle = load_bundle(model)
        bundle.model.get_parameter(LAST_BIAS)[4] += 6  # too much Vegetation
        save_bundle(model, bundle.metadata, bundle.model)
        chips = make_image(10, 64, 64).pixels.transpose(2, 0, 1)[None].copy()
        shares = [np.mean(Predictor(load_bundle(model), "cpu")(chips).argmax(1) == 4)]
        assert main(["calibrate", str(model), "--data", str(data), "--device", "cpu"]) == 0
        assert "now has" in capsys.readouterr().out
        bundle = load_bundle(model)
        assert np.argmin(bundle.metadata.class_bias) == 4
        answers = [
            Predictor(bundle, "cpu", "float32", runtime=runtime, shape=(3, 64, 64))(chips)
            for runtime in ("torch", "openvino")
        ]
        assert answers[0] == pytest.approx(answers[1], abs=1e-4)
        assert np.mean(answers[0].argmax(1) == 4) < shares[0] - 0.2
        accuracies = bundle.metadata.training["calibration"]["accuracy"]
        assert accuracies[1] > accuracies[0]
        assert main(["export", str(model), str(model.with_suffix(".onnx"))]) == 0
        onnx = open_bundle(model.with_suffix(".onnx"))
        given = Predictor(onnx, "cpu", runtime="onnxruntime", shape=(3, 64, 64))(chips)
        assert given == pytest.approx(answers[0], abs=1e-3)

    def test_images_of_one_place_change_no_class_unless_asked(
        self, trained: Callable[[], Path], data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = trained()
        command = ["calibrate", str(model), "--data", str(data), "--device", "cpu", "--groups", "tile1"]
        assert main(command) == 0
        assert "No class bias: all images are at one place" in capsys.readouterr().out
        assert load_bundle(model).metadata.class_bias == ()
        original = load_bundle(model).model.state_dict()["head.bias"]
        assert main([*command, "--class-bias", "yes"]) == 0
        assert "2 images of one place" in capsys.readouterr().out
        assert len(load_bundle(model).metadata.class_bias) == 5
        assert main([*command, "--class-bias", "no"]) == 0
        assert load_bundle(model).metadata.class_bias == ()
        torch.testing.assert_close(load_bundle(model).model.state_dict()["head.bias"], original)

    def test_a_single_image_has_no_figures(
        self, trained: Callable[[], Path], data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = trained()
        command = ["calibrate", str(model), "--data", str(data), "--device", "cpu", "--names", "tile1/image_part_001"]
        assert main(command) == 0
        assert "The quality of the fit is unknown" in capsys.readouterr().out
        assert "ece" not in load_bundle(model).metadata.training["calibration"]

    def test_an_int8_graph_of_the_old_scaling_is_named(
        self, trained: Callable[[], Path], capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = trained()
        add_graphs(model, load_bundle(model).metadata, {"int8": b"graph"})
        assert main(["calibrate", str(model), "--temperature", "1.5"]) == 0
        expected = f"graphs for OpenVINO were removed; add new ones with: python -m training graphs {model} --data"
        assert expected in capsys.readouterr().out

    def test_a_temperature_can_be_given(self, trained: Callable[[], Path], capsys: pytest.CaptureFixture[str]) -> None:
        model = trained()
        assert main(["calibrate", str(model), "--temperature", "1.25"]) == 0
        assert load_bundle(model).metadata.temperature == 1.25
        assert main(["calibrate", str(model), "--temperature", "-1"]) == 1
        assert "--temperature must be in 0.05..20, got -1" in capsys.readouterr().err
        assert main(["calibrate", str(model), "--temperature", "1", "--class-bias", "yes"]) == 1
        assert "nothing is fitted" in capsys.readouterr().err
        assert load_bundle(model).metadata.temperature == 1.25
