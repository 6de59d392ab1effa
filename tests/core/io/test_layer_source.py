"""Texts that name a layer of a file."""

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
