"""Requests of Regularize Buildings."""

import json

import pytest

from dubai_landcover_plugin.protocol.errors import (
    RequestError,
)
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"output": "o.tif"}, "must end in .gpkg"),
        ({"output": "folder/.gpkg"}, "must end in .gpkg"),
        ({"input": ""}, "is needed"),
        ({"tolerance": 0.0}, "above 0"),
        ({"min_iou": 1.5}, "in 0..1"),
        ({"split": -1.0}, "at least 0"),
    ],
)
def test_bad_requests_are_refused(values, text):
    with pytest.raises(RequestError, match=text):
        BuildingsRequest(**{"input": "i.gpkg", "output": "o.gpkg", **values})


def test_a_request_survives_json():
    request = BuildingsRequest("i.gpkg", "o.gpkg", 1.0, 0.8, True, 3.0, 40.0, "r.gpkg", True)
    assert BuildingsRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
