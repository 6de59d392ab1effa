from __future__ import annotations

import pytest

from tests.training.dataset import make_image
from training.data.splits import Split
from training.tasks.learning_curve import describe_curve, part_of


def test_parts_are_spread_over_the_training_images_and_keep_the_held_out_ones():
    split = Split(tuple(map(make_image, range(8))), (make_image(9),), "")
    half = part_of(split, 0.5)
    assert [image.name for image in half.training] == ["image0", "image2", "image5", "image7"]
    assert half.validation == split.validation
    assert len(part_of(split, 0.01).training) == 1


def test_the_sentence_says_whether_more_labels_help():
    rising = ({"share": 0.5, "images": 4, "miou": 0.5}, {"share": 1.0, "images": 8, "miou": 0.6})
    assert "From 4 to 8 labelled images" in describe_curve(rising)
    assert "likely to help" in describe_curve(rising)
    flat = (*rising[:1], {"share": 1.0, "images": 8, "miou": 0.501})
    assert "unlikely to help" in describe_curve(flat)
    assert describe_curve(rising[:1]) == ""
    assert describe_curve(({**rising[0], "images": 8}, rising[1])) == ""


@pytest.mark.parametrize(
    ("miou", "words"),
    [(0.6, "rose by 0.100."), (0.46, "fell by 0.040."), (0.4999, "did not change."), (0.5, "did not")],
)
def test_the_sentence_has_no_sign(miou, words):
    points = ({"share": 0.5, "images": 4, "miou": 0.5}, {"share": 1.0, "images": 8, "miou": miou})
    assert f"From 4 to 8 labelled images the mean IoU {words}" in describe_curve(points)
