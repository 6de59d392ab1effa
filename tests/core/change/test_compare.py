import csv
import os
import subprocess
import sys

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features

from dubai_landcover_plugin.core.change.change_codes import UNCERTAIN, ChangeCoding
from dubai_landcover_plugin.core.change.compare import map_change
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import (
    OutputError,
    RasterOpenError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from tests.core.change.cases import built, scheme, town
from tests.factories import read_layer, write_raster


def by_name(outcome):
    return {code["name"]: code["pixels"] for code in outcome["legend"]}


def test_nothing_in_common_but_the_place(compare):
    earlier, later = np.full((6, 6), 2), np.full((6, 6), 2)
    earlier[:3], later[3:] = 0, 0
    outcome, codes = compare(earlier, later)
    assert not codes.any()
    assert outcome["compared"] == 0
    assert any("No pixel has data in both" in text for text in outcome["warnings"])


def test_no_change_gives_an_empty_vector_file(compare, tmp_path):
    path = str(tmp_path / "c.gpkg")
    outcome, _ = compare(town(), town(), polygons=path, csv=str(tmp_path / "c.csv"), report=str(tmp_path / "c.html"))
    assert outcome["changed"] == 0
    assert outcome["polygon_count"] == 0
    assert pyogrio.read_info(path, layer="c")["features"] == 0
    assert "No pixel changed its class" in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_unsure_pixels_are_uncertain_and_no_change(compare, tmp_path):
    earlier, later = np.full((10, 20), 2), np.full((10, 20), 2)
    later[:, 5:15] = 4
    sure = np.full((1, 10, 20), 90, np.uint8)
    first, second = sure.copy(), sure.copy()
    first[0, :2], second[0, -1], second[0, 5, 0] = 59, 30, 255
    first[0, 3] = 60
    given = {
        "earlier_confidence": str(write_raster(tmp_path / "c1.tif", first, nodata=255)),
        "later_confidence": str(write_raster(tmp_path / "c2.tif", second)),
    }
    outcome, codes = compare(earlier, later, min_confidence=0.6, polygons=str(tmp_path / "c.gpkg"), **given)
    assert (codes[:2] == UNCERTAIN).all()
    assert (codes[-1] == UNCERTAIN).all()
    assert codes[5, 0] == UNCERTAIN
    assert by_name(outcome) == {"Uncertain": 61, "Land unchanged": 69, "Land → Building": 70}
    _, fields = read_layer(tmp_path / "c.gpkg")
    assert fields["pixels"].tolist() == [70]
    assert fields["conf_pct"].tolist() == [pytest.approx((60 * 90 + 10 * 60) / 70, abs=0.05)]


def test_confidence_without_a_minimum_only_describes_polygons(compare, tmp_path):
    earlier, later = np.full((10, 20), 2), np.full((10, 20), 2)
    later[:, :10] = 4
    path = str(write_raster(tmp_path / "c.tif", np.full((1, 10, 20), 20, np.uint8)))
    outcome, _ = compare(earlier, later, later_confidence=path, polygons=str(tmp_path / "p.gpkg"))
    assert outcome["uncertain"] == 0
    assert read_layer(tmp_path / "p.gpkg")[1]["conf_pct"].tolist() == [20]


def test_a_confidence_raster_of_other_pixels_is_refused(compare, tmp_path):
    path = str(write_raster(tmp_path / "c.tif", np.full((1, 9, 20), 20, np.uint8)))
    with pytest.raises(RasterOpenError, match="has 20 × 9 px, the classified raster 20 × 10"):
        compare(np.full((10, 20), 2), np.full((10, 20), 2), later_confidence=path)
    path = str(write_raster(tmp_path / "c3.tif", np.full((3, 10, 20), 20, np.uint8)))
    with pytest.raises(RasterOpenError, match="is not a confidence raster"):
        compare(np.full((10, 20), 2), np.full((10, 20), 2), later_confidence=path)
    assert not (tmp_path / "change.tif").exists()


def test_table_and_report_tell_the_same(compare, tmp_path):
    ids = town()
    later, changed = built(ids)
    compare(ids, later, csv=str(tmp_path / "c.csv"), report=str(tmp_path / "c.html"))
    with open(tmp_path / "c.csv", encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 26
    assert sum(int(row["pixels"]) for row in rows if row["changed"] == "yes") == changed.sum()
    row = next(row for row in rows if (row["from"], row["to"]) == ("Land", "Building"))
    assert row["code"] == "24"
    assert int(row["pixels"]) == ((ids == 2) & changed).sum() == float(row["area_m2"])
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    for words in ("Change matrix", "Gains and losses", "Land → Building", "Shift between"):
        assert words in page


def test_names_are_escaped_in_the_report(compare, make, tmp_path):
    odd = scheme("<b>Sand</b>", "Water")
    ids = np.array([[1, 2]])
    compare(make("a.tif", ids, odd), make("b.tif", ids[:, ::-1], odd), report=str(tmp_path / "c.html"))
    assert "<b>Sand" not in (tmp_path / "c.html").read_text(encoding="utf-8")


def test_the_raster_explains_itself(compare, tmp_path):
    compare(np.array([[2, 2]]), np.array([[4, 2]]))
    with rasterio.open(tmp_path / "change.tif") as dataset:
        tags = dataset.tags()
        assert dataset.colormap(1)[24][:3] == next(
            code.rgb for code in ChangeCoding(DUBAI, DUBAI).legend() if code.id == 24
        )
    assert tags["CHANGE_24"] == "Land → Building"
    assert "10 × number of the earlier class" in tags["CHANGE_CODING"]
    legend = (tmp_path / "change.tif.aux.xml").read_text(encoding="utf-8")
    assert "<F>Land → Building</F>" in legend
    assert "Water" not in legend


def test_what_is_odd_is_warned_of(compare, make):
    other = scheme("Water", "Sand", "Land")
    outcome, _ = compare(make("a.tif", town(), model="dubai"), make("b.tif", np.full((160, 200), 2), other, "own"))
    assert any("dubai and own" in text for text in outcome["warnings"])
    assert any("Road, Building, Vegetation, Sand" in text for text in outcome["warnings"])


def test_an_image_is_refused(compare, tmp_path):
    image = str(write_raster(tmp_path / "image.tif", np.ones((3, 9, 9), np.uint8)))
    with pytest.raises(RasterOpenError, match="not a classified raster"):
        compare(town(), image)


def test_existing_outputs_stay_unless_overwriting(make, tmp_path):
    first, second = make("a.tif", town()), make("b.tif", built(town())[0])
    (tmp_path / "c.csv").write_text("mine")
    values = {"earlier": first, "later": second, "output": str(tmp_path / "o.tif"), "csv": str(tmp_path / "c.csv")}
    with pytest.raises(OutputError, match="exists"):
        map_change(ChangeRequest(**values))
    assert (tmp_path / "c.csv").read_text() == "mine"
    assert not (tmp_path / "o.tif").exists()
    with pytest.raises(OutputError, match="is the input itself"):
        map_change(ChangeRequest(first, second, second, overwrite=True))
    map_change(ChangeRequest(**values, overwrite=True))
    assert (tmp_path / "c.csv").read_text().startswith("from,to")


def test_cancel_leaves_nothing(make, tmp_path):
    class Impatient:
        asked = 0

        def report(self, done, total, text=""): ...
        def log(self, level, text): ...
        def cancelled(self):
            self.asked += 1
            return self.asked > 1

    first, second = make("a.tif", town()), make("b.tif", built(town())[0])
    request = ChangeRequest(first, second, str(tmp_path / "o.tif"), str(tmp_path / "o.gpkg"))
    with pytest.raises(RunCancelled):
        map_change(request, Impatient())
    assert sorted(os.listdir(tmp_path)) == ["a.tif", "b.tif"]


def test_the_command_prints_what_changed(make, tmp_path):
    first, second = make("a.tif", town()), make("b.tif", built(town())[0])
    command = [sys.executable, "-m", "dubai_landcover_plugin", "change", first, second, str(tmp_path / "o.tif")]
    done = subprocess.run([*command, "--csv", str(tmp_path / "o.csv")], capture_output=True, text=True, check=True)
    assert "Land → Building" in done.stdout
    assert "Shift" in done.stdout
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 1
    assert "exists" in again.stderr


@pytest.mark.shared
def test_a_real_image_is_no_class_map(shared, compare):
    with pytest.raises(RasterOpenError, match="not a classified raster"):
        compare(str(shared / "rasters" / "data__2020.tif"), town())
