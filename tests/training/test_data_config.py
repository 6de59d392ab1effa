"""Sections of a configuration that describe data: ranges are checked with their value and a remedy."""

from __future__ import annotations

from typing import Any

import pytest

from training.data_config import DataConfig, SourceConfig, SplitConfig
from training.errors import ConfigError


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (DataConfig, {"bands": tuple(range(1, 14))}, "at most 12 bands, got 13"),
        (DataConfig, {"bands": (0, 1, 2)}, "bands count from 1"),
        (DataConfig, {"scaling": "8bit"}, "one of auto, stretch, standardize, got '8bit'"),
        (DataConfig, {"block": 63}, "at least 64 px, or 0 for none, got 63"),
        (DataConfig, {"scene_share": 1.0}, "below 1, got 1.0"),
        (DataConfig, {"scene_count": 0}, "must be positive"),
        (SourceConfig, {"name": ""}, "name must not be empty"),
        (SourceConfig, {"name": "a/b"}, "contain '/'"),
        (SourceConfig, {"name": "a", "layout": "x"}, "layout must be one of auto"),
        (SourceConfig, {"name": "a", "gsd": -0.1}, "source 'a': gsd must be .* got -0.1"),
        (SourceConfig, {"name": "a", "gsds": {"p": float("nan")}}, "got nan"),
        (SourceConfig, {"name": "a", "weight": 0.0}, "weight must be positive, got 0.0"),
        (SourceConfig, {"name": "a", "place": "("}, "not a regular expression"),
        (SourceConfig, {"name": "a", "place": "abc"}, "has no group"),
        (SplitConfig, {"kind": "random"}, "split.kind must be one of"),
        (SplitConfig, {"fold": -1}, "fold must be at least 0"),
        (SplitConfig, {"seed": -1}, "split.seed must be in"),
        (SplitConfig, {"share": 1.0}, "between 0 and 1, got 1.0"),
        (SplitConfig, {"patch": 15}, "at least 16 px, got 15"),
        (SplitConfig, {"kind": "list"}, "split.validation is empty"),
    ],
)
def test_values_out_of_range_are_refused(kind: Any, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        kind(**values)


def test_limits_themselves_are_allowed() -> None:
    assert DataConfig(bands=(3, 2, 1), block=64, scene_share=0.99)
    assert SourceConfig("a", gsd=0.0, place="^([a-z]+)_")
    assert SplitConfig(kind="list", validation=("a",), patch=16)


def test_groups_become_tuples() -> None:
    assert SplitConfig(groups=[["a", "b"], ["c"]]).groups == (("a", "b"), ("c",))  # type: ignore[arg-type]
