"""Estimates against the published example, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core.assessment.estimate import LabelledSample, estimate_accuracy
from tests.core.assessment.cases import PAPER_PIXELS

PAPER_COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])


HECTARE_PER_PIXEL = 0.09


def spread(counts: np.ndarray, sizes: float = 1.0) -> LabelledSample:
    """Return points for an error matrix whose rows are strata."""
    mapped, reference = np.divmod(np.repeat(np.arange(counts.size), counts.ravel()), counts.shape[1])
    return LabelledSample(mapped, mapped, reference, np.full(len(mapped), sizes))


def test_the_published_example():
    found = estimate_accuracy(spread(PAPER_COUNTS), PAPER_PIXELS, 4)
    assert (found.overall.value, found.overall.margin) == pytest.approx((0.947, 0.018), abs=6e-4)
    assert [round(figure.value, 2) for figure in found.users] == [0.88, 0.73, 0.93, 0.96]
    assert [round(figure.margin, 2) for figure in found.users] == [0.07, 0.10, 0.04, 0.02]
    assert [round(figure.value, 2) for figure in found.producers] == [0.75, 0.85, 0.93, 0.96]
    assert [round(figure.margin, 2) for figure in found.producers] == [0.21, 0.25, 0.03, 0.02]
    hectares = [area.scaled(PAPER_PIXELS.sum() * HECTARE_PER_PIXEL) for area in found.areas]
    assert [round(figure.value) for figure in hectares] == [21158, 11686, 285770, 581386]
    assert [round(figure.margin) for figure in hectares] == [6158, 3756, 15510, 16282]
    assert found.counts.tolist() == PAPER_COUNTS.tolist()


def test_the_equations_by_hand():
    """Equations 4 to 10 of the paper, written out."""
    found = estimate_accuracy(spread(PAPER_COUNTS, sizes=900.0), PAPER_PIXELS, 4)
    n, weights = PAPER_COUNTS.sum(axis=1), PAPER_PIXELS / PAPER_PIXELS.sum()
    rows = PAPER_COUNTS / n[:, None]
    shares = weights[:, None] * rows
    users = np.diag(rows)
    assert found.shares == pytest.approx(shares)
    spread_of_users = users * (1 - users) / (n - 1)
    assert [figure.margin for figure in found.users] == pytest.approx(1.96 * np.sqrt(spread_of_users))
    assert found.overall.margin == pytest.approx(1.96 * np.sqrt((weights**2 * spread_of_users).sum()))
    areas = np.sqrt(((weights[:, None] * shares - shares**2) / (n - 1)[:, None]).sum(axis=0))
    assert [figure.margin for figure in found.areas] == pytest.approx(1.96 * areas)
    for j in range(4):
        total = (PAPER_PIXELS * rows[:, j]).sum()
        producers = PAPER_PIXELS[j] * users[j] / total
        others = [i for i in range(4) if i != j]
        variance = (PAPER_PIXELS[j] * (1 - producers)) ** 2 * spread_of_users[j]
        variance += producers**2 * sum(
            PAPER_PIXELS[i] ** 2 * rows[i, j] * (1 - rows[i, j]) / (n[i] - 1) for i in others
        )
        assert found.producers[j].value == pytest.approx(producers)
        assert found.producers[j].margin == pytest.approx(1.96 * np.sqrt(variance) / total)


def test_intervals_cover_the_truth_about_95_times_of_100():
    rng = np.random.default_rng(1)
    truth = np.array([[0.85, 0.10, 0.05], [0.10, 0.80, 0.10], [0.03, 0.02, 0.95]])  # rows: the map
    pixels = np.array([100_000, 300_000, 600_000])
    weights = pixels / pixels.sum()
    shares = weights[:, None] * truth
    wanted = {
        "overall": np.trace(shares),
        "area": shares[:, 0].sum(),
        "users": truth[0, 0],
        "producers": shares[0, 0] / shares[:, 0].sum(),
    }
    hits = dict.fromkeys(wanted, 0)
    runs = 600
    for _ in range(runs):
        counts = np.array([rng.multinomial(n, row) for n, row in zip((100, 150, 250), truth, strict=True)])
        found = estimate_accuracy(spread(counts), pixels, 3)
        figures = {
            "overall": found.overall,
            "area": found.areas[0],
            "users": found.users[0],
            "producers": found.producers[0],
        }
        for name, figure in figures.items():
            hits[name] += abs(figure.value - wanted[name]) <= figure.margin
    for name, count in hits.items():
        assert 0.92 <= count / runs <= 0.98, name


def test_intervals_cover_where_the_points_are_of_another_map():
    """Stehman (2014): strata are not the classes of the map."""
    rng = np.random.default_rng(2)
    population = rng.choice(8, 200_000, p=[0.30, 0.03, 0.02, 0.05, 0.04, 0.06, 0.05, 0.45])
    strata, mapped, reference = population >> 2, (population >> 1) & 1, population & 1
    pixels = np.bincount(strata)
    members = [np.flatnonzero(strata == index) for index in range(2)]
    wanted = np.array(
        [(mapped == reference).mean(), (reference == 1).mean(), (mapped & reference).sum() / mapped.sum()]
    )
    hits, runs = np.zeros(3), 500
    for _ in range(runs):
        drawn = np.concatenate([rng.choice(group, 150, replace=False) for group in members])
        sample = LabelledSample(strata[drawn], mapped[drawn], reference[drawn], np.ones(len(drawn)))
        found = estimate_accuracy(sample, pixels, 2)
        figures = [found.overall, found.areas[1], found.users[1]]
        hits += [abs(figure.value - value) <= figure.margin for figure, value in zip(figures, wanted, strict=True)]
    assert (hits / runs > 0.92).all()
    assert (hits / runs < 0.98).all()


def test_pixels_of_different_size_count_by_their_size():
    """Two rows of pixels, the lower twice as large: half of the pixels are water, a third of the area."""
    sample = LabelledSample(
        np.zeros(400, np.intp), np.zeros(400, np.intp), np.arange(400) % 2, np.where(np.arange(400) % 2, 2.0, 1.0)
    )
    found = estimate_accuracy(sample, np.array([10_000, 0]), 2)
    assert found.areas[0].value == pytest.approx(1 / 3)
    assert found.overall.value == pytest.approx(1 / 3)


def test_one_point_gives_values_but_no_interval_that_depends_on_it():
    found = estimate_accuracy(spread(np.array([[1, 0], [10, 30]])), np.array([50, 50]), 2)
    assert found.overall.value == pytest.approx(0.875)
    assert np.isnan(found.overall.margin)
    assert np.isnan(found.users[0].margin)
    assert np.isfinite(found.users[1].margin)


@st.composite
def matrices(draw_one):
    classes = draw_one(st.integers(1, 5))
    counts = draw_one(
        st.lists(st.lists(st.integers(0, 20), min_size=classes, max_size=classes), min_size=classes, max_size=classes)
    )
    pixels = draw_one(st.lists(st.integers(1, 10**9), min_size=classes, max_size=classes))
    return np.array(counts), np.array(pixels)


@given(matrices())
def test_shares_add_up_and_figures_stay_in_range(drawn):
    counts, pixels = drawn
    if not counts.sum():
        return
    found = estimate_accuracy(spread(counts), pixels, len(counts))
    assert sum(figure.value for figure in found.areas) == pytest.approx(1)
    assert found.shares.sum() == pytest.approx(1)
    assert found.overall.value == pytest.approx(np.trace(found.shares))
    for figure in [found.overall, *found.users, *found.producers, *found.areas]:
        assert np.isnan(figure.value) or -1e-9 <= figure.value <= 1 + 1e-9
        assert np.isnan(figure.margin) or figure.margin >= 0
