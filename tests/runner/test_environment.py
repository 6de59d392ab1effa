"""The environment of the engine has nothing of QGIS's."""

import os

import pytest

from dubai_landcover_plugin.runner import environment
from dubai_landcover_plugin.runner.environment import engine_environment

QGIS = {
    "PYTHONPATH": "p", "pythonhome": "h", "PROJ_LIB": "x", "GDAL_DATA": "x", "OGR_ENABLE": "x", "QGIS_PREFIX_PATH": "x",
    "QT_PLUGIN_PATH": "x", "LD_LIBRARY_PATH": "x", "LD_PRELOAD": "x", "VIRTUAL_ENV": "x", "CONDA_PREFIX": "x",
    "DYLD_LIBRARY_PATH": "x", "GISBASE": "x",
}  # fmt: skip
OTHERS = {"HOME": "/home", "PATH": "/bin", "LANG": "C", "CUDA_VISIBLE_DEVICES": "0", "XPYTHON": "x"}
INSTALLER = {"PIP_INDEX_URL": "https://example.org", "UV_CACHE_DIR": "/c"}


def test_variables_of_qgis_are_dropped_and_others_kept():
    assert engine_environment({**QGIS, **OTHERS, **INSTALLER}) == OTHERS


def test_the_own_environment_is_the_default_and_stays(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "p")
    monkeypatch.setenv("SOMETHING", "else")
    before = dict(os.environ)
    found = engine_environment()
    assert (found["SOMETHING"], "PYTHONPATH" in found) == ("else", False)
    assert dict(os.environ) == before


@pytest.mark.parametrize("root", ["C:\\QGIS", "c:\\qgis\\"])
def test_on_windows_its_folders_leave_the_path(monkeypatch, root):
    monkeypatch.setattr(environment.sys, "platform", "win32")
    monkeypatch.setattr(environment.os, "pathsep", ";")
    given = {"OSGEO4W_ROOT": root, "Path": "C:\\QGIS\\bin;C:\\Windows;c:\\qgis\\apps"}
    assert engine_environment(given)["Path"] == "C:\\Windows"
    assert engine_environment({"Path": "C:\\QGIS\\bin;C:\\Windows"})["Path"] == "C:\\QGIS\\bin;C:\\Windows"


def test_the_engine_gets_the_language_of_qgis(monkeypatch):
    monkeypatch.setattr(environment, "language", lambda: "ar")
    assert engine_environment({"HOME": "/home"}) == {"HOME": "/home", "DUBAI_LANDCOVER_LANGUAGE": "ar"}
