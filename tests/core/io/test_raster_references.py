"""A raster may refer to raster files on this computer, to nothing else."""

import os

import pytest
import rasterio

from dubai_landcover_plugin.core.io.raster_access import open_raster
from dubai_landcover_plugin.core.io.raster_references import check_path, is_remote
from dubai_landcover_plugin.protocol.errors import RasterOpenError
from tests.factories import random_pixels

URL = "http://127.0.0.1:9/a.tif"


def virtual(path, source, relative=0, band='dataType="Byte" band="{}"', tag="SourceFilename"):
    """Write a virtual raster with three bands of a source."""
    bands = "".join(
        f'<VRTRasterBand {band.format(i)}><SimpleSource><{tag} relativeToVRT="{relative}">{source}</{tag}>'
        f"<SourceBand>{i}</SourceBand></SimpleSource></VRTRasterBand>"
        for i in (1, 2, 3)
    )
    path.write_text(f'<VRTDataset rasterXSize="10" rasterYSize="12">{bands}</VRTDataset>')
    return path


@pytest.mark.parametrize(
    ("path", "remote"),
    [
        ("/vsicurl/https://example.org/a.tif", True),
        ("/vsizip//vsicurl/https://example.org/a.zip/a.tif", True),
        ("/vsis3_streaming/bucket/a.tif", True),
        ("https://example.org/a.tif", True),
        ("zip+https://example.org/a.zip!a.tif", True),
        ("s3://bucket/a.tif", True),
        ("vrt:///vsicurl/http://example.org/a.tif", True),
        ("/data/a.tif", False),
        ("C:\\data\\a.tif", False),
        ("zip://a.zip!a.tif", False),
        ("/vsizip/a.zip/a.tif", False),
        (f"<VRTDataset><SourceFilename>{URL}</SourceFilename></VRTDataset>", False),
    ],
)
def test_remote_paths(path, remote):
    assert is_remote(path) == remote


class TestAllowed:
    def test_files_elsewhere_and_files_beside(self, raster, tmp_path):
        pixels = random_pixels(12, 10)
        image = raster(pixels, "there/image.tif")
        (tmp_path / "here").mkdir()
        for path in (
            virtual(tmp_path / "here" / "absolute.vrt", image),
            virtual(tmp_path / "here" / "relative.vrt", "../there/image.tif", relative=1),
            virtual(tmp_path / "here" / "nested.vrt", tmp_path / "here" / "relative.vrt"),
            virtual(tmp_path / "here" / "bands.vrt", f"vrt://{image}?bands=1,2,3"),
        ):
            with open_raster(path) as dataset:
                assert (dataset.read() == pixels).all()

    def test_archives_and_missing_files_are_left_to_gdal(self, tmp_path):
        check_path(str(virtual(tmp_path / "a.vrt", "/vsizip/a.zip/a.tif")))
        check_path(str(virtual(tmp_path / "b.vrt", "missing.tif", relative=1)))
        check_path(str(virtual(tmp_path / "c.vrt", 'NETCDF:"a.nc":red')))

    def test_addresses_in_other_elements_are_text(self, raster, tmp_path):
        path = virtual(tmp_path / "a.vrt", raster(random_pixels(12, 10)))
        text = path.read_text().replace(
            "<VRTRasterBand", '<Metadata><MDI key="COPYRIGHT">http://x.org</MDI></Metadata><VRTRasterBand', 1
        )
        path.write_text(text)
        open_raster(path).close()


@pytest.mark.parametrize(
    ("source", "state"),
    [
        (f"/vsicurl/{URL}", "on the network"),
        (f"&#x2f;vsicurl/{URL}", "on the network"),
        (URL, "on the network"),
        ("/vsis3/bucket/a.tif", "on the network"),
        (f"/vsizip//vsicurl/{URL}/a.tif", "on the network"),
        (f"vrt:///vsicurl/{URL}?bands=1", "on the network"),
        ("WMS:example", "not a raster file"),
        ("PG:dbname=x", "not a raster file"),
        ("/vsistdin/", "not a raster file"),
        ("/vsisubfile/0_100,/etc/passwd", "not a raster file"),
        ("/dev/zero", "a pipe, a device or a socket"),
        (f"&lt;VRTDataset>&lt;SourceFilename>{URL}&lt;/SourceFilename>&lt;/VRTDataset>", "on the network"),
    ],
)
@pytest.mark.parametrize("tag", ["SourceFilename", "sourcedataset"])
def test_references_of_a_virtual_raster(tmp_path, source, state, tag):
    path = virtual(tmp_path / "a.vrt", source, tag=tag)
    outer = virtual(tmp_path / "outer.vrt", "a.vrt", relative=1)
    for given in (str(path), str(outer), path.read_text()):
        with pytest.raises(RasterOpenError, match=f"refers to .*which is {state}"):
            open_raster(given)


def test_descriptions_of_services_behind_a_virtual_raster(tmp_path):
    (tmp_path / "image.tif").write_text(f"<GDAL_WMS><ServerUrl>{URL}</ServerUrl></GDAL_WMS>")
    with pytest.raises(RasterOpenError, match="a description and not an image"):
        open_raster(virtual(tmp_path / "a.vrt", "image.tif", relative=1))


def test_raw_bytes_only_from_the_folder_of_the_raster(tmp_path):
    raw = 'dataType="Byte" band="{}" subClass="VRTRawRasterBand"'
    inside = virtual(tmp_path / "in.vrt", "pixels.raw", relative=1, band=raw)
    inside.write_text(inside.read_text().replace("<SimpleSource>", "").replace("</SimpleSource>", ""))
    (tmp_path / "pixels.raw").write_bytes(bytes(120))
    open_raster(inside).close()
    outside = tmp_path / "out.vrt"
    outside.write_text(inside.read_text().replace("pixels.raw", "../pixels.raw"))
    with pytest.raises(RasterOpenError, match="raw bytes from outside"):
        open_raster(outside)


def test_code_in_a_virtual_raster(raster, tmp_path):
    path = virtual(tmp_path / "a.vrt", raster(random_pixels(12, 10)))
    code = "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionType>os.getcwd</PixelFunctionType>"
    path.write_text(path.read_text().replace("<SimpleSource>", f"{code}<SimpleSource>", 1))
    with pytest.raises(RasterOpenError, match="written in Python"):
        open_raster(path)


@pytest.mark.parametrize("start", ['<!DOCTYPE x [<!ENTITY e "http://x">]>', "<broken>"])
def test_entities_and_damaged_xml(tmp_path, start):
    path = virtual(tmp_path / "a.vrt", "x.tif")
    path.write_text(start + path.read_text())
    with pytest.raises(RasterOpenError, match="Make the virtual raster again"):
        open_raster(path)


@pytest.mark.parametrize("inner", ["a.vrt", "b.vrt"])
def test_virtual_rasters_that_contain_themselves(tmp_path, inner):
    virtual(tmp_path / "b.vrt", "a.vrt", relative=1)
    with pytest.raises(RasterOpenError, match=r"a\.vrt is a virtual raster that contains itself"):
        check_path(str(virtual(tmp_path / "a.vrt", inner, relative=1)))


def test_nested_virtual_rasters_have_a_limit(tmp_path):
    deep = "x.tif"
    for index in range(30):
        deep = virtual(tmp_path / f"{index}.vrt", deep)
    with pytest.raises(RasterOpenError, match="more than 16 virtual rasters"):
        check_path(str(deep))


@pytest.mark.skipif(os.name == "nt", reason="needs pipes")
@pytest.mark.parametrize("name", ["a.tif", "image.tif.ovr", "image.tif.msk", "image.tif.aux.xml"])
def test_pipes_are_not_waited_for(raster, tmp_path, name):
    image = raster(random_pixels(12, 10), "image.tif")
    os.mkfifo(tmp_path / name)
    with pytest.raises(RasterOpenError, match="a pipe, a device or a socket"):
        open_raster(tmp_path / name if name == "a.tif" else image)


@pytest.mark.parametrize("suffix", [".ovr", ".msk"])
def test_overviews_and_masks_are_images(raster, tmp_path, suffix):
    image = raster(random_pixels(12, 10))
    virtual(image.with_name(image.name + suffix), f"/vsicurl/{URL}")
    with pytest.raises(RasterOpenError, match="not an image"):
        open_raster(image)
    with pytest.raises(RasterOpenError, match="not an image"):
        open_raster(virtual(tmp_path / "a.vrt", image))


def test_overviews_of_the_metadata_beside_a_file(raster):
    image = raster(random_pixels(12, 10))
    item = f'<MDI key="OVERVIEW_FILE">/vsicurl/{URL}</MDI>'
    image.with_name("input.tif.aux.xml").write_text(
        f'<PAMDataset><Metadata domain="OVERVIEWS">{item}</Metadata></PAMDataset>'
    )
    with pytest.raises(RasterOpenError, match="on the network"):
        open_raster(image)


def test_overviews_beside_a_file_work(raster):
    image = raster(random_pixels(600, 500))
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(image) as dataset:
        assert dataset.shape == (600, 500)
    with rasterio.Env(TIFF_USE_OVR=True), rasterio.open(image, "r+") as dataset:
        dataset.build_overviews([2])
    assert image.with_name("input.tif.ovr").exists()
    with open_raster(image) as dataset:
        assert dataset.overviews(1) == [2]
