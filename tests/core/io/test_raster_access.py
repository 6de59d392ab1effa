"""Files that are cut short and formats of web services are not opened."""

import http.server
import os
import threading
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from rasterio.errors import RasterioIOError

from dubai_landcover_plugin.core.io.gdal_errors import GDAL_ERRORS
from dubai_landcover_plugin.core.io.raster_access import FORMATS, gdal_options, open_raster
from dubai_landcover_plugin.protocol.errors import RasterOpenError
from tests.core.io.test_raster_references import virtual
from tests.factories import random_pixels


def test_formats_of_web_services_are_not_in_the_list():
    assert {"GTiff", "VRT", "JP2OpenJPEG", "ENVI", "HFA", "PNG", "GPKG"} <= set(FORMATS)
    assert not {"WMS", "WCS", "WMTS", "HTTP", "STACTA", "STACIT", "EEDA", "PLMOSAIC", "DAAS", "GTI", "MEM"} & set(
        FORMATS
    )


@pytest.mark.parametrize(
    ("driver", "suffix", "options"),
    [
        ("ENVI", ".bsq", {}),
        ("ENVI", ".img", {"INTERLEAVE": "BIL"}),
        ("PCIDSK", ".pix", {}),
        ("PCIDSK", ".pix", {"INTERLEAVING": "PIXEL"}),
        ("PCRaster", ".map", {}),
        ("EHdr", ".bil", {}),
        ("ERS", ".ers", {}),
        ("GTiff", ".tif", {"COMPRESS": "NONE"}),
        ("GTiff", ".tif", {"TILED": "YES"}),
        ("PNM", ".ppm", {}),
        ("RST", ".rst", {}),
        ("HFA", ".img", {}),
        ("HFA", ".img", {"COMPRESSED": "YES"}),
        ("HFA", ".img", {"USE_SPILL": "YES"}),
        ("GPKG", ".gpkg", {"TILE_FORMAT": "PNG"}),
    ],
)
@pytest.mark.parametrize("kept", [0.5, 0.97])
def test_a_file_cut_short_is_refused(raster, tmp_path, driver, suffix, options, kept):
    pixels = random_pixels(300, 200, bands=1 if driver == "PCRaster" else 3)
    path = tmp_path / f"copy{suffix}"
    rasterio.shutil.copy(raster(pixels), path, driver=driver, **options)
    with open_raster(path) as dataset:
        assert driver == "PCRaster" or (dataset.read() == pixels).all()  # it stores other values
        largest = max(map(str, dataset.files), key=os.path.getsize)
    os.truncate(largest, int(os.path.getsize(largest) * kept))
    with (
        pytest.raises((RasterOpenError, RasterioIOError)),
        open_raster(path) as dataset,
    ):
        dataset.read()


def test_tiled_pcidsk(raster, tmp_path):
    path = tmp_path / "tiled.pix"
    rasterio.shutil.copy(raster(random_pixels(600, 600)), path, driver="PCIDSK", INTERLEAVING="TILED")
    os.truncate(path, path.stat().st_size * 9 // 10)
    with pytest.raises(RasterOpenError, match="is incomplete"):
        open_raster(path)


def test_masks_beside_a_raster(raster):
    path = raster(random_pixels(12, 10))
    mask = path.with_name("input.tif.msk")
    for content in (b"junk", b"", b"II*\0junk"):
        mask.write_bytes(content)
        with pytest.raises(RasterOpenError, match=r"The mask .*input\.tif\.msk cannot be read"):
            open_raster(path)
    raster(np.full((1, 5, 6), 255, np.uint8), "other.tif").rename(mask)
    with pytest.raises(RasterOpenError, match="has 6×5 px, the raster 10×12 px: it belongs to another raster"):
        open_raster(path)


def test_sources_behind_two_virtual_rasters(raster, tmp_path):
    path = tmp_path / "copy.img"
    rasterio.shutil.copy(raster(random_pixels(12, 10)), path, driver="ENVI")
    outer = virtual(tmp_path / "outer.vrt", virtual(tmp_path / "inner.vrt", path))
    with open_raster(outer) as dataset:
        assert dataset.shape == (12, 10)
    os.truncate(path, 180)
    with pytest.raises(RasterOpenError, match=r"copy\.img is incomplete"):
        open_raster(outer)


class _Requests(http.server.BaseHTTPRequestHandler):
    """Counts requests."""

    count = 0

    def do_GET(self):
        type(self).count += 1
        self.send_error(404)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


def test_sources_that_change_after_opening_do_not_reach_the_network(raster, tmp_path):
    image = raster(random_pixels(12, 10))
    path = virtual(tmp_path / "a.vrt", image)
    lazy = '</SourceFilename><SourceProperties RasterXSize="10" RasterYSize="12" DataType="Byte"/>'
    path.write_text(path.read_text().replace("</SourceFilename>", lazy).replace("Simple", "Complex"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _Requests.count = 0
    try:
        with open_raster(path) as dataset:
            image.unlink()
            virtual(image, f"/vsicurl/http://127.0.0.1:{server.server_port}/a.tif")
            with suppress(*GDAL_ERRORS):
                dataset.read(1)
    finally:
        server.shutdown()
        server.server_close()
    assert _Requests.count == 0


def test_a_whole_tiled_file_whose_header_counts_more_is_read(raster, tmp_path):
    path = tmp_path / "tiled.pix"
    pixels = random_pixels(300, 200)
    rasterio.shutil.copy(raster(pixels), path, driver="PCIDSK", INTERLEAVING="TILED")
    with open_raster(path) as dataset:
        assert (dataset.read() == pixels).all()


def test_sizes_are_stated(raster, tmp_path):
    path = tmp_path / "copy.img"
    rasterio.shutil.copy(raster(random_pixels(300, 200)), path, driver="ENVI")
    os.truncate(path, 90_000)
    with pytest.raises(RasterOpenError, match=r"incomplete: it has 90,000 bytes, its header describes 180,000"):
        open_raster(path)
    mosaic = virtual(tmp_path / "mosaic.vrt", path)
    with pytest.raises(RasterOpenError, match=r"copy\.img is incomplete"):
        open_raster(mosaic)


def test_a_service_is_not_a_format(tmp_path):
    path = tmp_path / "service.tif"
    path.write_text("<GDAL_WMS><Service name='TMS'><ServerUrl>http://127.0.0.1:9/</ServerUrl></Service></GDAL_WMS>")
    with pytest.raises(RasterOpenError, match="not recognized"):
        open_raster(path)


def test_a_virtual_raster_in_an_archive_is_checked_too(raster, tmp_path):
    inside = virtual(tmp_path / "a.vrt", "/vsicurl/http://127.0.0.1:9/a.tif").read_text()
    good = random_pixels(12, 10)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.vrt", inside)
        archive.write(raster(good), "image.tif")
    with pytest.raises(RasterOpenError, match="on the network"):
        open_raster(f"/vsizip/{tmp_path}/a.zip/a.vrt")
    with open_raster(f"/vsizip/{tmp_path}/a.zip/image.tif") as dataset:
        assert (dataset.read() == good).all()


def test_the_network_is_open_to_remote_rasters_only():
    assert "GDAL_HTTP_PROXY" in gdal_options("/data/image.tif")
    assert "GDAL_HTTP_PROXY" not in gdal_options("/vsicurl/https://example.org/image.tif")
    assert gdal_options("https://example.org/image.vrt")["GDAL_VRT_ENABLE_PYTHON"] == "NO"


def test_overviews_in_the_metadata_of_a_file(raster):
    path = raster(np.ones((3, 12, 10), np.uint8))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="OVERVIEWS", OVERVIEW_FILE="/vsicurl/http://127.0.0.1:9/a.ovr")
    with pytest.raises(RasterOpenError, match="on the network"):
        open_raster(path)


@pytest.mark.parametrize("path", ["", "a\0b.tif", "a" * 5000 + ".tif", "/nothing/here.tif", "WMS:x", "--help"])
def test_paths_that_lead_nowhere(path):
    with pytest.raises(RasterOpenError):
        open_raster(path)


@pytest.mark.parametrize("kept", [0.5, 0.99, 1])
def test_raw_bands_of_a_virtual_raster(tmp_path, kept):
    pixels = random_pixels(30, 20)
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativeToVRT="1">pixels.raw</SourceFilename><ImageOffset>{600 * (band - 1)}</ImageOffset>'
        "<PixelOffset>1</PixelOffset><LineOffset>20</LineOffset></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path = tmp_path / "raw.vrt"
    path.write_text(f'<VRTDataset rasterXSize="20" rasterYSize="30">{bands}</VRTDataset>')
    (tmp_path / "pixels.raw").write_bytes(pixels.tobytes()[: int(1800 * kept)])
    if kept == 1:
        with open_raster(path) as dataset:
            assert (dataset.read() == pixels).all()
        return
    with pytest.raises(RasterOpenError, match=r"pixels\.raw is incomplete: it has .* bytes, its header describes 1,"):
        open_raster(path)
