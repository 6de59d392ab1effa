"""Panels of image, labels, prediction and disagreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from training.data.dataset import NOT_CLASS, LabelledImage
from training.errors import TrainingError
from training.monitoring.pictures import colour, disagreement, pale, panels, save_comparison, strip

LABELS = np.array([[0, 1, IGNORE, NOT_CLASS + 1, NOT_CLASS + 1]], np.uint8)
PREDICTED = np.array([[0, 2, 2, 1, 0]], np.uint8)
IMAGE = LabelledImage("i", np.full((1, 5, 3), 100, np.uint8), LABELS)


def test_labels_have_the_colours_of_classes_and_partial_ones_are_pale() -> None:
    found = colour(LABELS, DUBAI)[0].tolist()
    assert found[0] == list(coloured(DUBAI).classes[0].rgb)
    assert found[2] == list(coloured(DUBAI).unlabeled.rgb)
    assert found[3] == list(pale(coloured(DUBAI).classes[1].rgb))
    assert pale((255, 255, 255)) == (255, 255, 255)
    assert pale((55, 255, 155)) == (205, 255, 230)


def test_wrong_pixels_are_red_and_partial_labels_are_wrong_where_violated() -> None:
    right, wrong, ignored, violated, met = disagreement(IMAGE, PREDICTED)[0].astype(int).tolist()
    assert right == met == [194, 194, 194]
    assert wrong == violated
    assert wrong[0] > wrong[1] + 50
    assert ignored == [97, 97, 97]
    assert disagreement(IMAGE, np.full((1, 5), IGNORE, np.uint8)).max() == 97  # not predicted, so not compared


def test_panels_are_of_one_size() -> None:
    assert [panel.shape for panel in panels(IMAGE, PREDICTED, DUBAI)] == [(1, 5, 3)] * 4


def test_a_comparison_is_written_at_full_resolution(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    save_comparison(path, IMAGE, PREDICTED, DUBAI)
    with Image.open(path) as image:
        assert image.size == (20, 1)
        assert image.getpixel((0, 0)) == (100, 100, 100)
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="cannot be written"):
        save_comparison(tmp_path / "file" / "a.png", IMAGE, PREDICTED, DUBAI)


@pytest.mark.parametrize("width", [100, 5000])
def test_a_strip_fits_its_width_and_is_never_enlarged(width: int) -> None:
    image = LabelledImage("i", np.zeros((40, 80, 3), np.uint8), np.zeros((40, 80), np.uint8))
    made = strip(image, np.zeros((40, 80), np.uint8), DUBAI, width)
    assert made.width <= min(width, 4 * 80 + 18)
    assert made.width > 0.9 * min(width, 4 * 80 + 18)
    assert made.getpixel(((made.width - 18) // 4 + 2, 0)) == (255, 255, 255)
