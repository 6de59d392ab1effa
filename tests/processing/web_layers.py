"""A web layer whose server is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from osgeo import gdal
from qgis.core import QgsProject, QgsRasterLayer

from tests.processing.qgis_fixtures import write_raster

_SERVER = """
import http.server, sys
picture, status = open(sys.argv[1], "rb").read(), int(sys.argv[2])
class Tiles(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(status)
        self.send_header("Content-Type", "image/png")
        self.send_header("Content-Length", str(len(picture)))
        self.end_headers()
        self.wfile.write(picture)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


@contextmanager
def served(tmp_path: Path, values: np.ndarray, status: int = 200) -> Iterator[QgsRasterLayer]:
    """Serve an XYZ layer from another process; every tile is the same picture."""
    picture = tmp_path / "tile.png"
    source = write_raster(tmp_path / "tile.tif", values, epsg=None)
    gdal.Translate(str(picture), source, format="PNG")
    command = [sys.executable, "-c", _SERVER, str(picture), str(status)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        port = int(server.stdout.readline())
        url = f"http://127.0.0.1:{port}/%7Bz%7D/%7Bx%7D/%7By%7D.png%3Fkey%3Dsecret"
        layer = QgsRasterLayer(f"type=xyz&zmin=0&zmax=19&url={url}", "tiles", "wms")
        assert layer.isValid()
        QgsProject.instance().addMapLayer(layer)
        yield layer
        QgsProject.instance().clear()
        server.kill()
