"""Requests of Extract Road Network."""

import json
from dataclasses import replace

import pytest

from dubai_landcover_plugin.protocol.errors import (
    RequestError,
)
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest


@pytest.mark.parametrize(
    "change",
    [{"max_gap": -1.0}, {"max_width": 0.0}, {"output": "roads.txt"}, {"nodes": "roads.gpkg"}, {"class_name": " "},
     {"barriers": "Water"}, {"spur": float("nan")}],
)  # fmt: skip
def test_values_out_of_range_are_refused(change):
    with pytest.raises(RequestError):
        replace(RoadsRequest("a.tif", "roads.gpkg"), **change)


def test_a_request_survives_json():
    request = RoadsRequest("a.tif", "roads.gpkg", barriers=("Water",))
    assert RoadsRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
