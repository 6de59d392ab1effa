"""Features are those of the network in both runtimes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.bundle.graphs import FEATURES
from dubai_landcover_plugin.core.runtimes.runtime import RuntimeUnavailableError
from dubai_landcover_plugin.core.teaching import features
from dubai_landcover_plugin.core.teaching.features import open_features
from tests.factories import random_pixels, write_teachable_model


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return open_bundle(write_teachable_model(tmp_path_factory.mktemp("model") / "teachable.safetensors"))


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_features_are_those_of_the_network(bundle, runtime):
    chip = random_pixels(64, 96)
    network = open_features(bundle, (3, 64, 96), runtime, "float32", 1, lambda level, text: None)
    found = network.submit(chip).result()
    network.close()
    with torch.inference_mode():
        chips = (torch.from_numpy(chip)[None].float() / 255 - 0.5) / 0.25
        expected = bundle.model.levels(chips)
    assert (network.name, network.precision, len(found)) == (runtime, "float32", 4)
    for own, level in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, level[0].numpy(), rtol=1e-3, atol=1e-3)


def test_a_network_that_fails_says_so(bundle):
    network = open_features(bundle, (3, 64, 64), "openvino", "float32", 1, lambda level, text: None)
    with pytest.raises(RuntimeUnavailableError, match=r"OpenVINO failed: .*Choose runtime torch"):
        network.submit(random_pixels(64, 96)).result()
    assert len(network.submit(random_pixels(64, 64)).result()) == 4
    network.close()


def test_pytorch_is_used_where_openvino_fails(bundle, monkeypatch):
    def fail(*arguments):
        raise RuntimeUnavailableError("no OpenVINO")

    notes = []
    monkeypatch.setattr(features, "load_openvino", fail)
    network = open_features(bundle, (3, 64, 64), "auto", "auto", 1, lambda level, text: notes.append(text))
    assert (network.name, network.precision) == ("torch", "float32")
    assert notes == ["no OpenVINO PyTorch is used instead."]
    with pytest.raises(RuntimeUnavailableError, match="no OpenVINO"):
        open_features(bundle, (3, 64, 64), "openvino", "auto", 1, lambda level, text: None)


@pytest.mark.parametrize("model", ["dubai", "world"])
def test_shipped_models_have_the_graph_so_that_a_first_view_converts_nothing(model):
    assert open_bundle(model).has_graph(FEATURES)
