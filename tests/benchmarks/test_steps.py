"""The comparison with the last release names what has become slower or larger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.steps import STORED, Step, read_release, regressions

RELEASE = {"first run": {"ratio": 2.0, "peak_mb": 400.0}, "1 Mpx": {"ratio": 3.0, "peak_mb": 350.0}}


@pytest.mark.parametrize(
    ("step", "named"),
    [
        (Step("first run", 6.0, 9.0, 2.0, 400), []),
        (Step("first run", 6.0, 9.0, 1.0, 300), []),
        (Step("first run", 6.0, 9.0, 2.1, 420), []),
        (Step("first run", 6.0, 9.0, 2.2, 400), ["first run: 10% more processor time than in the last release"]),
        (Step("1 Mpx", 1.0, 9.0, 3.0, 385), ["1 Mpx: 10% more memory than in the last release"]),
        (Step("new", 1.0, 9.0, 9.0, 900), []),
    ],
)
def test_what_takes_over_five_percent_more_is_named(step: Step, named: list[str]) -> None:
    assert regressions([step], RELEASE) == named
    assert regressions([step], {}) == []


def test_a_table_is_read_for_the_same_conditions_only(tmp_path: Path) -> None:
    assert read_release(tmp_path / "missing.json", "a") == {}
    path = tmp_path / "release.json"
    path.write_text(json.dumps({"version": "0.1.0", "conditions": "a", "steps": RELEASE}))
    assert read_release(path, "a") == RELEASE
    assert read_release(path, "b") == {}


def test_the_table_of_the_release_is_whole() -> None:
    stored = read_release(conditions=json.loads(STORED.read_text(encoding="utf-8"))["conditions"])
    assert stored
    assert all(step["ratio"] > 0 and step["peak_mb"] > 0 for step in stored.values())
