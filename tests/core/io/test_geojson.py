"""GeoJSON files that are joined from pieces."""

import json

import pytest

from dubai_landcover_plugin.core.io.geojson import GeoJSONFile


def collection(*values, name="a"):
    features = ",\n".join(json.dumps({"type": "Feature", "properties": {"a": value}}) for value in values)
    return f'{{\n"name": {json.dumps(name)},\n"features": [\n{features}\n]\n}}\n'.encode()


def test_pieces_become_one_collection(tmp_path):
    file = GeoJSONFile(tmp_path / "a.geojson")
    name = 'x"features": [\n\n]\n}\n'
    for piece in (collection(1, 2, name=name), collection("\n]\n}\n", name=name)):
        file.add(piece)
    file.finish()
    assert (tmp_path / "a.geojson").read_bytes() == collection(1, 2, "\n]\n}\n", name=name)


def test_pieces_of_another_form_or_name_are_an_error(tmp_path):
    file = GeoJSONFile(tmp_path / "a.geojson")
    file.add(collection(1))
    for piece in (collection(2, name="b"), collection(2)[:-3], b"{}"):
        with pytest.raises(ValueError, match="unknown form"):
            file.add(piece)
    file.close()
