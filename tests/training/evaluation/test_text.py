"""Evaluations as Markdown, and the files beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from training.errors import ConfigError
from training.evaluation.files import check_output
from training.evaluation.text import class_table, facts, headline_table, interval_note, markdown, number, with_interval

VALUE: dict[str, Any] = {
    "models": [{"name": "one", "architecture": "unet"}, {"name": "two", "architecture": "unet"}],
    "split": "All images.", "settings": {"tta": False, "boundary_px": 2}, "pixels": 2_460_000, "images": ["a", "b"],
    "data": "town", "seconds": 12.4, "places": 8, "accuracy": 0.91234, "miou": 0.5, "ece": None,
    "classes": {"Road": {"iou": 0.5, "f1": None}, "Land": {"iou": 0.8, "f1": 0.9}},
    "intervals": {"accuracy": [0.9, 0.92], "classes": {"Road": {"iou": [0.4, None]}, "Land": {"iou": [0.7, 0.9]}}},
    "confusion": [[3, 1], [0, 0]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "interval", "text"),
    [
        (0.81249, (0.79, 0.834), "0.812 (0.790–0.834)"), (0.5, None, "0.500"), (0.5, (), "0.500"),
        (0.5, (0.4, None), "0.500"), (None, (0.1, 0.2), "–"),
    ],
)  # fmt: skip
def test_numbers_with_and_without_an_interval(value: float | None, interval: Any, text: str) -> None:
    assert with_interval(value, interval) == text
    assert number(None) == "–"


def test_metrics_that_are_undefined_are_left_out() -> None:
    lines = headline_table(VALUE).splitlines()
    assert lines[2:] == ["| Pixel accuracy | 0.912 (0.900–0.920) |", "| Mean IoU | 0.500 |"]
    assert headline_table({**VALUE, "intervals": None}).splitlines()[2] == "| Pixel accuracy | 0.912 |"


def test_classes_have_the_columns_that_occur() -> None:
    assert class_table(VALUE).splitlines() == [
        "| Class | IoU | F1 |", "|---|---|---|", "| Road | 0.500 | – |", "| Land | 0.800 (0.700–0.900) | 0.900 |",
    ]  # fmt: skip


def test_facts_name_an_architecture_once() -> None:
    assert facts(VALUE)[:4] == ["unet", "2 images", "8 places", "2.5 million labelled pixels"]
    assert "no test-time augmentation" in facts(VALUE)
    assert "with test-time augmentation" in facts({**VALUE, "settings": {"tta": True, "boundary_px": 2}})


def test_few_places_have_no_intervals() -> None:
    few = {**VALUE, "places": 3}
    assert headline_table(few).splitlines() == [
        "| Metric | Value |", "|---|---|", "| Pixel accuracy | 0.912 |", "| Mean IoU | 0.500 |"
    ]  # fmt: skip
    assert class_table(few).splitlines()[3] == "| Land | 0.800 | 0.900 |"
    assert interval_note(few).startswith("No intervals: the images are at 3 places; intervals take at least 8 places.")
    assert "at one place; intervals take" in interval_note({**VALUE, "places": 1})
    assert interval_note(VALUE) == "In brackets: 95 % intervals from a bootstrap over 8 places."


def test_the_whole_text() -> None:
    text = markdown(VALUE)
    assert text.startswith("# Evaluation of one, two\n\nAll images.\n\n- unet\n")
    assert "| | Road | Land |\n|---|---|---|\n| Road | 75.0 | 25.0 |\n| Land | – | – |" in text


class TestOutput:
    def test_the_file_is_json(self, tmp_path: Path) -> None:
        assert check_output(tmp_path / "e.JSON") == tmp_path / "e.JSON"
        with pytest.raises(ConfigError, match=r"must be a \.json file, got 'e\.md'"):
            check_output(tmp_path / "e.md")

    def test_another_text_is_not_replaced_and_an_evaluation_is(self, tmp_path: Path) -> None:
        beside = tmp_path / "town.md"
        beside.write_text(markdown(VALUE), encoding="utf-8")
        assert check_output(tmp_path / "town.json")
        beside.write_text("# Model card\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="would replace") as caught:
            check_output(tmp_path / "town.json")
        assert "town-figures.json" in caught.value.remedy
