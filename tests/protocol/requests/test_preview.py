"""Request and result of a preview."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.preview import UNUSED_OPTIONS, PreviewRequest, PreviewResult
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.tasks import TASKS


def test_requests_and_results_are_json_in_and_out():
    request = PreviewRequest("a.tif", "p.tif", SegmentOptions(model="own"), (0.0, 1.0, 2.0, 3.0), "c.tif")
    assert PreviewRequest.from_json(request.to_json()) == request
    result = PreviewResult("p.tif", None, 2, 3, {"Water": 6}, DUBAI.to_json(), 0.5, ("note",))
    assert PreviewResult.from_json(result.to_json()) == result


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extent": [0, 0, 0, 1]}, "xmin < xmax and ymin < ymax, got 0, 0, 0, 1"),
        ({"output": "p.png"}, r"output must end in \.tif"),
        ({"confidence": "p.tif"}, "Outputs need different paths"),
    ],
)
def test_values_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(RequestError, match=message):
        PreviewRequest.from_json({"input": "a.tif", "output": "p.tif", **changes})


def test_inputs_outputs_and_options_are_known():
    task = TASKS["preview_land_cover"]
    assert (task.inputs, task.rasters) == (("input", "second"), ("output", "confidence"))
    assert set(UNUSED_OPTIONS) <= {item.name for item in SegmentOptions.described()}
