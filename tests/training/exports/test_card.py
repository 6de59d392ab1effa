"""What a model card says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from training.exports.card import write_card

DATASET = (
    "Semantic segmentation of aerial imagery, Humans in the Loop with the Mohammed Bin Rashid Space Centre, CC0 1.0"
)
NAMES = [entry.name for entry in DUBAI.classes]


def card(tmp_path: Path, **values: Any) -> str:
    defaults: dict[str, Any] = {
        "name": "small",
        "title": "A model",
        "spec": ModelSpec("unet"),
        "scheme": DUBAI,
        "bands": ("red", "green", "blue"),
        "mean": (0.5, 0.5, 0.5),
        "std": (0.5, 0.5, 0.5),
        "gsd": 0.6,
        "parameters": 1234,
    }
    path = tmp_path / "small.md"
    write_card(path, BundleMetadata(**(defaults | values)), 2_500_000)
    return path.read_text(encoding="utf-8")


def figures() -> dict[str, Any]:
    """Return what `training evaluate` writes, less what no card looks at."""
    return {
        "split": "Tiles 1 and 3 kept out.",
        "settings": {"tta": True},
        "pixels": 7_500_000,
        "accuracy": 0.8712,
        "miou": 0.7034,
        "boundary_iou": 0.41,
        "ece": 0.0213,
        "excess_confidence": -0.0123,
        "places": 9,
        "classes": {name: {"iou": 0.7, "precision": None, "f1": 0.82} for name in NAMES},
        "intervals": {
            "accuracy": [0.85, 0.89],
            "ece": [0.01, 0.03],
            "classes": {"Water": {"iou": [0.6, 0.8]}, "Land": {"iou": [None, None]}},
        },
        "confusion": [[80, 15, 5, 0, 0], [0, 100, 0, 0, 0], [0] * 5, [1, 2, 3, 94, 0], [0, 0, 0, 1, 99]],
    }


def test_figures_come_with_their_intervals(tmp_path: Path) -> None:
    text = card(tmp_path, metrics=figures())
    for line in (
        "Tiles 1 and 3 kept out.",
        "On 7.5 million labelled pixels, with test-time augmentation:",
        "| Pixel accuracy | 0.871 (0.850–0.890) |",
        "| Mean IoU | 0.703 |",
        "| Class | IoU | Precision | F1 |",
        "| Water | 0.700 (0.600–0.800) | – | 0.820 |",
        "| Land | 0.700 | – | 0.820 |",
        "bootstrap over 9 places",
    ):
        assert line in text
    assert "mean precision" not in text  # was not measured


def test_intervals_over_images_are_left_out(tmp_path: Path) -> None:
    older = {key: value for key, value in figures().items() if key != "places"}
    for metrics in (older, {**figures(), "places": 7}):
        text = card(tmp_path, metrics=metrics)
        assert "| Pixel accuracy | 0.871 |" in text
        assert "| Water | 0.700 | – | 0.820 |" in text
    assert "No intervals: the images are at 7 places" in text


def test_confusions_name_the_most_frequent(tmp_path: Path) -> None:
    text = card(tmp_path, metrics=figures())
    assert "- 15% of the pixels labelled Water are predicted as Land" in text
    assert "- 3% of the pixels labelled Building are predicted as Road" in text
    assert "labelled Land are" not in text  # all right
    assert "labelled Road are" not in text  # there are none


def test_calibration_is_reported(tmp_path: Path) -> None:
    fitted = {"temperature": 1.31, "pixels": 10_000, "ece": [0.06, 0.02], "images": "Tiles 1 and 3."}
    text = card(tmp_path, metrics=figures(), temperature=1.31, training={"calibration": fitted})
    for part in (
        "temperature of 1.310",
        "from 0.060 to 0.020 (10,000 pixels). Tiles 1 and 3.",
        "0.021 (0.010–0.030); the mean confidence is 0.012 below the accuracy",
    ):
        assert part in text
    assert "Calibration" not in card(tmp_path)


def test_the_class_bias_is_reported_with_the_images_of_its_fit(tmp_path: Path) -> None:
    bias = (0.5, -0.25, 0.0, -1.0, 0.75)
    fitted = {
        "class_bias": list(bias), "pixels": 10_000, "ece": [0.06, 0.02], "accuracy": [0.7, 0.75], "miou": [0.5, 0.52],
        "kept_out": "3 places, each left out of the fit once", "images": "Tiles 1 and 3.",
    }  # fmt: skip
    text = card(tmp_path, class_bias=bias, training={"calibration": fitted})
    assert "bias of each class in the logits before that: Water +0.50, Land -0.25, Road +0.00" in text
    assert (
        "the accuracy from 0.700 to 0.750, the mean IoU from 0.500 to 0.520 (10,000 pixels, 3 places, each left out of "
        "the fit once). Tiles 1 and 3." in text
    )
    alone = card(tmp_path, training={"calibration": {"temperature": 1.0, "images": "One image."}})
    assert "Fitted on: One image." in alone


def test_figures_of_a_run_suffice(tmp_path: Path) -> None:
    older = {key: figures()[key] for key in ("pixels", "accuracy", "miou", "classes", "confusion")}
    text = card(tmp_path, metrics=older)
    assert "| Pixel accuracy | 0.871 |" in text
    assert "without test-time augmentation" in text
    assert "bootstrap" not in text


def test_the_dubai_data_and_the_encoder_are_named(tmp_path: Path) -> None:
    training = {"encoder": "weights by somebody (Apache-2.0)", "config": {"data": {"scene_share": 0.1}}}
    text = card(tmp_path, dataset=DATASET, training=training)
    for part in (
        DATASET,
        "Eight tiles of Dubai",
        "10% of the training chips",
        "The encoder was initialized with: weights by somebody (Apache-2.0).",
        "encoder weights are under Apache-2.0, whose notice applies",
        "CC0 1.0",
    ):
        assert part in text
    tuned = card(tmp_path, training={**training, "started_from": "dubai.safetensors"})
    assert "Training started from the weights of dubai.safetensors" in tuned
    assert "The encoder was initialized with: weights by somebody" in tuned
    sources = [
        {"name": "dubai", "weight": 3.0, "terms": DATASET},
        {"name": "towns", "weight": 1.0, "terms": ""},
    ]
    several = card(tmp_path, dataset=f"dubai: {DATASET}.", training={"config": {"sources": sources}})
    assert f"- dubai (75%): {DATASET}\n- towns (25%): terms not stated" in several
    assert "Eight tiles" not in several
    assert "one desert city" not in several
    assert "public domain" not in several
    other = card(tmp_path, dataset="Our own labels", licence="MIT")
    assert "Dubai" not in other
    assert "Apache" not in other
    assert "Licence of the weights: MIT." in other


def test_training_and_notes_are_reported(tmp_path: Path) -> None:
    training = {
        "steps": 900,
        "minutes": 44.1,
        "machine": "A processor, 2 cores, torch 2.0",
        "commit": "abc123",
        "finished": "2026-01-02T03:04:05Z",
        "command": "python -m training train a.toml",
        "notes": "## Seen on the mosaics\n\nLarge pale roofs are called Land.",
        "split": "Tile 4 kept out.",
        "parity": {"agreement": 0.99971, "deviation": 0.0045, "pixels": 393_728, "chips": "random chips"},
    }
    text = card(tmp_path, training=training)
    for part in (
        "900 steps in 44.1 min",
        "A processor, 2 cores, torch 2.0",
        "Commit: abc123",
        "Exported: 2026-01-02T03:04:05Z",
        "```\npython -m training train a.toml\n```",
        training["notes"],
        "Tile 4 kept out.",
        "same class for 99.97 % of 0.39 million pixels",
    ):
        assert part in text


@pytest.mark.parametrize("values", [{}, {"metrics": figures()}, {"training": {"torch": "2.0"}}])
def test_cards_are_plain_markdown(tmp_path: Path, values: dict[str, Any]) -> None:
    text = card(tmp_path, **values)
    assert text.startswith("# Model card: small\n")
    assert text.endswith("\n")
    assert "\n\n\n" not in text
    assert "None" not in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
