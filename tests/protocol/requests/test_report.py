"""Requests of Land Cover Report."""

import json

import pytest

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.report import ReportRequest


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"report": "r.pdf"}, "must end in .html"),
        ({"report": "r.html", "csv": "r.txt"}, "must end in .csv"),
        ({"report": "r.html", "zone_field": "name"}, "zone_field is given, but no zones"),
        ({"report": "r.html", "zones_layer": "z.gpkg"}, "zones_layer is given, but no zones"),
        ({"report": "r.html", "zones": "z.gpkg", "zones_layer": "z.kml"}, "must end in .gpkg"),
        ({"report": ""}, "is needed"),
    ],
)
def test_requests_are_checked(options, words):
    with pytest.raises(RequestError, match=words):
        ReportRequest("i.tif", **options)


def test_a_request_crosses_to_the_engine_and_back():
    request = ReportRequest("i.tif", "r.html", zones="z.gpkg|layername=a", zone_field="name")
    assert ReportRequest.from_json(json.loads(json.dumps(request.to_json()))) == request
