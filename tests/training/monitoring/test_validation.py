"""What is shown and measured during training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

import training.monitoring.validation
from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion
from dubai_landcover_plugin.core.networks import SegmentationModel
from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize
from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from tests.training.dataset import LOOKS, make_image
from training.data.dataset import NOT_CLASS, LabelledImage
from training.data.partial_labels import PartialConfusion
from training.monitoring.curves import draw_curves
from training.monitoring.snapshots import choose_places, draw_snapshot
from training.monitoring.validation import predict_labels, validate

SAME = Standardize((0.5,) * 3, (0.5,) * 3)


class Nearest(SegmentationModel):
    """Gives each pixel the class whose colour is nearest; remembers the sizes that it saw."""

    def __init__(self, receptive_radius: int | None) -> None:
        super().__init__()
        self.receptive_radius = receptive_radius
        self.looks = nn.Parameter((torch.tensor(LOOKS).float() / 255 - 0.5) / 0.5)
        self.seen: list[tuple[int, ...]] = []

    def logits(self, chips: torch.Tensor) -> torch.Tensor:
        self.seen.append(tuple(chips.shape[-2:]))
        return -20 * (chips[:, None] - self.looks[None, :, :, None, None]).square().sum(dim=2)


def test_a_network_with_a_horizon_sees_the_whole_image_and_one_without_sees_windows() -> None:
    image = make_image(1, 96, 80)
    local, everywhere = Nearest(0), Nearest(None)
    for model in (local, everywhere):
        np.testing.assert_array_equal(predict_labels(model, SAME, image.pixels, window=32), image.labels)
    assert local.seen == [(96, 80)]
    assert set(everywhere.seen) == {(32, 32)}
    assert len(everywhere.seen) == 12


def test_a_large_image_goes_through_in_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.monitoring.validation, "_WHOLE", 5000)
    monkeypatch.setattr(training.monitoring.validation, "_LARGE", 48)
    image, model = make_image(1, 96, 80), Nearest(0)
    np.testing.assert_array_equal(predict_labels(model, SAME, image.pixels, window=32), image.labels)
    assert set(model.seen) == {(48, 48)}


def test_the_figures_are_those_of_the_engine() -> None:
    images = [make_image(1, 40, 30), make_image(2, 20, 50)]
    labels = images[0].labels.copy()
    labels[:5], labels[5:20] = IGNORE, 2
    images[0] = LabelledImage("other", images[0].pixels, labels)
    model = Nearest(0)
    expected = sum(
        (Confusion.of(image.labels, predict_labels(model, SAME, image.pixels, 64), 5) for image in images),
        start=Confusion.empty(5),
    )
    found = validate(model, SAME, images, list("abcde"), 64, Fabric(accelerator="cpu", devices=1))
    assert found == expected.to_json(list("abcde"))
    assert 0 < found["accuracy"] < 1


def test_partial_labels_count_for_their_class_alone() -> None:
    labels = np.array([[1, 1, 2, NOT_CLASS + 1, NOT_CLASS + 1, NOT_CLASS + 2, IGNORE]], np.uint8)
    predicted = np.array([[1, 0, 1, 1, 0, 1, 1]], np.uint8)
    found = PartialConfusion.of(labels, predicted, 3)
    # class 1: one hit; false: the 2 and one of the two that are not 1; missed: one. "Not 2" says nothing of class 1.
    assert found.iou[1] == pytest.approx(1 / (1 + 2 + 1))
    assert found.iou[2] == 0
    assert np.isnan(found.iou[0])
    assert found.full.counts.sum() == 3


def test_sources_count_alike_and_images_are_brought_to_the_gsd_of_the_model() -> None:
    large, small = make_image(1, 96, 80), make_image(2, 32, 32)
    wrong = replace(small, labels=(small.labels + 1) % 5, source="small", scale=(2.0, 2.0))
    model = Nearest(0)
    fabric = Fabric(accelerator="cpu", devices=1)
    found = validate(model, SAME, [replace(large, source="large"), wrong], list("abcde"), 64, fabric)
    assert model.seen == [(96, 80), (64, 64)]
    assert found["sources"]["large"]["a"] == 1
    assert found["miou"] == pytest.approx(0.5, abs=0.05)  # 1 for the large one, nearly 0 for the small one


def test_places_lie_apart_show_many_classes_and_stay_the_same() -> None:
    labels = np.zeros((200, 200), np.uint8)
    labels[:60, :60], labels[100:, :], labels[:, 100:] = 1, 2, IGNORE
    image = LabelledImage("one", np.zeros((200, 200, 3), np.uint8), labels)
    one, two, three = choose_places([image], 3, 64)
    assert one.labels.shape == (64, 64)
    assert len(np.unique(one.labels[one.labels != IGNORE])) == 3
    assert not np.shares_memory(one.labels, two.labels)
    assert not np.shares_memory(two.labels, three.labels)
    again = choose_places([image], 3, 64)
    assert all(np.array_equal(a.labels, b.labels) for a, b in zip((one, two, three), again, strict=True))
    small = choose_places([make_image(1, 20, 30), image], 2, 64)
    assert [place.labels.shape for place in small] == [(20, 20), (64, 64)]
    assert [place.name for place in small] == ["image1", "one"]
    assert len(choose_places([make_image(1, 100, 100)], 4, 64)) == 1  # no room for another
    assert choose_places([], 4, 64) == []
    assert choose_places([image], 0, 64) == []


def test_a_snapshot_shows_labels_prediction_and_what_is_wrong() -> None:
    place = make_image(1, 64, 64)
    wrong = place.labels.copy()
    wrong[:32] = (wrong[:32] + 1) % 5
    picture = np.asarray(draw_snapshot([place, place], lambda pixels: wrong, DUBAI, "Step 3"))
    top, side, gap = 44, 64, 6  # two lines of text above
    lefts = [gap + index * (side + gap) for index in range(4)]
    panels = [picture[top : top + side, left : left + side] for left in lefts]
    np.testing.assert_array_equal(panels[0], place.pixels)
    colours = np.array([entry.rgb for entry in coloured(DUBAI).classes], np.uint8)
    np.testing.assert_array_equal(panels[1], colours[place.labels])
    np.testing.assert_array_equal(panels[2], colours[wrong])
    reddish = panels[3][..., 0].astype(int) - panels[3][..., 1] > 60
    assert reddish[:32].all()
    assert not reddish[32:].any()
    assert (picture[:44] < 100).any(), "there is text"
    assert picture.shape[1] == 4 * side + 5 * gap
    legend = {tuple(pixel) for pixel in picture[44 + 2 * (side + 22) :].reshape(-1, 3).tolist()}
    assert {entry.rgb for entry in coloured(DUBAI).entries} <= legend


def test_without_a_log_there_are_no_curves(tmp_path: Path) -> None:
    assert not draw_curves(tmp_path / "log.csv", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()
    (tmp_path / "log.csv").write_text("step,loss,rate\n20,1.5,0.1\n40,1.25,0.2\n")
    assert draw_curves(tmp_path / "log.csv", tmp_path / "curves.png"), "a log without validation, as of old runs"
