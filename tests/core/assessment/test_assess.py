"""Estimates against the published example, by hand and by simulation; samples; references of every kind."""

from __future__ import annotations

import json

from dubai_landcover_plugin.cli.main import main
from tests.core.assessment.cases import label, random_map
from tests.factories import write_class_map


def test_commands(tmp_path, capsys):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    points = str(tmp_path / "p.gpkg")
    assert main(["sample", raster, points, "--size", "60", "--min-per-class", "5", "--expected", "Road=0.6"]) == 0
    assert "60 points in" in capsys.readouterr().out
    assert main(["accuracy", points, raster]) == 1
    assert "Label the points" in capsys.readouterr().err
    labelled = label(tmp_path / "p.gpkg", str)
    assert main(["accuracy", labelled, raster, "--report", str(tmp_path / "r.html")]) == 0
    assert "overall accuracy 100.0 ± 0.0 %" in capsys.readouterr().out
    assert main(["accuracy", raster, raster, "--table", str(tmp_path / "t.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "raster"
    assert main(["accuracy", raster, raster]) == 0
    assert "mIoU 1.0" in capsys.readouterr().out
    assert main(["sample", raster, str(tmp_path / "q.gpkg"), "--expected", "Road"]) == 1
