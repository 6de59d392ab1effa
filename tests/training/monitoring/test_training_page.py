from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from dubai_landcover_plugin.protocol.classes import DUBAI
from training.config import TrainingConfig
from training.monitoring.training_page import training_page


def test_the_page_has_comparison_classes_curve_and_pictures(tmp_path: Path) -> None:
    heads = "step,epoch,loss,rate,chips_per_second,seconds,accuracy,miou,iou Water,iou Land"
    rows = ("0,0,,,,0,0.5,0.4,0.3,0.5", "2,1,0.7,0.001,5,1,0.6,0.5,0.35,0.6")
    (tmp_path / "log.csv").write_text("\r\n".join((heads, *rows)) + "\r\n", encoding="utf-8")
    classes = {entry.name: {"iou": 0.61} for entry in DUBAI.classes}
    (tmp_path / "validation.json").write_text(json.dumps({"classes": classes}), encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "step_000002.png")
    texts = {"title": "Training of <a>", "data": "Data", "verdict": "Better.", "split": "Split.", "curve": "More."}
    curve = ({"share": 0.5, "images": 2, "miou": 0.4}, {"share": 1.0, "images": 4, "miou": None})
    page = training_page(tmp_path, TrainingConfig(), DUBAI, texts, ("2 steps",), curve)
    assert "Training of &lt;a&gt;" in page
    assert "IoU at step 0" in page
    assert "0.300" in page
    assert "0.610" in page
    assert "Would more labels help?" in page
    assert page.count("data:image/jpeg") == 1
