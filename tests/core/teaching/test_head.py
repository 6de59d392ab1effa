"""The last layers in numpy agree with those of the network."""

from __future__ import annotations

import numpy as np
import torch

from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.core.teaching.head import Head, enlarge, features_at
from dubai_landcover_plugin.protocol.model_metadata import ModelSpec
from tests.factories import TINY_TEACHABLE

WIDTHS = TINY_TEACHABLE["widths"]


def random_levels(height: int = 64, width: int = 96) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    strides = (16, 8, 4, 2)
    return [
        draw.random((channels, height // stride, width // stride), np.float32)
        for channels, stride in zip(WIDTHS, strides, strict=True)
    ]


def random_head(classes: int = 5) -> Head:
    draw = np.random.default_rng(1)
    weights = tuple(draw.normal(size=(classes, channels)).astype(np.float32) for channels in WIDTHS)
    return Head(weights, draw.normal(size=classes).astype(np.float32), 0.7)


def test_enlarge_interpolates_as_pytorch_does():
    values = np.random.default_rng(2).random((3, 5, 7), np.float32)
    expected = torch.nn.functional.interpolate(torch.from_numpy(values)[None], scale_factor=2, mode="bilinear")[0]
    np.testing.assert_allclose(enlarge(values), expected.numpy(), rtol=1e-6, atol=1e-6)


def test_probabilities_are_those_of_the_network():
    model = build_model(ModelSpec("unet_efficientnet", 3, 5, {**TINY_TEACHABLE, "adapter": True})).eval()
    head = random_head()
    with torch.inference_mode():
        for index, weight in enumerate(head.weights[:-1]):
            model.get_submodule(f"adapter.{index}").weight.copy_(torch.from_numpy(weight)[:, :, None, None])
        model.get_submodule("head").weight.copy_(torch.from_numpy(head.weights[-1])[:, :, None, None])
        model.get_submodule("head").bias.copy_(torch.from_numpy(head.bias))
        chips = torch.randn(1, 3, 64, 96)
        levels = [level[0].numpy() for level in model.levels(chips)]
        expected = torch.softmax(model(chips) / head.temperature, 1)[0].numpy()
    np.testing.assert_allclose(head.probabilities(levels, (64, 96)), expected, atol=1e-5)
    # a window that was padded to the stride
    np.testing.assert_allclose(head.probabilities(levels, (50, 71)), expected[:, :50, :71], atol=1e-5)


def test_features_of_a_pixel_give_its_probabilities():
    head, levels = random_head(), random_levels()
    rows, cols = np.array([0, 0, 31, 63, 40]), np.array([0, 95, 32, 95, 7])
    logits = head.of_pixels(features_at(levels, rows, cols)) / head.temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = head.probabilities(levels, (64, 96))[:, rows, cols].T
    np.testing.assert_allclose(exponentials / exponentials.sum(axis=1, keepdims=True), expected, atol=1e-5)


def test_a_correction_of_zeros_changes_nothing_in_weights_of_half_precision():
    head = random_head()
    stored = Head(tuple(part.astype(np.float16).astype(np.float32) for part in head.weights), head.bias, 0.7)
    same = stored.plus(np.zeros((sum(WIDTHS), 5)), np.zeros(5))
    assert all(map(np.array_equal, same.weights, stored.weights))
    assert np.array_equal(same.bias, stored.bias)


def test_a_new_class_hardly_takes_probability():
    head, levels = random_head(), random_levels()
    before, after = head.probabilities(levels, (64, 96)), head.with_new_classes(2).probabilities(levels, (64, 96))
    assert after.shape[0] == 7
    np.testing.assert_allclose(after[:5], before, atol=1e-3)
    assert head.with_new_classes(0) is head
