"""The page of an evaluation: every text is escaped, nothing is loaded from outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from tests.pages import HOSTILE, ParsedPage, assert_self_contained
from training.evaluation.figures import Evaluation, ImageResult
from training.evaluation.page import page
from training.evaluation.scores import Counts


def evaluation(text: str) -> Evaluation:
    """Two images of random labels, most of them predicted correctly; all texts end in ``text``."""
    rng = np.random.default_rng(0)
    classes = tuple(replace(entry, name=f"{entry.name} {text}") for entry in DUBAI.classes)
    images = []
    for number in range(2):
        labels = rng.integers(0, 5, (32, 32), np.uint8)
        predicted = np.where(rng.random(labels.shape) < 0.8, labels, 0).astype(np.uint8)
        counts = Counts.of(labels, predicted, rng.random(labels.shape), 5, 2)
        images.append(ImageResult(f"{number} {text}", text, counts, 1.0))
    model = {"name": text, "architecture": text, "sha256": "", "temperature": 1.0}
    scheme = ClassScheme(classes, DUBAI.unlabeled)
    return Evaluation((model,), text, text, {"tta": False, "boundary_px": 2}, scheme, tuple(images), (text,))


def parsed(text: str) -> ParsedPage:
    found = evaluation(text)
    strip = Image.new("RGB", (40, 10))
    log = [
        {"step": step, "loss": "0.7", "rate": "0.1", "accuracy": "0.6", "miou": "0.4", f"iou {text}": "0.5"}
        for step in ("20", "40")
    ]
    return ParsedPage(page(found, found.to_json(), log, {f"{number} {text}": strip for number in range(2)}))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_all_text_is_escaped_and_nothing_is_loaded() -> None:
    plain, hostile = parsed("x"), parsed(HOSTILE)
    assert_self_contained(hostile)
    drawn = {"svg", "g", "defs", "path", "use", "style", "clippath", "rect", "metadata"}
    assert [tag for tag in hostile.tags if tag[0] not in drawn] == [tag for tag in plain.tags if tag[0] not in drawn]
    # title twice, split, architecture, data, warning; classes in a table, as rows and as heads; images with a caption
    # and its alternative text, and in a table
    assert hostile.occurrences(HOSTILE) == 6 + 3 * 5 + 2 * 4
