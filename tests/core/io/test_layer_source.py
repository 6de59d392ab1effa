"""Texts that name a layer of a file."""

import os

import pytest

from dubai_landcover_plugin.core.io.layer_source import file_of, layer_of, layer_source


@pytest.mark.parametrize(
    ("text", "path", "layer"),
    [
        ("a.gpkg|layername=houses", "a.gpkg", "houses"),
        ("a|b.gpkg|layername=two|layername=x", "a|b.gpkg", "two|layername=x"),
        ("plain.shp", "plain.shp", ""),
        ("", "", ""),
    ],
)
def test_path_and_layer_are_separated(text, path, layer):
    assert (file_of(text), layer_of(text)) == (path, layer)


def test_what_is_put_together_comes_apart():
    text = layer_source("C:/a b/c.gpkg", "zones 1")
    assert (file_of(text), layer_of(text)) == ("C:/a b/c.gpkg", "zones 1")


@pytest.mark.skipif(os.name == "nt", reason="Windows allows few special characters")
def test_files_and_folders_may_be_named_like_layers(tmp_path):
    folder = tmp_path / "x|layername=y"
    folder.mkdir()
    path = str(folder / "a|layername=b.gpkg")
    open(path, "w").close()
    assert (file_of(path), layer_of(path)) == (path, "")
    assert (file_of(f"{path}|layername=c|layername=d"), layer_of(f"{path}|layername=c")) == (path, "c")
