"""Names under which GDAL opens vector files."""

import os

import pyogrio
import pytest

from dubai_landcover_plugin.core.io import ogr
from tests.factories import write_layer


def test_a_path_that_exists_is_absolute_and_unchanged(tmp_path, monkeypatch):
    (tmp_path / "a!b").mkdir()
    monkeypatch.chdir(tmp_path / "a!b")
    for name in ("c;d.gpkg", "WFS:x.fgb", "towns.gpkg.zip"):
        (tmp_path / "a!b" / name).touch()
        assert ogr.gdal_name(name) == str(tmp_path / "a!b" / name)


def test_other_names_are_those_of_pyogrio(tmp_path):
    assert ogr.gdal_name("https://example.org/a.fgb") == "/vsicurl/https://example.org/a.fgb"
    assert ogr.gdal_name("zip:///d/a.zip!b.shp") == "/vsizip//d/a.zip/b.shp"
    for name in ("a!.zip", "B.ZIP"):
        (tmp_path / name).touch()
        assert ogr.gdal_name(str(tmp_path / name)) == f"/vsizip/{{{tmp_path / name}}}"


@pytest.mark.skipif(os.name == "nt", reason="Windows paths are not parsed by pyogrio")
def test_pyogrio_itself_takes_the_path_for_a_uri(tmp_path):
    path = tmp_path / "houses!.gpkg"
    write_layer(tmp_path / "houses.gpkg", [])
    os.rename(tmp_path / "houses.gpkg", path)
    with pytest.raises(pyogrio.errors.DataSourceError):
        pyogrio.read_info(path)
    assert ogr.read_info(str(path))["driver"] == "GPKG"
