"""The result of a run against its start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from training.loop.comparison import Candidate, Comparison, candidates, compare, describe_comparison, standard_error

IMAGES = 6


def counts_of(hits: list[int]) -> np.ndarray:
    """Return counts, (U, 1, 4, 2), of 100 pixels of class 0 in each image, of which ``hits`` are right."""
    counts = np.zeros((len(hits), 1, 4, 2), np.int64)
    counts[:, 0, 0, 0], counts[:, 0, 0, 1] = hits, 100 - np.array(hits)
    return counts


def share(counts: np.ndarray) -> dict[str, Any]:
    """Return the share of right pixels as mean IoU."""
    value = counts[:, 0, 0, 0].sum() / max(counts.sum(), 1)
    return {"accuracy": value, "miou": value}


def choose(*hits: list[int]) -> tuple[Comparison, Candidate]:
    tried = [Candidate(str(index), index / (len(hits) - 1), 7 * bool(index), {}) for index in range(len(hits))]
    found, kept, figures, lines = compare(
        tried, lambda candidate: counts_of(hits[int(candidate.label)]), share, "dubai", ["Palm"], len(hits[0])
    )
    assert figures["miou"] == share(counts_of(hits[int(kept.label)]))["miou"]
    assert len(lines) == len(hits)
    return found, kept


def test_the_error_of_a_mean_is_that_of_the_textbook() -> None:
    one, other = [50, 40, 60, 70, 30], [55, 60, 58, 90, 41]
    differences = np.subtract(other, one) / 100
    error = standard_error(counts_of(one), counts_of(other), lambda counts: share(counts)["miou"])
    assert error == pytest.approx(differences.std(ddof=1) / np.sqrt(len(one)))


def test_the_error_of_one_image_is_unknown_and_images_without_labels_do_not_count() -> None:
    one, other = counts_of([50, 40, 60]), counts_of([55, 60, 58])
    score = lambda counts: share(counts)["miou"]  # noqa: E731
    assert standard_error(one[:1], other[:1], score) is None
    empty = np.zeros_like(one[:1])
    assert standard_error(np.concatenate([one, empty]), np.concatenate([other, empty]), score) == standard_error(
        one, other, score
    )


@pytest.mark.parametrize(
    ("result", "better"),
    [
        ([60, 62, 61, 60, 59, 63], True),
        ([55, 80, 30, 50, 60, 40], False),  # + 2.5 on average, of which one image is the reason
        ([50] * IMAGES, False),
        ([40, 45, 40, 45, 40, 45], False),
    ],
)
def test_a_gain_below_its_error_keeps_the_start(result: list[int], better: bool) -> None:
    found, kept = choose([50] * IMAGES, result)
    assert (found.better, kept.label) == (better, "1" if better else "0")
    assert found.gain == pytest.approx(np.mean(result) / 100 - 0.5, abs=1e-4)


def test_the_best_share_is_kept_and_of_equal_ones_the_least_change() -> None:
    found, kept = choose([50] * 4, [58, 60, 61, 62], [70] * 4, [70] * 4, [64] * 4)
    assert (kept.label, found.alpha, found.step) == ("2", 0.5, 7)
    assert (found.start["miou"], found.result["miou"]) == (0.5, 0.7)


def test_candidates_run_from_the_start_to_the_result() -> None:
    start, last = {"head.weight": torch.zeros(2, 1), "head.bias": torch.zeros(2)}, {}
    last = {name: value + 1 for name, value in start.items()}
    epoch = Candidate("result after step 40", 1.0, 40, start)
    found = candidates(start, last, 80, (0.75, 0.25, 0.25), (1,), epoch)
    assert [(each.alpha, each.step) for each in found] == [(0, 0), (0.25, 80), (0.75, 80), (1, 80), (1, 40)]
    assert found[1].weights["head.bias"].tolist() == [0.25, 1.0]
    assert found[1].label == "75% start, 25% result"


def test_the_sentences_have_both_figures_gain_and_share() -> None:
    text = describe_comparison(choose([50] * 4, [58, 60, 61, 62], [64] * 4)[0].to_json())
    assert text == (
        "On 4 held-out images: mean IoU 0.500 of the start dubai, 0.640 of the result (accuracy 0.500 and 0.640); "
        "gain +0.140, ± 0.000 (standard error). The start does not have Palm."
    )
    text = describe_comparison(choose([50], [45], [40])[0].to_json())
    assert "On 1 held-out image: mean IoU 0.500 of the start dubai, 0.450 of the result (accuracy" in text
    assert "are 50% of the way from the start to the result." in text
    assert "gain -0.050, of unknown error." in text
    assert (
        "the model has the weights of the start. It never predicts the new classes. One held-out image cannot" in text
    )


def test_too_few_images_to_tell_are_said() -> None:
    found = choose([50, 50, 50, 50], [50] * 4, [40, 60, 45, 70])[0].to_json()
    assert found["gain"] < 2 * found["error"]
    least = f"{2 * found['error']:.3f}"
    assert describe_comparison(found).endswith(
        f"too few to tell: a gain below {least} (two standard errors) can be chance."
    )
    clear = choose([50] * 4, [50] * 4, [59, 60, 61, 62])[0].to_json()
    assert "too few" not in describe_comparison(clear)
