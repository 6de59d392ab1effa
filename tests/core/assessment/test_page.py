"""Page and table of an assessment."""

from __future__ import annotations

import csv
import io

import pytest

from tests.core.assessment.cases import NAMES, assess, boxes, label, random_map, texts
from tests.factories import write_class_map, write_layer


def test_page_and_table(sampled, tmp_path):
    raster, points = sampled
    labelled = label(points, lambda name: "Land" if name == "Road" else name)
    found = assess(raster, labelled, report=str(tmp_path / "r.html"), table=str(tmp_path / "t.csv"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"{100 * found['overall']['value']:.1f} ± {100 * found['overall']['margin']:.1f} %" in page
    assert "Olofsson" in page
    assert "nan" not in page
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text(encoding="utf-8"))))
    assert [row["class"] for row in rows] == [*NAMES[:5], "All"]
    assert float(rows[-1]["users_accuracy"]) == pytest.approx(found["overall"]["value"])
    assert sum(int(rows[-1][f"ref_{name}"]) for name in NAMES[:5]) == 100
    assert float(rows[1]["area_m2"]) == pytest.approx(found["classes"]["Land"]["area"]["value"])


@pytest.mark.parametrize("kind", ["raster", "polygons"])
def test_pages_without_a_sample_say_what_their_figures_mean(tmp_path, kind):
    raster = write_class_map(tmp_path / "m.tif", random_map(), crs=None)
    reference = raster
    if kind == "polygons":
        reference = write_layer(tmp_path / "p.gpkg", boxes((0, 0, 9, 9)), None, reference=texts(["Land"]))
    assess(raster, reference, report=str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert {"raster": "no intervals", "polygons": "independent sample"}[kind] in page
    assert "px" in page
    assert "nan" not in page


def test_names_are_escaped(tmp_path):
    raster = write_class_map(tmp_path / "a<b>.tif", random_map())
    assess(raster, raster, report=str(tmp_path / "r.html"))
    assert "a&lt;b&gt;.tif" in (tmp_path / "r.html").read_text(encoding="utf-8")
