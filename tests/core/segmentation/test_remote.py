"""Rasters behind HTTP and S3 give what the same files give from the disk, and only the bytes asked for travel."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.core.io.raster_references import is_remote
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import RasterOpenError, RasterReadError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import random_pixels, stub_bundle, write_raster


class Server:
    """Files of a folder over HTTP with ranges, as GDAL wants them; counts what it sends."""

    def __init__(self, folder: Path) -> None:
        served = self
        self.sent, self.failing, self.paths = 0, 0, []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self.answer(body=False)

            def do_GET(self) -> None:
                self.answer(body=True)

            def answer(self, body: bool) -> None:
                served.paths.append(self.path)
                path = folder / Path(self.path).name.split("?")[0]
                asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if served.failing > 0:
                    served.failing -= 1
                    self.respond(503, b"", {})
                elif not path.is_file():
                    self.respond(404, b"", {})
                elif asked:
                    whole = path.read_bytes()
                    first, last = int(asked[1]), min(int(asked[2] or len(whole)), len(whole) - 1)
                    part = whole[first : last + 1]
                    self.respond(206, part, {"Content-Range": f"bytes {first}-{last}/{len(whole)}"}, body)
                else:
                    self.respond(200, path.read_bytes(), {}, body)

            def respond(self, status: int, content: bytes, headers: dict[str, str], body: bool = True) -> None:
                self.send_response(status)
                for name, value in {"Accept-Ranges": "bytes", "Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if body:
                    served.sent += len(content)
                    self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.place = f"127.0.0.1:{self.http.server_address[1]}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    made = Server(folder)
    for name, value in {
        "AWS_S3_ENDPOINT": made.place, "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE", "AWS_NO_SIGN_REQUEST": "YES",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    yield made
    made.http.shutdown()
    made.http.server_close()


def classify(path: str, output: Path, **extent: object) -> np.ndarray:
    options = SegmentOptions(window=64, overlap=16, overwrite=True)
    run_segmentation(SegmentationRequest(path, str(output), options, **extent), bundle=stub_bundle(2))
    with rasterio.open(output) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("form", ["/vsicurl/http://{}/{}", "http://{}/{}", "/vsis3/bucket/{1}"])
def test_a_remote_raster_gives_what_the_file_gives(tmp_path, server, form):
    name = f"{form.count('/')}{form[:5].strip('/:')}.tif"  # GDAL remembers addresses
    local = write_raster(tmp_path / "served" / name, random_pixels(300, 260), tiled=True, blockxsize=64, blockysize=64)
    wanted = classify(str(local), tmp_path / "local.tif")
    address = form.format(server.place, name)
    assert is_remote(address)
    assert (classify(address, tmp_path / "remote.tif") == wanted).all()
    assert not [path for path in server.paths if not path.endswith(name)], "it looked for other files"


def test_only_what_an_extent_needs_travels(tmp_path, server):
    pixels = random_pixels(1600, 1600)
    local = write_raster(tmp_path / "served" / "large.tif", pixels, tiled=True, blockxsize=64, blockysize=64)
    extent = (300_100, 2_779_800, 300_200, 2_779_900)
    wanted = classify(str(local), tmp_path / "local.tif", extent=extent)
    given = classify(f"/vsicurl/http://{server.place}/large.tif", tmp_path / "remote.tif", extent=extent)
    assert (given == wanted).all()
    assert server.sent < local.stat().st_size / 4


def test_a_server_that_stumbles_is_asked_again(tmp_path, server):
    write_raster(tmp_path / "served" / "busy.tif", random_pixels(80, 80))
    server.failing = 2
    assert classify(f"/vsicurl/http://{server.place}/busy.tif", tmp_path / "o.tif").shape == (80, 80)
    assert server.failing == 0


def test_a_server_that_is_gone_is_told_and_leaves_nothing(tmp_path, server):
    with pytest.raises(RasterOpenError, match=r"missing\.tif"):
        classify(f"/vsicurl/http://{server.place}/missing.tif", tmp_path / "o.tif")
    write_raster(tmp_path / "served" / "cut.tif", random_pixels(900, 900), tiled=True, blockxsize=64, blockysize=64)
    cut = tmp_path / "served" / "cut.tif"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    with pytest.raises(RasterReadError, match=r"cut\.tif cannot be read"):
        classify(f"/vsicurl/http://{server.place}/cut.tif", tmp_path / "o.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["served"]
