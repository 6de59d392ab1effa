"""Requests of Draw Accuracy Sample and Accuracy Assessment."""

from __future__ import annotations

import json

import pytest

from dubai_landcover_plugin.protocol.errors import (
    RequestError,
)
from dubai_landcover_plugin.protocol.requests.assessment import (
    AccuracyRequest,
    AccuracySampleRequest,
    expected_accuracies,
)


@pytest.mark.parametrize(
    "values",
    [
        {"input": "", "output": "p.gpkg"},
        {"input": "m.tif", "output": "p.txt"},
        {"input": "m.tif", "output": "p.gpkg", "standard_error": 0},
        {"input": "m.tif", "output": "p.gpkg", "expected": {"Road": 1.2}},
        {"input": "m.tif", "output": "p.gpkg", "size": 1},
        {"input": "m.tif", "output": "p.gpkg", "allocation": "best"},
        {"input": "m.tif", "output": "p.gpkg", "seed": -1},
    ],
)
def test_samples_that_make_no_sense_are_refused(values):
    with pytest.raises(RequestError):
        AccuracySampleRequest(**values)


@pytest.mark.parametrize(
    "values",
    [{"reference": ""}, {"field": ""}, {"report": "r.pdf"}, {"table": "t.xlsx"}],
)
def test_assessments_that_make_no_sense_are_refused(values):
    with pytest.raises(RequestError):
        AccuracyRequest(**{"input": "m.tif", "reference": "p.gpkg", **values})


def test_requests_survive_json():
    request = AccuracySampleRequest("m.tif", "p.gpkg", expected={"Road": 0.5}, size=None)
    assert AccuracySampleRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_expected_accuracies_as_users_write_them():
    assert expected_accuracies(["Road=0.6", " 4 = .7"]) == {"Road": 0.6, "4": 0.7}
    for wrong in ("Road", "Road=much", "=0.5"):
        with pytest.raises(RequestError, match="Building="):
            expected_accuracies([wrong])
