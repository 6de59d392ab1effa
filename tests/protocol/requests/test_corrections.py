"""Requests and result of edits of a classified raster."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.corrections import CorrectionsRequest, EditResult, RecodeRequest
from dubai_landcover_plugin.protocol.requests.tasks import TASKS


def test_requests_and_results_are_json_in_and_out():
    request = CorrectionsRequest("a.tif", "c.gpkg", "o.tif", polygons="p.gpkg", brush=5.0)
    assert CorrectionsRequest.from_json(request.to_json()) == request
    recoding = RecodeRequest("a.tif", "o.tif", ("Land=Road", "2=5"), within="z.gpkg")
    assert RecodeRequest.from_json(recoding.to_json()) == recoding
    result = EditResult(
        "o.tif", 2, 1, 7, {"Land → Road": 7}, {"Road": 9}, None, "p.gpkg", None, None, DUBAI.to_json(), 0.5, ("note",)
    )
    assert EditResult.from_json(result.to_json()) == result


def test_pairs_are_names_or_ids():
    assert RecodeRequest("a.tif", "o.tif", ("Land=Road", " Old town = 5 ")).pairs == (
        ("Land", "Road"),
        ("Old town", "5"),
    )


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((), "classes is needed and must not be empty"),
        (("Land",), "'Land' is not a pair of classes"),
        (("=Land",), "'=Land' is not a pair"),
        (("Land=",), "'Land=' is not a pair"),
        (("Land=Road", "Land=Water"), "The class Land is replaced twice"),
    ],
)
def test_other_pairs_are_refused(classes, message):
    with pytest.raises(RequestError, match=message):
        RecodeRequest("a.tif", "o.tif", classes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "o.png"}, r"output must end in \.tif"),
        ({"corrections": " "}, "corrections is needed"),
        ({"brush": 1001.0}, r"brush must be in 0\.\.1000, got 1001"),
        ({"min_area": -1.0}, "min_area must be at least 0"),
        ({"polygons": "p.gpkg", "buildings": "p.gpkg"}, "Outputs need different paths"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes, message):
    given = {"input": "a.tif", "corrections": "c.gpkg", "output": "o.tif", **changes}
    with pytest.raises(RequestError, match=message):
        CorrectionsRequest.from_json(given)


def test_inputs_and_outputs_are_known():
    task = TASKS["apply_corrections"]
    assert set(task.inputs) == {"input", "corrections", "confidence", "scheme"}
    assert set(task.outputs) == {"output", "polygons", "buildings", "roads"}
    assert "within" in TASKS["recode_classes"].inputs
