"""Changes of images, the path of a run behind them, and the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.confusion import Confusion
from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from tests.benchmarks.__main__ import benchmarks
from tests.benchmarks.robustness import (
    OPTIONS,
    UNCHANGED,
    VARIATIONS,
    Row,
    Variation,
    brightness,
    contrast,
    gamma,
    grey,
    haze,
    jpeg,
    measure,
    noise,
    resample,
    segment_varied,
    table,
    to_16_bit,
    to_float,
)
from training.config import DataConfig
from training.data.layouts import open_dataset
from training.evaluation.evaluate import evaluate
from training.evaluation.selection import select

PIXELS = np.array([[(0, 100, 200)], [(40, 60, 80)]], np.uint8)
BY_NAME = {variation.name: variation for variation in VARIATIONS}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (brightness(0.5), [[(0, 50, 100)], [(20, 30, 40)]]),
        (brightness(1.4), [[(0, 140, 255)], [(56, 84, 112)]]),
        (gamma(2), [[(0, 39, 157)], [(6, 14, 25)]]),
        (haze(0.4), [[(102, 162, 222)], [(126, 138, 150)]]),
        (contrast(0.5), [[(40, 90, 140)], [(60, 70, 80)]]),
        (grey, [[(100, 100, 100)], [(60, 60, 60)]]),
        (to_16_bit, [[(0, 25700, 51400)], [(10280, 15420, 20560)]]),
    ],
)
def test_values_after_a_change(change: Callable, expected: list) -> None:
    np.testing.assert_array_equal(change(PIXELS), expected)


def test_changes_that_depend_on_neighbours_or_chance() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (64, 48, 3), np.uint8)
    assert to_float(pixels).dtype == np.float32
    assert to_float(pixels).max() == pixels.max() / np.float32(255)
    assert 9 < (noise(10)(np.full((64, 64, 3), 128, np.uint8)) - 128.0).std() < 11
    np.testing.assert_array_equal(noise(10)(pixels), noise(10)(pixels))
    assert np.abs(jpeg(30)(pixels) - pixels.astype(float)).mean() > 0
    assert resample(0.25)(pixels).shape == (256, 192, 3)
    assert resample(4)(pixels).shape == (16, 12, 3)
    assert resample(4)(pixels).std() < pixels.std() / 2  # averaged, not picked


def test_targets_of_the_project() -> None:
    limits = {name: variation.loss for name, variation in BY_NAME.items()}
    assert limits["brightness × 0.5"] == limits["grey"] == 0.06
    assert limits["brightness × 0.6"] == limits["gamma 1.35"] == limits["haze 0.3"] == 0.03
    assert limits["16 bit, default stretch"] == 0.03
    assert limits["haze 0.4"] is limits["JPEG, quality 30"] is None
    assert len(BY_NAME) == len(VARIATIONS)


def test_unchanged_images_have_the_figures_of_an_evaluation(trained: Callable, data: Path) -> None:
    bundle, dataset = load_bundle(trained()), open_dataset(DataConfig(), data)
    selection = select(dataset, groups=["tile1"])
    (row,) = measure(bundle, dataset, selection.entries, [UNCHANGED])
    expected = evaluate(bundle, dataset, selection, OPTIONS, report=lambda text: None).to_json()
    assert row.confusion.counts.tolist() == expected["confusion"]
    assert row.labelled == expected["pixels"]


def test_variations_reach_the_run(trained: Callable, data: Path) -> None:
    bundle, dataset = load_bundle(trained()), open_dataset(DataConfig(), data)
    entries = dataset.entries[:1]
    names = ["unchanged", "brightness × 0.5", "16 bit, no stretch", "float, limits 0:1", "pixels × 0.5", "pixels × 4"]
    rows = dict(zip(names, measure(bundle, dataset, entries, [BY_NAME[name] for name in names]), strict=True))
    assert rows["brightness × 0.5"].miou < rows["unchanged"].miou - 0.1
    for name in ("16 bit, no stretch", "float, limits 0:1"):  # the same picture in another type
        np.testing.assert_array_equal(rows[name].confusion.counts, rows["unchanged"].confusion.counts)
    # finer pixels are read at the model's ground sampling distance; classes are drawn in blocks of 4 coarse pixels
    assert rows["pixels × 0.5"].miou == pytest.approx(rows["unchanged"].miou, abs=0.1)
    assert rows["pixels × 4"].miou > 0.5 * rows["unchanged"].miou
    assert {row.confusion.counts.sum() for row in rows.values()} == {96 * 80}


def test_results_of_resampled_images_have_the_pixels_of_the_labels(trained: Callable, data: Path) -> None:
    bundle, entry = load_bundle(trained()), open_dataset(DataConfig(), data).entries[0]
    image = entry.load()
    ids = segment_varied(entry, image, bundle, BY_NAME["pixels × 4"])
    assert ids.shape == image.labels.shape
    np.testing.assert_array_equal(ids, ids[2::4, 2::4].repeat(4, 0).repeat(4, 1))
    order = replace(BY_NAME["bands blue, green, red, untagged"], change=lambda pixels: pixels)
    np.testing.assert_array_equal(
        segment_varied(entry, image, bundle, order), segment_varied(entry, image, bundle, UNCHANGED)
    )


def test_table_marks_targets_and_unlabeled_pixels() -> None:
    def row(name: str, right: int, loss: float | None, labelled: int = 200) -> Row:
        counts = np.array([[right, 100 - right], [100 - right, right]])
        return Row(Variation(name, loss=loss), Confusion(counts), labelled)

    lines = table([row("unchanged", 90, None), row("a", 89, 0.03), row("b", 80, 0.06), row("c", 95, None, 250)])
    assert lines.splitlines()[2:] == [
        "| unchanged | 0.818 | 0.900 |  |  |  |",
        "| a | 0.802 | 0.890 | −0.016 | ≥ −0.03 | met |",
        "| b | 0.667 | 0.800 | −0.152 | ≥ −0.06 | **missed** |",
        "| c (20% left out) | 0.905 | 0.950 | +0.087 |  |  |",
    ]


def test_the_command_prints_one_table(
    trained: Callable, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tests.benchmarks.robustness.VARIATIONS", (UNCHANGED, BY_NAME["grey"]))
    arguments = ["robustness", str(trained()), "--data", str(data), "--names", "tile1/image_part_001"]
    benchmarks(arguments, standalone_mode=False)
    head, _, rows = capsys.readouterr().out.partition("\n\n")
    assert head.startswith("Model small (")
    assert head.endswith("Images: tile1/image_part_001.")
    names = [line.split(" | ")[0] for line in rows.splitlines()]
    assert names == ["| images", "|---|---|---|---|---|---|", "| unchanged", "| grey"]
