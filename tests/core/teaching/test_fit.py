"""The fit: what is taught changes, what is not taught stays."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.teaching.fit import FitOptions, Pixels, TaughtPixels, fit_head, is_wrong
from dubai_landcover_plugin.core.teaching.head import Head

CHANNELS, CLASSES = 80, 4


def random_head(seed: int) -> Head:
    draw = np.random.default_rng(seed)
    weights = tuple((0.4 * draw.normal(size=(CLASSES, 40))).astype(np.float32) for _ in range(2))
    return Head(weights, draw.normal(size=CLASSES).astype(np.float32), 0.8)


def places(seed: int, count: int) -> np.ndarray:
    """Pixels of places that differ more from each other than their pixels do, (count, 20, CHANNELS)."""
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(count, 1, CHANNELS))
    return (centres + 0.2 * draw.normal(size=(count, 20, CHANNELS))).astype(np.float32)


def anchors(seed: int, count: int = 40) -> Pixels:
    """Pixels of other places of a view."""
    return Pixels(places(seed + 1000, count).reshape(-1, CHANNELS))


def classes(head: Head, features: np.ndarray) -> np.ndarray:
    return head.of_pixels(features.reshape(-1, CHANNELS)).argmax(axis=1)


def lessons(seed: int, count: int, head: Head) -> list[TaughtPixels]:
    """Samples whose class is the second most probable one of the head."""
    found = []
    for number, pixels in enumerate(places(seed, count)):
        second = int(np.argsort(head.of_pixels(pixels).mean(axis=0))[-2])
        found.append(TaughtPixels(f"{number}", second, Pixels(pixels)))
    return found


@given(st.integers(0, 50))
@settings(max_examples=10, deadline=None)
def test_nothing_taught_changes_nothing(seed):
    head = random_head(seed)
    assert fit_head(head, [], anchors(seed)) is head


@given(st.integers(0, 50), st.integers(1, 4))
@settings(max_examples=10, deadline=None)
def test_taught_pixels_take_their_class_and_others_change_little(seed, count):
    head = random_head(seed)
    taught = lessons(seed, count, head)
    fitted = fit_head(head, taught, anchors(seed))
    for one in taught:
        assert (classes(fitted, one.pixels.features) == one.index).mean() > 0.9
    elsewhere = anchors(seed).features
    assert (classes(fitted, elsewhere) == classes(head, elsewhere)).mean() > 0.8


def test_samples_that_confirm_change_nearly_nothing():
    head = random_head(1)
    taught = [
        TaughtPixels(str(number), int(head.of_pixels(pixels).mean(axis=0).argmax()), Pixels(pixels))
        for number, pixels in enumerate(places(1, 5))
    ]
    fitted = fit_head(head, taught, anchors(1))
    elsewhere = anchors(1).features
    assert (classes(fitted, elsewhere) == classes(head, elsewhere)).mean() > 0.95


def test_the_order_of_samples_does_not_matter():
    head = random_head(2)
    taught = lessons(2, 4, head)
    first = fit_head(head, taught, anchors(2))
    for order in itertools.islice(itertools.permutations(taught), 1, None, 7):
        other = fit_head(head, order, anchors(2))
        assert all(map(np.array_equal, first.weights, other.weights))
        assert np.array_equal(first.bias, other.bias)


def test_a_sample_removed_gives_the_fit_without_it():
    head = random_head(3)
    taught = lessons(3, 3, head)
    before = fit_head(head, taught[:2], anchors(3))
    again = fit_head(head, [one for one in taught if one.key != "2"], anchors(3))
    assert all(map(np.array_equal, before.weights, again.weights))


def test_a_new_class_is_learned_and_appears_only_there():
    head = random_head(4).with_new_classes(1)
    pixels = places(4, 1)[0]
    before = anchors(4).features
    assert (classes(head, before) < CLASSES).all()
    fitted = fit_head(head, [TaughtPixels("new", CLASSES, Pixels(pixels))], anchors(4))
    assert (classes(fitted, pixels) == CLASSES).all()
    assert (classes(fitted, before) == CLASSES).mean() < 0.1


def test_the_gradient_is_that_of_the_objective():
    from dubai_landcover_plugin.core.teaching.fit import _Problem

    head = random_head(6)
    problem = _Problem(head, lessons(6, 2, head), anchors(6, 3), FitOptions())
    point = np.random.default_rng(0).normal(size=problem.size) * 0.1
    _, gradient = problem(point)
    for index in (0, 7, problem.size - 1):
        step = np.zeros(problem.size)
        step[index] = 1e-2
        slope = (problem(point + step)[0] - problem(point - step)[0]) / 2e-2
        assert gradient[index] == pytest.approx(slope, rel=2e-2, abs=1e-4)


def test_samples_on_errors_alone_pull_less_than_with_weak_anchors():
    head = random_head(7)
    taught = lessons(7, 6, head)
    assert all(is_wrong(head, one) for one in taught)
    elsewhere = anchors(7).features
    kept = [
        (
            classes(fit_head(head, taught, anchors(7), FitOptions(wrong_anchor=weight)), elsewhere)
            == classes(head, elsewhere)
        ).mean()
        for weight in (0.5, 2.0)
    ]
    assert kept[1] > kept[0]
