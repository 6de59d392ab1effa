"""Metadata that cannot be right."""

from dataclasses import replace

import pytest

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from tests.factories import METADATA


@pytest.mark.parametrize(
    "change",
    [
        {"mean": (0.5, 0.5)},
        {"std": (0.5,)},
        {"bands": ("red",)},
        {"band_numbers": (4, 1)},
        {"gsd": 0.0},
        {"temperature": 0.0},
        {"window": 0},
        {"gsd": 1e9},
        {"window": 9000},
        {"mean": (0.5, 0.5, float("nan"))},
        {"std": (0.5, 0.5, 0.0)},
        {"std": (0.5, 0.5, float("inf"))},
        {"temperature": float("inf")},
        {"class_bias": (0.1, 0.2)},
        {"class_bias": (0.0, 0.0, 0.0, 0.0, float("nan"))},
        {"class_bias": (0.0, 0.0, 0.0, 0.0, -101.0)},
        {"error_ratios": (1.0, 1.0)},
        {"error_ratios": (1.0, 1.0, 1.0, 1.0, 0.0)},
        {"error_ratios": (1.0, 1.0, 1.0, 1.0, float("nan"))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_inconsistent_metadata_are_refused(change):
    assert isinstance(replace(METADATA), BundleMetadata)
    with pytest.raises(BundleError, match="stub"):
        replace(METADATA, **change)


@pytest.mark.parametrize(
    ("precisions", "accurate"),
    [
        ({"float32": {"miou": 0.7}, "bfloat16": {"miou": 0.698}, "int8": {"miou": 0.6979}}, {"float32", "bfloat16"}),
        (
            {"float32": {"miou": 0.7}, "bfloat16": {"miou": 0.71}, "images": ["a"], "emulated": True},
            {"float32", "bfloat16"},
        ),
        ({"bfloat16": {"miou": 0.7}}, set()),
        ({"float32": {"miou": None}, "bfloat16": {"miou": 0.7}}, set()),
        ({"float32": {"miou": "0.7"}, "bfloat16": [0.7]}, set()),
        ([0.7], set()),
        (None, set()),
    ],
)
def test_precisions_are_accurate_within_a_limit(precisions, accurate):
    assert replace(METADATA, metrics={"precisions": precisions}).accurate_precisions == accurate
    assert METADATA.accurate_precisions == frozenset()
