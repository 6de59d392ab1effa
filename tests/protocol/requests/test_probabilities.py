"""Request and result of classes from probabilities."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.probabilities import ReclassifyRequest, ReclassifyResult
from dubai_landcover_plugin.protocol.requests.tasks import TASKS, paths


def test_requests_and_results_are_json_in_and_out():
    request = ReclassifyRequest("p.tif", "o.tif", {"Road": 2.0}, {"4": 0.5}, 0.1, ("q.tif", "r.tif"), measure="entropy")
    assert ReclassifyRequest.from_json(request.to_json()) == request
    result = ReclassifyResult(
        "o.tif", 3, {"Road → Land": 3}, {"Land": 9}, None, None, None, None, None, None, DUBAI.to_json(), ("a",), 0.5
    )
    assert ReclassifyResult.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": {"Road": -1}}, r"weights\['Road'\] must be in 0\.\.1000, got -1"),
        ({"minimums": {"Road": 1.5}}, r"minimums\['Road'\] must be in 0\.\.1, got 1\.5"),
        ({"measure": "variance"}, "measure must be one of margin, entropy"),
        ({"confidence": "o.tif"}, "Outputs need different paths"),
        ({"average": "q.tif"}, "average must be a list of texts"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(RequestError, match=message):
        ReclassifyRequest.from_json({"input": "p.tif", "output": "o.tif", **changes})


def test_all_rasters_are_inputs():
    task = TASKS["reclassify_probabilities"]
    assert (task.inputs, task.rasters) == (("input", "average"), ("output", "confidence", "uncertainty"))
    request = ReclassifyRequest("p.tif", "o.tif", average=("q.tif", "r.tif"))
    assert paths(vars(request), task.inputs) == ["p.tif", "q.tif", "r.tif"]
