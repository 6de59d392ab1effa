from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely

from dubai_landcover_plugin.protocol.errors import OutputError, RequestError
from dubai_landcover_plugin.protocol.requests import SampleDataRequest
from training.tasks.sample_data import choose_squares, make_sample_data

ROOT = Path(__file__).resolve().parents[3]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def modules_outside_of(requirements: str) -> list[str]:
    """Return the modules of installed packages that a file of requirements does not have."""
    text = (ROOT / "requirements" / requirements).read_text()
    locked = {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}
    found = packages_distributions().items()
    return [module for module, names in found if not locked.intersection(map(canonical, names))]


def test_labels_are_the_truth_of_some_places(tmp_path: Path) -> None:
    request = SampleDataRequest(
        str(tmp_path / "a.tif"), str(tmp_path / "l.gpkg"), str(tmp_path / "t.tif"), count=3, size=256, place=64
    )
    result = make_sample_data(request)
    with rasterio.open(request.output) as image, rasterio.open(request.truth) as truth:
        assert (image.shape, image.count, truth.shape) == ((256, 256), 3, (256, 256))
        ids, transform = truth.read(1), truth.transform
    _, _, wkb, values = pyogrio.raw.read(request.labels)
    names = {"Water": 1, "Land": 2, "Road": 3, "Building": 4, "Vegetation": 5}
    shapes = [(shape, names[name]) for shape, name in zip(shapely.from_wkb(wkb), values[0], strict=True)]
    drawn = rasterio.features.rasterize(shapes, ids.shape, transform=transform, dtype="uint8")
    assert (drawn > 0).sum() == 3 * 64 * 64
    assert (drawn[drawn > 0] == ids[drawn > 0]).all()
    assert sum(result.pixels.values()) == 3 * 64 * 64
    assert result.polygons == len(shapes)


def test_an_image_without_labels_needs_no_places(tmp_path: Path) -> None:
    result = make_sample_data(SampleDataRequest(str(tmp_path / "a.tif"), count=50, size=256, place=256))
    assert (result.labels, result.polygons, set(result.pixels.values())) == (None, 0, {0})
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise rasterio.errors.RasterioIOError("Write failed.")

    monkeypatch.setattr("rasterio.io.DatasetWriter.write", fail)
    with pytest.raises(OutputError, match=r"town.tif could not be written: Write failed\. Free some space"):
        make_sample_data(SampleDataRequest(str(tmp_path / "town.tif"), size=256))
    assert not list(tmp_path.iterdir())


def test_places_do_not_touch_and_too_many_are_refused():
    corners = np.array(choose_squares(512, 96, 9, seed=1))
    assert len(np.unique(corners, axis=0)) == 9
    assert set(np.unique(corners).tolist()) <= {0, 128, 256, 384}
    with pytest.raises(RequestError, match="10 places of 300 px do not fit into 512 px; 1 do"):
        choose_squares(512, 300, 10, seed=1)


def test_the_sample_image_needs_the_standard_engine_only(tmp_path: Path) -> None:
    blocked = modules_outside_of("engine.txt")
    assert {"torch", "matplotlib"} <= set(blocked)
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({blocked!r}))\n"
        "from dubai_landcover_plugin.protocol.requests import SampleDataRequest\n"
        "from training.tasks import make_sample_data\n"
        f"make_sample_data(SampleDataRequest({str(tmp_path / 'a.tif')!r}, {str(tmp_path / 'l.gpkg')!r}, "
        "size=256, place=64))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
    with rasterio.open(tmp_path / "a.tif") as image:
        assert image.shape == (256, 256)
