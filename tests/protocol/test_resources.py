"""Resources are found in the sources and in the installed plugin."""

from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol import resources
from dubai_landcover_plugin.protocol.resources import resource


def test_resources_of_the_sources_are_beside_the_package():
    assert Path(resource("styles")).is_dir()


@pytest.mark.parametrize("inside", [True, False])
def test_an_installed_plugin_has_them_inside(tmp_path, monkeypatch, inside):
    package = tmp_path / "plugin"
    folder = package / "resources" if inside else tmp_path / "resources"
    folder.mkdir(parents=True)
    (folder / "icon.svg").touch()
    monkeypatch.setattr(resources, "__file__", str(package / "protocol" / "resources.py"))
    assert Path(resource("icon.svg")) == folder / "icon.svg"
