import json

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.ground import GroundScale
from dubai_landcover_plugin.core.report.counts import ClassCounts
from dubai_landcover_plugin.core.report.report import write_report
from dubai_landcover_plugin.core.report.statistics import area_statistics
from dubai_landcover_plugin.core.worker import _TASKS
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    OutputError,
    RasterOpenError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from tests.core.report.cases import box, report
from tests.factories import write_class_map, write_layer


class TestRuns:
    def test_ids_without_a_class_are_refused(self, tmp_path):
        path = write_class_map(tmp_path / "i.tif", [[1, 9]])
        with pytest.raises(ClassSchemeError, match="6 Unlabeled"):
            report(tmp_path, path)

    def test_outputs_are_not_overwritten_unasked_nor_inputs_ever(self, tmp_path, town):
        (tmp_path / "r.html").write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            report(tmp_path, town)
        assert (tmp_path / "r.html").read_text() == "mine"
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 5, 5)])
        with pytest.raises(OutputError, match="the input itself"):
            report(tmp_path, town, zones=f"{zones}|layername=z", zones_layer=zones, overwrite=True)

    def test_cancel_leaves_nothing(self, tmp_path, town):
        class Impatient(SilentMonitor):
            def cancelled(self):
                return True

        request = ReportRequest(town, str(tmp_path / "r.html"), csv=str(tmp_path / "r.csv"))
        with pytest.raises(RunCancelled):
            write_report(request, Impatient())
        assert not list(tmp_path.glob("*r.*l*"))
        assert not (tmp_path / "r.csv").exists()

    def test_the_worker_and_the_command_line_know_it(self, tmp_path, town, sure, capsys):
        value = _TASKS["write_report"](ReportRequest(town, str(tmp_path / "w.html")).to_json(), SilentMonitor())
        assert value["valid_pixels"] == 2320
        zones = write_layer(tmp_path / "z.gpkg", [box(0, 0, 20, 20)], name=["a"])
        arguments = ["report", town, str(tmp_path / "c.html"), "--csv", str(tmp_path / "c.csv"), "--zones", zones]
        arguments += ["--zone-field", "name", "--confidence", sure]
        assert main([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["zones"] == 1
        assert main(arguments) == 1
        assert "exists" in capsys.readouterr().err
        assert main([*arguments, "--overwrite"]) == 0
        assert "Building" in capsys.readouterr().out

    def test_the_page_names_the_surface_of_the_areas(self, tmp_path, town):
        write_report(ReportRequest(town, str(tmp_path / "r.html")))
        assert "in the plane of the CRS" in (tmp_path / "r.html").read_text(encoding="utf-8")

    def test_pixels_of_a_country_have_their_areas(self):
        grid = Grid(10_000, 10, Affine(0.001, 0, 50, 0, -0.001, 30), CRS.from_epsg(4326))
        areas = GroundScale(grid).pixel_areas(0, grid.height)
        for row in (0, 17, 5003, 9999):
            assert areas[row] == pytest.approx(np.prod(grid.pixel_size_m(row + 0.5)), rel=1e-6)

    def test_statistics_of_no_pixels_are_zero_or_none(self):
        told = area_statistics(ClassCounts(7), DUBAI, 1, "nowhere")
        assert (told.pixels, told.area, told.coverage, told.confidence, told.wrong_share) == (0, 0, 0, None, None)
        assert told.largest is None

    @pytest.mark.shared
    @pytest.mark.parametrize("name", ["rasterio__rgb1.tif", "data__2020.tif"])
    def test_rasters_of_other_people_are_refused(self, shared, tmp_path, name):
        with pytest.raises(RasterOpenError, match="is not a classified raster"):
            report(tmp_path, str(shared / "rasters" / name))
