"""The request of a taught model."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.tasks import TASKS
from dubai_landcover_plugin.protocol.requests.teaching import TeachRequest, TeachResult


def test_requests_and_results_are_json_in_and_out():
    request = TeachRequest("a.tif", "l.gpkg", "own.safetensors", brush=5.0, options=SegmentOptions(model="own"))
    assert TeachRequest.from_json(request.to_json()) == request
    classes = {"Water": {"before": 0.5, "after": None}}
    result = TeachResult("own.safetensors", "0" * 64, "dubai", {"Water": 1}, 0.5, None, classes, 1.0)
    assert TeachResult.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output": "own.pt"}, r"output must end in .safetensors, got 'own.pt'"),
        ({"brush": -1.0}, r"brush must be in 0\.\.1000, got -1"),
        ({"class_field": " "}, "class_field is needed"),
        ({"labels": ""}, "labels is needed"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes, message):
    given = {"input": "a.tif", "labels": "l.gpkg", "output": "own.safetensors", **changes}
    with pytest.raises(RequestError, match=message):
        TeachRequest.from_json(given)


def test_inputs_and_outputs_are_known():
    task = TASKS["teach_model"]
    assert (task.inputs, task.outputs) == (("input", "labels", "second"), ("output",))
