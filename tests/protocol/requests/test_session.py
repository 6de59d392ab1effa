"""Messages of a session check themselves."""

from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import Result
from dubai_landcover_plugin.protocol.requests.session import (
    MESSAGES,
    Agreement,
    NoOptions,
    OpenSession,
    SampleSpec,
    TeachState,
    ViewRequest,
)

EXTENT = (0.0, 0.0, 10.0, 5.0)


@pytest.mark.parametrize("name", MESSAGES)
def test_requests_are_json_in_and_out(name):
    needed = {
        "open": {"input": "a.tif", "options": {"model": "dubai", "memory": 2000}},
        "view": {"extent": list(EXTENT), "output": "v.tif", "pixel_size": 2.0},
        "teach": {"samples": [{"id": "a"}], "remove": ["b"], "classes": []},
        "probe": {"x": 1.0, "y": 2.0},
        "save": {"output": "own.safetensors"},
    }.get(name, {})
    request = MESSAGES[name].from_json(needed)
    assert MESSAGES[name].from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ViewRequest((10.0, 0.0, 0.0, 5.0), "v.tif"), "xmin < xmax"),
        (lambda: ViewRequest(EXTENT, "v.tif", pixel_size=0.0), "pixel_size must be above 0"),
        (lambda: ViewRequest(EXTENT, 3), "output must be a text"),
        (lambda: SampleSpec("a", 1, "POINT (1 2)", 2000.0), r"brush must be in 0\.\.1000"),
        (lambda: SampleSpec("a", "1", "POINT (1 2)"), "class_id must be a whole number"),
        (lambda: NoOptions.from_json({"id": 3}), "Unknown keys"),
        (lambda: OpenSession.from_json({"input": "a.tif", "options": {"memory": 1}}), "memory"),
    ],
)
def test_values_that_do_not_fit_are_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


def test_results_are_json_in_and_out():
    for result in (
        TeachState(("a",), {"Water": 1}, True, False, 0.1, ("careful",)),
        Agreement(0.5, 0.75, 4, {"Water": 0.75}, {"Water": 0.5}),
    ):
        assert isinstance(result, Result)
        assert type(result).from_json(result.to_json()) == result
