from __future__ import annotations

import csv
from pathlib import Path

from dubai_landcover_plugin.protocol.requests import EvaluateRequest, LabelledData
from training.tasks.evaluate import evaluate_model


def test_figures_page_and_table(labelled: LabelledData, start: str, tmp_path: Path) -> None:
    report, table = tmp_path / "page.html", tmp_path / "table.csv"
    result = evaluate_model(EvaluateRequest(start, labelled, report=str(report), table=str(table)))
    assert result.model == "small"
    assert (result.images, result.pixels) == (1, 96 * 80)
    counts = result.confusion["counts"]
    right = sum(counts[index][index] for index in range(5))
    assert result.accuracy == round(right / (96 * 80), 4)
    assert result.intervals == {}  # one place
    assert "Confusion" in report.read_text(encoding="utf-8")
    with table.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["class"] for row in rows] == list(result.classes)
    assert sum(int(row["pixels"]) for row in rows) == 96 * 80
    assert rows[0]["iou"] == str(result.classes["Water"]["iou"])
