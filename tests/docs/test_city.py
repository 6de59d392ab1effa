"""The commands of the tutorial "A city in a night", up to the run that is started again, on smaller tiles."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dubai_landcover_plugin.cli.main import landcover
from tests.docs.test_commands import _blocks
from training.__main__ import training

PAGE = Path(__file__).resolve().parents[2] / "docs" / "city.md"


def run(line: str) -> Result:
    program, *arguments = shlex.split(line.replace("--size 1024", "--size 256"))
    done = CliRunner().invoke({"landcover": landcover, "landcover-train": training}[program], arguments)
    assert done.exit_code == 0, f"{line}: {done.output}"
    return done


def test_a_folder_of_sample_tiles_is_segmented_and_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiles").mkdir()
    text = PAGE.read_text(encoding="utf-8").split("## 3.")[0]
    commands = _blocks(text)
    assert [line.split()[0] for line in commands] == ["landcover-train"] * 4 + ["landcover"]
    for line in commands[:4]:
        run(line)
    (tmp_path / "tiles" / "tile_4.tif").rename(tmp_path / "later.tif")
    assert "3 done, 0 skipped, 0 failed" in run(commands[4]).output
    (tmp_path / "later.tif").rename(tmp_path / "tiles" / "tile_4.tif")
    (tmp_path / "results" / "tile_1_roads.gpkg").unlink()
    assert "2 done, 2 skipped, 0 failed" in run(commands[4]).output
    names = {path.name for path in (tmp_path / "results").iterdir()}
    for suffix in ("_landcover.tif", "_buildings.gpkg", "_roads.gpkg", "_landcover.html"):
        assert {f"tile_{number}{suffix}" for number in range(1, 5)} <= names
    with (tmp_path / "results" / "landcover_manifest.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done", "skipped", "skipped", "done"]
    assert "Building_m2" in rows[0]
