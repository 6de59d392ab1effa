"""Runtimes agree with PyTorch in float32, the fastest good one is taken, and one that fails is replaced."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.io import files
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.core.runtimes import cache, hardware, openvino_runtime, torch_runtime
from dubai_landcover_plugin.core.runtimes import selection as choice
from dubai_landcover_plugin.core.runtimes.candidates import Candidate, list_candidates
from dubai_landcover_plugin.core.runtimes.network import ProbabilityNetwork
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError, join
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import DeviceError, OutOfMemoryError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.factories import random_pixels, stub_bundle

SPECS = {
    "unet": ModelSpec("unet", arguments={"width": 4, "depth": 2}),
    "unet, transposed": ModelSpec("unet", arguments={"width": 4, "depth": 2, "bilinear": False}),
    "vit": ModelSpec("vit", arguments={"dim": 16, "depth": 2, "heads": 2}),
    "unet_vit": ModelSpec("unet_vit", arguments={"width": 4, "depth": 2, "dim": 16, "blocks": 1, "heads": 2}),
    "unet_efficientnet": ModelSpec("unet_efficientnet", arguments={"widths": [8, 8, 8, 8], "blocks": 1, "dim": 16}),
}
SHAPE = (3, 64, 96)
ROOT = Path(__file__).resolve().parents[3]


def make_bundle(kind: str, seed: int = 0) -> ModelBundle:
    """Return a network of random weights whose norms have seen something."""
    torch.manual_seed(seed)
    model = build_model(SPECS[kind])
    model.train()
    for _ in range(3):
        model(torch.randn(2, 3, 64, 64) * 2 + 0.3)
    metadata = BundleMetadata(
        name="small", title="A small one", spec=SPECS[kind], scheme=DUBAI, bands=("red", "green", "blue"),
        mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3), gsd=1.0, window=64, stride=model.stride, temperature=0.8,
    )  # fmt: skip
    return ModelBundle(metadata, model.eval().requires_grad_(False), f"{kind} {seed}")


def plain(bundle: ModelBundle, chips: np.ndarray) -> np.ndarray:
    """Return probabilities as the definition has them, without any of the code under test."""
    metadata = bundle.metadata
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (metadata.mean, metadata.std))
    with torch.no_grad():
        logits = bundle.model((torch.from_numpy(chips).float() / 255 - mean) / std)
    return torch.softmax(logits / metadata.temperature, 1).numpy()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keep compiled networks of tests out of the user's cache."""
    monkeypatch.setenv("DUBAI_LANDCOVER_CACHE", str(tmp_path / "cache"))


class TestAgreement:
    @pytest.mark.parametrize("kind", SPECS)
    def test_folded_norms_change_nothing(self, kind):
        bundle, chips = make_bundle(kind), random_pixels(*SHAPE[1:])[None]
        network = ProbabilityNetwork(bundle).eval()
        folded = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
        assert not folded
        with torch.no_grad():
            given = network(torch.from_numpy(chips)).numpy()
        np.testing.assert_allclose(given, plain(bundle, chips), atol=2e-5)
        assert any(isinstance(module, torch.nn.BatchNorm2d) for module in bundle.model.modules()) or kind == "vit"

    @pytest.mark.parametrize("kind", SPECS)
    def test_openvino_gives_what_pytorch_gives(self, kind):
        pytest.importorskip("openvino")
        bundle, chips = make_bundle(kind), np.stack([random_pixels(*SHAPE[1:], seed) for seed in range(3)])
        predictor = Predictor(bundle, "cpu", "float32", runtime="openvino", shape=SHAPE)
        assert predictor.runtime == "openvino"
        np.testing.assert_allclose(predictor(chips), plain(bundle, chips), atol=2e-4)
        predictor.close()

    def test_augmentation_turns_windows_that_are_not_square(self):
        pytest.importorskip("openvino")
        bundle, chips = make_bundle("unet"), random_pixels(*SHAPE[1:])[None]
        views = [np.rot90(plain(bundle, np.rot90(chips, turns, (2, 3)).copy()), -turns, (2, 3)) for turns in range(4)]
        for runtime in ("torch", "openvino"):
            predictor = Predictor(bundle, "cpu", "float32", tta=True, runtime=runtime, shape=SHAPE)
            np.testing.assert_allclose(predictor(chips), np.mean(views, axis=0), atol=2e-4)
            predictor.close()


def test_openvino_reports_nothing_to_its_makers():
    """Importing the package by itself would send an event over the network."""
    pytest.importorskip("openvino")
    lines = (
        "from dubai_landcover_plugin.core.runtimes import openvino_runtime as runtime; import sys;"
        "runtime.has_bfloat16(); import openvino.tools.ovc.telemetry_utils as used; print(used.tm.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub"]


class TestCache:
    @pytest.mark.parametrize("harm", [lambda data: b"not a network" * 1000, lambda data: data[:-9] + bytes(9)])
    def test_a_compiled_network_is_used_again_and_a_damaged_one_made_anew(self, tmp_path, monkeypatch, harm):
        pytest.importorskip("openvino")
        bundle, chips = make_bundle("unet"), random_pixels(*SHAPE[1:])[None]
        first = Predictor(bundle, "cpu", "float32", runtime="openvino", shape=SHAPE)(chips)
        (compiled,) = (tmp_path / "cache" / "compiled").iterdir()
        (graph,) = (tmp_path / "cache" / "graphs").iterdir()
        with monkeypatch.context() as patch:
            patch.setattr(openvino_runtime, "_read_graph", lambda *arguments: pytest.fail("compiled twice"))
            again = Predictor(bundle, "cpu", "float32", runtime="openvino", shape=SHAPE)(chips)
        assert (first == again).all()
        with monkeypatch.context() as patch:
            patch.setattr(openvino_runtime, "convert_network", lambda *arguments: pytest.fail("converted twice"))
            other = Predictor(bundle, "cpu", "float32", runtime="openvino", shape=(3, 96, 64))
        np.testing.assert_allclose(other(chips.transpose(0, 1, 3, 2).copy()).shape, (1, 5, 96, 64))
        for stored in (compiled, graph):
            stored.write_bytes(harm(stored.read_bytes()))
        anew = Predictor(bundle, "cpu", "float32", runtime="openvino", shape=SHAPE)(chips)
        assert (first == anew).all()

    def test_it_keeps_the_newest_files_and_survives_a_folder_it_cannot_write(self, tmp_path, monkeypatch):
        for number in range(20):
            cache.write_cached("trials", [number], str(number).encode())
        assert len(list((tmp_path / "cache" / "trials").iterdir())) == 12
        assert cache.read_cached("trials", [19]) == b"19"
        assert cache.read_cached("trials", [20]) is None
        left = make_partial(tmp_path / "cache" / "trials" / "file")  # by a run that was killed
        remove_partial(left)
        left.mkdir()
        monkeypatch.setattr(files, "_swept", {})
        assert cache.read_cached("trials", [19]) == b"19"
        assert not left.exists()
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("DUBAI_LANDCOVER_CACHE", str(tmp_path / "file"))
        cache.write_cached("trials", [1], b"1")
        assert cache.read_cached("trials", [1]) is None


class Fake:
    """A runtime that answers as told: an array, or an error."""

    device, batch, in_flight = "cpu", 2, 2

    def __init__(self, candidate, answer):
        self.name, self.precision, self.answer, self.closed = candidate.runtime, candidate.precision, answer, False

    def submit(self, chips):
        future = Future()
        answer = self.answer(chips) if callable(self.answer) else self.answer
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return future

    def close(self):
        self.closed = True


def answers(probability):
    """Return a function that makes every pixel the first class with this probability."""

    def answer(chips):
        probabilities = np.full((len(chips), 5, *chips.shape[2:]), (1 - probability) / 4, np.float32)
        probabilities[:, 0] = probability
        return probabilities

    return answer


@pytest.fixture
def fakes(monkeypatch):
    """Replace the runtimes by fakes; the dictionary says what each answers, or what loading it raises."""
    table, made = {}, []

    def load(self, candidate):
        answer = table[str(candidate)]
        if isinstance(answer, RuntimeUnavailableError):
            raise answer
        made.append(Fake(candidate, answer))
        return made[-1]

    known = [Candidate("openvino", "cpu", "bfloat16"), Candidate("openvino", "cpu", "float32"),
             Candidate("torch", "cpu", "float32")]  # fmt: skip
    monkeypatch.setattr(choice.RuntimeSelector, "_load", load)
    monkeypatch.setattr(choice, "list_candidates", lambda *args, **named: list(known))
    table.update({str(candidate): answers(0.9) for candidate in known})
    return table


@pytest.fixture
def only_cpu(monkeypatch):
    """A machine with OpenVINO, a CPU that does bfloat16 only in OpenVINO, and nothing else."""
    monkeypatch.setattr(openvino_runtime, "is_installed", lambda: True)
    monkeypatch.setattr(openvino_runtime, "has_bfloat16", lambda: True)
    monkeypatch.setattr(openvino_runtime, "has_device", lambda name: False)
    monkeypatch.setattr(torch_runtime, "has_device", lambda name: name == "cpu")
    monkeypatch.setattr(torch_runtime, "fast_precision", lambda device: "float32")
    monkeypatch.setattr(hardware, "may_have_gpu", lambda: False)


def predictor_of(fakes, lines, sample=True):
    read = (lambda: random_pixels(32, 32)[None]) if sample else None
    return Predictor(stub_bundle(), shape=(3, 32, 32), sample=read, log=lambda *line: lines.append(line))


class TestChoice:
    def test_one_that_gives_other_classes_is_not_used(self, fakes):
        lines = []
        fakes["openvino on cpu, bfloat16"] = answers(0.1)  # every other class is likelier
        fakes["openvino on cpu, float32"] = answers(0.1)
        assert predictor_of(fakes, lines).runtime == "torch"
        told = [text for level, text in lines if level == "warning"]
        assert len(told) == 2
        assert "0.00% agreement with float32, below the minimum of 99.5%: not used" in told[0]

    def test_one_that_cannot_be_loaded_is_told_and_passed_over(self, fakes):
        lines = []
        fakes["openvino on cpu, bfloat16"] = RuntimeUnavailableError("No such arithmetic.")
        predictor = predictor_of(fakes, lines, sample=False)
        assert (predictor.runtime, predictor.precision) == ("openvino", "float32")
        told = "openvino on cpu, bfloat16 cannot be used: No such arithmetic. openvino on cpu, float32 is used instead."
        assert lines == [("warning", told)]

    def test_the_trial_is_remembered(self, fakes):
        lines = []
        predictor_of(fakes, lines)
        assert len(lines) == 3
        again = predictor_of(fakes, lines)
        assert [text for _, text in lines[3:]] == [f"{text}, as measured earlier" for _, text in lines[:3]]
        assert again.speed > 0

    @pytest.mark.parametrize(
        ("wish", "tried", "names"),
        [
            ("auto auto auto", True, ["openvino cpu bfloat16", "openvino cpu float32", "torch cpu float32"]),
            ("auto cpu auto", False, ["openvino cpu float32", "torch cpu float32"]),
            ("torch cpu bfloat16", True, ["torch cpu bfloat16"]),
        ],
    )
    def test_what_may_compute_on_a_cpu(self, only_cpu, wish, tried, names):
        assert list_candidates(Candidate(*wish.split()), tried) == [Candidate(*name.split()) for name in names]

    @pytest.mark.parametrize(
        ("accurate", "tried", "precisions"),
        [
            ({"float32", "bfloat16"}, False, ["bfloat16", "float32"]),
            ({"float32"}, True, ["float32"]),
            ((), False, ["float32"]),
        ],
    )
    def test_measured_accuracy_decides_on_precisions(self, only_cpu, accurate, tried, precisions):
        found = list_candidates(Candidate("auto", "cpu", "auto"), tried, False, True, frozenset(accurate))
        assert found == [Candidate("openvino", "cpu", precision) for precision in precisions]

    @pytest.mark.parametrize(("miou", "precision"), [(0.698, "bfloat16"), (0.6979, "float32")])
    def test_a_model_with_measured_precisions_needs_no_trial(self, only_cpu, monkeypatch, miou, precision):
        bundle = stub_bundle()
        table = {"float32": {"miou": 0.7}, "bfloat16": {"miou": miou}, "emulated": False}
        bundle.metadata = replace(bundle.metadata, metrics={"precisions": table})
        loaded = []
        monkeypatch.setattr(type(bundle), "has_graph", lambda self, kind: True)
        monkeypatch.setattr(
            choice.RuntimeSelector, "_load", lambda self, one: loaded.append(one) or Fake(one, answers(0.9))
        )
        predictor = Predictor(bundle, shape=(3, 32, 32), sample=lambda: pytest.fail("tried"))
        assert loaded == [Candidate("openvino", "cpu", precision)]
        assert predictor._selector._left[-1] == Candidate("torch", "cpu", "float32")

    def test_a_graphics_card_comes_first_and_the_cpu_stands_in_for_it(self, only_cpu, monkeypatch):
        monkeypatch.setattr(hardware, "may_have_gpu", lambda: True)
        monkeypatch.setattr(torch_runtime, "has_device", lambda name: name == "cuda")
        monkeypatch.setattr(torch_runtime, "fast_precision", lambda name: "float16" if name == "cuda" else "float32")
        found = list_candidates(Candidate("auto", "cuda", "auto"), tried=True)
        assert found[:2] == [Candidate("torch", "cuda", "float16"), Candidate("torch", "cuda", "float32")]
        assert {one.device for one in found[2:]} == {"cpu"}
        monkeypatch.setattr(openvino_runtime, "has_device", lambda name: True)
        found = list_candidates(Candidate("auto", "intel-gpu", "auto"), tried=True)
        assert found[:2] == [
            Candidate("openvino", "intel-gpu", "float16"),
            Candidate("openvino", "intel-gpu", "float32"),
        ]

    def test_what_is_not_there_is_refused(self, only_cpu, monkeypatch):
        with pytest.raises(DeviceError, match="'cuda' is not available; available: cpu"):
            list_candidates(Candidate("auto", "cuda", "auto"), tried=True)
        monkeypatch.setattr(openvino_runtime, "is_installed", lambda: False)
        assert list_candidates(Candidate("auto", "cpu", "auto"), True) == [Candidate("torch", "cpu", "float32")]
        with pytest.raises(RuntimeUnavailableError, match="openvino is not installed"):
            list_candidates(Candidate("openvino", "auto", "auto"), tried=True)

    def test_a_broken_openvino_is_told_and_passed_over(self, monkeypatch):
        monkeypatch.setattr(openvino_runtime, "is_installed", lambda: True)
        monkeypatch.setitem(sys.modules, "openvino", None)
        lines, chips = [], random_pixels(*SHAPE[1:])[None]
        bundle = make_bundle("unet")
        predictor = Predictor(bundle, "cpu", shape=SHAPE, sample=lambda: chips, log=lambda *line: lines.append(line))
        assert predictor.runtime == "torch"
        assert any(level == "warning" and "OpenVINO cannot be loaded" in text for level, text in lines)
        np.testing.assert_allclose(predictor(chips), plain(bundle, chips), atol=0.05)
        predictor.close()

    def test_options_name_a_runtime(self):
        assert SegmentOptions(runtime="openvino").runtime == "openvino"
        with pytest.raises(ValueError, match="runtime must be one of auto, openvino, torch"):
            SegmentOptions(runtime="tensorflow")


class TestFallback:
    def test_a_runtime_that_fails_midway_is_replaced_loudly(self, fakes):
        lines, chips = [], random_pixels(32, 32)[None]
        predictor = predictor_of(fakes, lines, sample=False)
        first = [predictor.start(chips), predictor.start(chips)]
        predictor._runtime.answer = RuntimeError("driver gone")
        failing = [predictor.start(chips), predictor.start(chips)]
        assert all((predictor.finish(batch) == answers(0.9)(chips)).all() for batch in (*first, *failing))
        assert (predictor.runtime, predictor.precision) == ("openvino", "float32")
        told = "openvino on cpu, bfloat16, failed: driver gone The run continues with openvino on cpu, float32."
        assert lines == [("warning", told)]

    def test_numbers_that_are_none_count_as_failure(self, fakes):
        lines, chips = [], random_pixels(32, 32)[None]
        fakes["openvino on cpu, bfloat16"] = fakes["openvino on cpu, float32"] = answers(np.nan)
        predictor = predictor_of(fakes, lines, sample=False)
        assert (predictor(chips) == answers(0.9)(chips)).all()
        assert predictor.runtime == "torch"
        assert len(lines) == 2
        fakes["torch on cpu, float32"] = answers(np.nan)
        with pytest.raises(DeviceError, match="NaN or infinite"):
            predictor_of(fakes, lines, sample=False)(chips)

    def test_a_batch_that_does_not_fit_is_halved_with_the_same_result(self, fakes):
        lines, chips = [], np.stack([random_pixels(32, 32, seed) for seed in range(5)])

        def small(batch):
            return OutOfMemoryError(f"{len(batch)} windows do not fit.") if len(batch) > 1 else answers(0.9)(batch)

        fakes["openvino on cpu, bfloat16"] = small
        predictor = predictor_of(fakes, lines, sample=False)
        assert (predictor(chips) == answers(0.9)(chips)).all()
        assert predictor.precision == "bfloat16"
        assert lines[0] == ("warning", "5 windows do not fit. The run continues with batches of 2.")
        fakes["openvino on cpu, bfloat16"] = lambda batch: OutOfMemoryError("Nothing fits.")
        other = predictor_of(fakes, lines, sample=False)
        assert (other(chips) == answers(0.9)(chips)).all()
        assert other.precision == "float32"

    def test_parts_are_joined_in_their_order_whichever_is_ready_first(self):
        parts = [Future() for _ in range(3)]
        whole = join(parts)
        for number in (2, 0, 1):
            parts[number].set_result(np.full((1, 2), number))
        assert whole.result().tolist() == [[0, 0], [1, 1], [2, 2]]
        parts = [Future() for _ in range(2)]
        whole = join(parts)
        parts[0].set_exception(OutOfMemoryError("too much"))
        parts[1].set_result(np.zeros((1, 2)))
        with pytest.raises(OutOfMemoryError):
            whole.result()
