"""Requests of Change Between Dates."""

import json

import pytest

from dubai_landcover_plugin.protocol.errors import (
    RequestError,
)
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"output": "o.png"}, "must end in .tif"),
        ({"csv": "o.txt"}, "must end in .csv"),
        ({"report": "o.pdf"}, "must end in .html"),
        ({"polygons": "o.kml"}, "must end in .gpkg"),
        ({"later": "a.tif"}, "same raster"),
        ({"later": ""}, "needed"),
        ({"min_confidence": 0.5}, "needs a confidence raster"),
        ({"min_confidence": 60.0, "later_confidence": "c.tif"}, r"in 0\.\.1"),
        ({"min_area": -1.0}, "at least 0"),
        ({"csv": "o.csv", "report": "o.html", "polygons": "o.csv"}, "must end in"),
    ],
)
def test_wrong_requests_are_refused_with_the_limit(values, words):
    with pytest.raises(RequestError, match=words):
        ChangeRequest(**{"earlier": "a.tif", "later": "b.tif", "output": "o.tif", **values})


def test_a_request_survives_json():
    request = ChangeRequest("a.tif", "b.tif", "o.tif", "o.gpkg", min_confidence=0.5, earlier_confidence="c.tif")
    assert ChangeRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
