"""Fixtures that several test modules of this room share."""

import pytest
import rasterio
import rasterio.features

from dubai_landcover_plugin.core.change.compare import map_change
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from tests.factories import write_class_map


@pytest.fixture
def make(tmp_path):
    """Write a classified raster."""

    def write(name, ids, classes=DUBAI, model="", **profile):
        return write_class_map(tmp_path / name, ids, classes, model, **profile)

    return write


@pytest.fixture
def compare(tmp_path, make):
    """Compare two arrays or paths; return the outcome and the codes."""

    def run(earlier, later, **options):
        first, second = (
            value if isinstance(value, str) else make(f"{name}.tif", value)
            for name, value in (("earlier", earlier), ("later", later))
        )
        output = str(tmp_path / "change.tif")
        outcome = map_change(ChangeRequest(first, second, output, overwrite=True, **options)).to_json()
        with rasterio.open(output) as dataset:
            return outcome, dataset.read(1)

    return run
