"""All files behind a raster are identified, and one that changes during a run is noticed."""

from __future__ import annotations

import os
import shutil
import zipfile

import pytest

from dubai_landcover_plugin.core.io.input_files import identify_input, is_same_input, raster_files
from dubai_landcover_plugin.core.io.raster_source import RasterSource
from dubai_landcover_plugin.core.segmentation.journal import Journal
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from tests.core.segmentation.cases import run
from tests.factories import random_pixels, stub_bundle, write_raster

VRT = """<VRTDataset rasterXSize="20" rasterYSize="20">{bands}</VRTDataset>"""
BAND = """<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename relativeToVRT="1">{source}
</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"""


def write_virtual(path, source):
    bands = (BAND.format(band=band, source=source).replace("\n", "") for band in (1, 2, 3))
    path.write_text(VRT.format(bands="".join(bands)))
    return str(path)


def names(path):
    return sorted(os.path.basename(name) for name in raster_files(str(path)))


def test_files_behind_virtual_rasters_and_their_sidecars_are_found(tmp_path):
    write_raster(tmp_path / "a.tif", random_pixels(20, 20))
    write_virtual(tmp_path / "inner.vrt", "a.tif")
    outer = write_virtual(tmp_path / "outer.vrt", "inner.vrt")
    assert names(outer) == ["a.tif", "inner.vrt", "outer.vrt"]
    files = identify_input(outer)
    assert is_same_input([outer], files)
    write_raster(tmp_path / "a.tif", random_pixels(20, 20, seed=1))
    assert not is_same_input([outer], files)
    files = identify_input(outer)
    (tmp_path / "a.tif.ovr").write_bytes(b"overviews")
    assert names(outer) == ["a.tif", "a.tif.ovr", "inner.vrt", "outer.vrt"]
    assert not is_same_input([outer], files)


def test_the_archive_around_a_raster_counts(tmp_path):
    write_raster(tmp_path / "a.tif", random_pixels(20, 20))
    with zipfile.ZipFile(tmp_path / "a b.zip", "w") as archive:
        archive.write(tmp_path / "a.tif", "in/a.tif")
    assert names(f"/vsizip/{tmp_path}/a b.zip/in/a.tif") == ["a b.zip"]


def test_a_raster_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(RasterOpenError, match=r"GDAL cannot open .*none\.tif"):
        identify_input(str(tmp_path / "none.tif"))


def swap(path, other, how):
    """Give a raster the pixels of another one, as programs do."""
    if how == "replaced":
        copy = path.with_suffix(".copy")
        shutil.copy(other, copy)
        os.replace(copy, path)
    else:
        status = path.stat()
        with path.open("r+b") as stream:
            stream.write(other.read_bytes())
        if how == "in place, with its time":
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("how", ["replaced", "in place", "in place, with its time"])
@pytest.mark.parametrize(("at", "saved"), [(0, True), (5, False)])
def test_an_input_that_changes_during_the_run_gives_no_result(tmp_path, monkeypatch, how, saved, at):
    source = write_raster(tmp_path / "input.tif", random_pixels(150, 70))
    other = write_raster(tmp_path / "other" / "other.tif", random_pixels(150, 70, seed=1))
    assert source.stat().st_size == other.stat().st_size
    read, count = RasterSource.read, []

    def read_and_swap(self, *arguments):
        if len(count) == at:
            swap(source, other, how)
        count.append(1)
        return read(self, *arguments)

    monkeypatch.setattr(RasterSource, "read", read_and_swap)
    monkeypatch.setattr(Journal, "is_due", lambda self: saved)
    with pytest.raises(RasterReadError, match=r"input\.tif was changed or replaced while it was read"):
        run(source, stub_bundle(3), window=32, overlap=8, batch=1, polygons=str(tmp_path / "p.gpkg"))
    assert sorted(os.listdir(tmp_path)) == ["input.tif", "other"]


def test_statistics_written_by_other_programs_do_not_stop_a_run(tmp_path, monkeypatch):
    source = write_raster(tmp_path / "input.tif", random_pixels(40, 40))
    read = RasterSource.read

    def read_and_describe(self, *arguments):
        (tmp_path / "input.tif.aux.xml").write_text(
            '<PAMDataset><PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MEAN">3</MDI></Metadata>'
            "</PAMRasterBand></PAMDataset>"
        )
        return read(self, *arguments)

    before = identify_input(str(source))
    monkeypatch.setattr(RasterSource, "read", read_and_describe)
    run(source, stub_bundle())
    assert is_same_input([str(source)], before)
