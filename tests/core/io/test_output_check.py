import os
import re
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import shapely

from dubai_landcover_plugin.core.io import output_check
from dubai_landcover_plugin.core.io.attribute_table import legend_xml
from dubai_landcover_plugin.core.io.output_check import check_outputs, refuse_inputs
from dubai_landcover_plugin.core.io.outputs import Outputs, outputs_of
from dubai_landcover_plugin.core.io.qml import raster_style, with_mark
from dubai_landcover_plugin.protocol import placement
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import make_partial
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.polygons import PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import write_layer
from tests.partials import abandon, leave_partial


def request(output, **given):
    return PolygonizeRequest("nothing.tif", str(output), **given)


class TestCheck:
    def test_what_can_be_written_leaves_no_trace(self, tmp_path):
        check_outputs(request(tmp_path / "p.gpkg"))
        assert os.listdir(tmp_path) == []

    def test_input_is_refused_whatever_its_spelling(self, tmp_path):
        (tmp_path / "sub").mkdir()
        (tmp_path / "in.gpkg").touch()
        os.symlink(tmp_path / "in.gpkg", tmp_path / "symbolic.gpkg")
        os.link(tmp_path / "in.gpkg", tmp_path / "hard.gpkg")
        for output in ("sub/../in.gpkg", "symbolic.gpkg", "hard.gpkg"):
            with pytest.raises(OutputError, match="is the input itself"):
                check_outputs(
                    BuildingsRequest(str(tmp_path / "in.gpkg|layername=a"), str(tmp_path / output), overwrite=True)
                )

    def test_input_is_refused_where_the_file_system_ignores_case(self, tmp_path, monkeypatch):
        (tmp_path / "in.tif").touch()

        def samefile(path, other):
            return os.path.samefile(str(path).lower(), str(other).lower())

        monkeypatch.setattr(Path, "samefile", samefile)
        with pytest.raises(OutputError, match="is the input itself"):
            refuse_inputs(Outputs(files=(tmp_path / "IN.TIF",)), [str(tmp_path / "in.tif")])

    def test_an_input_that_is_a_link_to_itself_is_left_to_its_reader(self, tmp_path):
        (tmp_path / "in.tif").symlink_to(tmp_path / "in.tif")
        refuse_inputs(Outputs(files=(tmp_path / "o.tif",)), [str(tmp_path / "in.tif")])

    def test_files_behind_a_virtual_raster_are_refused(self, tmp_path):
        outputs = outputs_of(request(tmp_path / "p.gpkg"))
        refuse_inputs(outputs, [str(tmp_path / "in.vrt")])
        with pytest.raises(OutputError, match="is the input itself"):
            refuse_inputs(outputs, [str(tmp_path / "in.vrt"), str(tmp_path / "p.gpkg")])

    def test_existing_files_need_leave(self, tmp_path):
        (tmp_path / "p.gpkg").touch()
        with pytest.raises(OutputError, match=r"p\.gpkg exists"):
            check_outputs(request(tmp_path / "p.gpkg"))
        check_outputs(request(tmp_path / "p.gpkg", overwrite=True))

    def test_leave_of_a_segmentation_is_among_its_options(self, tmp_path):
        (tmp_path / "o.run.json").touch()
        with pytest.raises(OutputError, match=r"o\.run\.json exists"):
            check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif")))
        check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True)))

    @pytest.mark.parametrize("overwrite", [True, False])
    @pytest.mark.parametrize(
        ("output", "sides"),
        [
            ("town.shp", ["town.dbf", "town.prj", "town.qml"]),
            ("town.shp", ["town.cpg"]),
            ("town.shp", ["town.qix"]),
            ("town.shp", ["town.sbn", "town.sbx"]),
            ("town.fgb", ["town.qml"]),
            ("town.gpkg", ["town.gpkg-journal"]),
        ],
    )
    def test_side_files_of_another_data_set_are_kept(self, tmp_path, output, sides, overwrite):
        for name in ["town.tif", *sides]:
            (tmp_path / name).write_text("the user's")
        with pytest.raises(
            OutputError, match=rf"{re.escape(sides[0])} exists and does not belong to {output}"
        ) as caught:
            check_outputs(request(tmp_path / output, overwrite=overwrite))
        assert all(name in str(caught.value) for name in sides)
        assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(
            ["town.tif", *sides], "the user's"
        )

    def test_side_files_of_the_output_need_leave(self, tmp_path):
        for suffix in ("shp", "dbf", "shx", "prj", "cpg", "qml", "qix"):
            (tmp_path / f"town.{suffix}").touch()
        with pytest.raises(OutputError, match=r"town\.shp exists"):
            check_outputs(request(tmp_path / "town.shp"))
        check_outputs(request(tmp_path / "town.shp", overwrite=True))

    @pytest.mark.parametrize(
        ("side", "other"),
        [
            ("town.prj", "town.asc"), ("town.prj", "town.JPG"), ("town.qml", "town.gpkg"), ("town.qml", "town.geojson"),
            ("town.ind", "town.tab"),
        ],
    )  # fmt: skip
    def test_side_files_that_another_data_set_shares_are_kept(self, tmp_path, side, other):
        for name in ("town.shp", side):
            (tmp_path / name).touch()
        check_outputs(request(tmp_path / "town.shp", overwrite=True))
        (tmp_path / other).touch()
        with pytest.raises(OutputError, match=f"{re.escape(side)} exists and does not belong"):
            check_outputs(request(tmp_path / "town.shp", overwrite=True))

    def test_a_generated_style_beside_a_geopackage_is_replaced(self, tmp_path):
        for name in ("town.geojson", "town.gpkg"):
            (tmp_path / name).touch()
        (tmp_path / "town.qml").write_text(with_mark("<qgis/>"))
        check_outputs(request(tmp_path / "town.geojson", overwrite=True))
        (tmp_path / "town.qml").write_text(with_mark("<qgis/>").replace("<qgis/>", "<qgis version='3'/>"))
        with pytest.raises(OutputError, match=r"town\.qml exists and does not belong"):
            check_outputs(request(tmp_path / "town.geojson", overwrite=True))

    def test_the_style_of_a_raster_is_kept(self, tmp_path):
        (tmp_path / "town.shp").touch()
        (tmp_path / "town.qml").write_text("<qgis><pipe><rasterrenderer/></pipe></qgis>")
        with pytest.raises(OutputError, match=r"town\.qml exists and does not belong"):
            check_outputs(request(tmp_path / "town.shp", overwrite=True))

    def test_files_that_do_not_concern_the_output_stay(self, tmp_path):
        names = ["town.tif", "town.qmd", "town.qml", "town.tif.aux.xml"]
        for name in names:
            (tmp_path / name).touch()
        check_outputs(request(tmp_path / "town.gpkg"))
        assert sorted(os.listdir(tmp_path)) == sorted(names)

    @pytest.mark.parametrize("suffix", [".aux.xml", ".ovr", ".msk"])
    def test_side_files_of_a_raster_need_leave(self, tmp_path, suffix):
        wanted = SegmentationRequest("in.tif", str(tmp_path / "o.tif"))
        replacing = SegmentationRequest("in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True))
        (tmp_path / f"o.tif{suffix}").touch()
        for one in (wanted, replacing):
            with pytest.raises(OutputError, match=rf"o\.tif\{suffix} exists and does not belong"):
                check_outputs(one)
        (tmp_path / "o.tif").touch()
        with pytest.raises(OutputError, match=r"o\.tif exists"):
            check_outputs(wanted)
        check_outputs(replacing)

    def test_a_legend_whose_raster_was_deleted_may_be_replaced(self, tmp_path):
        (tmp_path / "o.tif.aux.xml").write_text(legend_xml(DUBAI, {}))
        with pytest.raises(OutputError, match=r"o\.tif\.aux\.xml exists"):
            check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif")))
        check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True)))

    def test_the_style_of_a_raster_is_not_in_the_way_of_polygons_of_its_name(self, tmp_path):
        (tmp_path / "town.tif").touch()
        (tmp_path / "town.qml").write_text(with_mark(raster_style(DUBAI.entries)))
        check_outputs(request(tmp_path / "town.shp"))
        (tmp_path / "town.geojson").touch()
        check_outputs(request(tmp_path / "town.geojson", overwrite=True))

    @pytest.mark.parametrize("named", [True, False])
    def test_side_files_of_a_recorded_output_may_be_replaced(self, tmp_path, named):
        polygons = str(tmp_path / "p.shp")
        wanted = SegmentationRequest(
            "in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True), polygons=polygons
        )
        earlier = replace(wanted, polygons=polygons if named else str(tmp_path / "q.shp"))
        (tmp_path / "o.run.json").write_text(dumps({"request": earlier.to_json()}))
        (tmp_path / "p.dbf").touch()
        if named:
            check_outputs(wanted)
        else:
            with pytest.raises(OutputError, match=r"p\.dbf exists and does not belong"):
                check_outputs(wanted)

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"request": 5}', '{"request": {"input": 5}}', "[" * 100_000])
    def test_a_damaged_record_lists_nothing(self, tmp_path, text):
        (tmp_path / "o.run.json").write_text(text)
        (tmp_path / "o.tif.ovr").touch()
        with pytest.raises(OutputError, match=r"o\.tif\.ovr exists and does not belong"):
            check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True)))

    @pytest.mark.parametrize("text", ['{"my": 1}', "[1, 2]", "notes", '{"request": {"output": 5}}'])
    def test_a_file_that_is_not_a_record_is_kept(self, tmp_path, text):
        (tmp_path / "o.run.json").write_text(text)
        with pytest.raises(OutputError, match=r"o\.run\.json exists and is not a run record"):
            check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True)))

    def test_the_record_of_another_raster_is_kept(self, tmp_path):
        wanted = SegmentationRequest("in.tif", str(tmp_path / "o.tiff"), SegmentOptions(overwrite=True))
        (tmp_path / "o.run.json").write_text('{"request": {"output": "elsewhere/o.tif"}}')
        check_outputs(wanted)  # a raster that was renamed
        (tmp_path / "o.tif").touch()
        with pytest.raises(OutputError, match=r"is the record of o\.tif"):
            check_outputs(wanted)

    def test_other_layers_of_a_geopackage_are_kept(self, tmp_path):
        path = tmp_path / "town.gpkg"
        write_layer(path, [shapely.Point(1, 2)], layer="town")
        check_outputs(request(path, overwrite=True))
        write_layer(path, [shapely.Point(1, 2)], layer="parcels")
        with pytest.raises(OutputError, match=r"other content, which would be lost: parcels"):
            check_outputs(request(path, overwrite=True))

    def test_a_geopackage_that_another_program_writes_is_refused(self, tmp_path):
        path = tmp_path / "town.gpkg"
        write_layer(path, [shapely.Point(1, 2)], layer="town")
        with closing(sqlite3.connect(path, isolation_level=None)) as package:
            package.execute("BEGIN EXCLUSIVE")
            with pytest.raises(OutputError, match="open in another program: database is locked"):
                check_outputs(request(path, overwrite=True))

    @pytest.mark.parametrize(
        ("output", "side"),
        [("town.shp", "town.QIX"), ("town.shp", "town.PRJ"), ("town.shp", "town.QPJ"), ("o.tif", "o.tif.OVR")],
    )
    def test_side_files_in_capitals_are_of_another_data_set(self, tmp_path, output, side):
        for name in (output, side):
            (tmp_path / name).touch()
        if (tmp_path / side.lower()).exists():
            pytest.skip("the file system ignores case")
        raster = SegmentationRequest("in.tif", str(tmp_path / "o.tif"), SegmentOptions(overwrite=True))
        with pytest.raises(OutputError, match=f"{re.escape(side)} exists and does not belong"):
            check_outputs(raster if output == "o.tif" else request(tmp_path / output, overwrite=True))

    def test_a_write_protected_file_is_kept(self, tmp_path):
        (tmp_path / "p.fgb").touch()
        (tmp_path / "p.fgb").chmod(0o444)
        with pytest.raises(OutputError, match=r"p\.fgb is write-protected"):
            check_outputs(request(tmp_path / "p.fgb", overwrite=True))

    def test_what_killed_runs_left_is_removed_first(self, tmp_path):
        leave_partial(tmp_path / "o.tif.aux.xml")
        (tmp_path / "o.tif").touch()
        with pytest.raises(OutputError, match="exists"):
            check_outputs(SegmentationRequest("in.tif", str(tmp_path / "o.tif")))
        assert os.listdir(tmp_path) == ["o.tif"]

    def test_parts_of_a_shapefile_that_a_killed_run_had_moved_do_not_exist(self, tmp_path, monkeypatch):
        path = tmp_path / "town.shp"
        names = ["town.shp", "town.dbf", "town.shx"]
        partial = make_partial(path)
        for name in names:
            (partial / name).touch()
        with monkeypatch.context() as patched:
            patched.setattr(placement, "_sync_folder", lambda folder: None)
            patched.setattr(placement.os, "unlink", lambda source: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                placement.place(partial, names, [], overwrite=False)
        assert (tmp_path / "town.dbf").exists()
        abandon(partial)
        check_outputs(request(path))
        assert os.listdir(tmp_path) == []

    @pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
    def test_links_are_followed(self, tmp_path):
        (tmp_path / "p.gpkg").symlink_to(tmp_path / "data" / "v3.gpkg")
        with pytest.raises(OutputError, match=r"folder .*data does not exist"):
            check_outputs(request(tmp_path / "p.gpkg"))
        (tmp_path / "data").mkdir()
        check_outputs(request(tmp_path / "p.gpkg"))
        (tmp_path / "data" / "v3.gpkg").touch()
        with pytest.raises(OutputError, match=r"v3\.gpkg exists"):
            check_outputs(request(tmp_path / "p.gpkg"))

    @pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
    def test_side_files_beside_a_link_are_those_of_the_layer(self, tmp_path):
        (tmp_path / "data").mkdir()
        for suffix in ("shp", "dbf"):
            (tmp_path / "data" / f"v3.{suffix}").touch()
            (tmp_path / f"town.{suffix}").symlink_to(tmp_path / "data" / f"v3.{suffix}")
        check_outputs(request(tmp_path / "town.shp", overwrite=True))
        (tmp_path / "town.prj").touch()
        with pytest.raises(OutputError, match=r"town\.prj exists and does not belong to town\.shp"):
            check_outputs(request(tmp_path / "town.shp", overwrite=True))

    @pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
    def test_side_files_that_are_links_are_kept(self, tmp_path):
        (tmp_path / "town.shp").touch()
        (tmp_path / "town.dbf").symlink_to(tmp_path / "elsewhere.dbf")
        with pytest.raises(OutputError, match=r"town\.dbf exists and does not belong"):
            check_outputs(request(tmp_path / "town.shp", overwrite=True))

    def test_missing_folders_are_named(self, tmp_path):
        with pytest.raises(OutputError, match="does not exist"):
            check_outputs(request(tmp_path / "none" / "p.gpkg"))

    def test_a_folder_in_place_of_a_file_is_refused(self, tmp_path):
        (tmp_path / "p.gpkg").mkdir()
        with pytest.raises(OutputError, match="is not a file"):
            check_outputs(request(tmp_path / "p.gpkg", overwrite=True))

    def test_a_folder_that_is_not_writable_is_refused(self, tmp_path, monkeypatch):
        def refuse(self, *arguments):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.mkdir", refuse)
        with pytest.raises(OutputError, match="not writable: Permission denied"):
            check_outputs(request(tmp_path / "p.gpkg"))

    def test_a_file_held_by_another_program_is_noticed(self, tmp_path, monkeypatch):
        (tmp_path / "p.gpkg").touch()

        def refuse(old, new):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "rename", refuse)
        with pytest.raises(OutputError, match="cannot be replaced"):
            check_outputs(request(tmp_path / "p.gpkg", overwrite=True))

    def test_a_geopackage_with_an_open_journal_is_refused(self, tmp_path):
        (tmp_path / "p.gpkg").touch()
        (tmp_path / "p.gpkg-wal").write_bytes(b"changes")
        with pytest.raises(OutputError, match="open in another program"):
            check_outputs(request(tmp_path / "p.gpkg", overwrite=True))

    @pytest.mark.skipif(os.name == "nt", reason="Windows has other names")
    @pytest.mark.parametrize("name", ["a\\b.gpkg", "a\udcff.shp"])
    def test_names_that_gdal_cannot_write_are_refused(self, tmp_path, name):
        with pytest.raises(OutputError, match="a backslash or bytes that are not UTF-8"):
            check_outputs(request(tmp_path / name))

    @pytest.mark.parametrize("name", ["houses.parquet", "houses.fgb"])
    def test_formats_without_their_package_are_refused(self, tmp_path, monkeypatch, name):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(OutputError, match="Add more formats in Set up the engine"):
            check_outputs(request(tmp_path / name))

    @pytest.mark.parametrize("length", [146, 200, 250])
    def test_names_too_long_are_refused(self, tmp_path, length):
        with pytest.raises(OutputError, match="more than 150 bytes"):
            check_outputs(request(tmp_path / ("a" * length + ".gpkg")))

    @pytest.mark.parametrize(
        ("output", "nodes"),
        [("r.shp", "sub/../r.shp"), ("r.shp", "r.fgb"), ("r.gpkg", "link/r.gpkg")],
        ids=["spelling", "style", "link"],
    )
    def test_outputs_that_are_one_file_are_refused(self, tmp_path, output, nodes):
        (tmp_path / "sub").mkdir()
        os.symlink(tmp_path, tmp_path / "link")
        with pytest.raises(OutputError, match="would be written twice"):
            check_outputs(RoadsRequest("in.tif", str(tmp_path / output), nodes=str(tmp_path / nodes)))

    def test_outputs_that_differ_in_case_alone(self, tmp_path, monkeypatch):
        wanted = RoadsRequest("in.tif", str(tmp_path / "r.gpkg"), nodes=str(tmp_path / "R.gpkg"))
        ignores_case = (tmp_path / "x").touch() or (tmp_path / "X").exists()
        if not ignores_case:
            check_outputs(wanted)
        monkeypatch.setattr(output_check, "_check_folder", lambda folder: True)
        with pytest.raises(OutputError, match="would be written twice"):
            check_outputs(wanted)

    def test_manifests_of_a_batch_are_checked(self, tmp_path):
        (tmp_path / "landcover_manifest.csv").mkdir()
        with pytest.raises(OutputError, match="is not a file"):
            check_outputs(FolderRequest("in", str(tmp_path)))
