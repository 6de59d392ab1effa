from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests import (
    EvaluateRequest,
    ExportRequest,
    LabelledData,
    SampleDataRequest,
    TrainRequest,
)

DATA = LabelledData(rasters=("a.tif",), labels="l.gpkg")


@pytest.mark.parametrize(
    "request_",
    [
        TrainRequest("m.safetensors", DATA, length="long", run="runs"),
        EvaluateRequest("world", DATA, table="t.csv"),
        ExportRequest("out", formats=("onnx", "stac")),
        SampleDataRequest("a.tif", "l.gpkg"),
    ],
    ids=lambda request: type(request).__name__,
)
def test_requests_survive_json(request_):
    assert type(request_).from_json(request_.to_json()) == request_


def test_unknown_formats_and_lengths_are_refused():
    with pytest.raises(RequestError, match="no format pdf"):
        ExportRequest("out", formats=("onnx", "pdf"))
    with pytest.raises(RequestError, match="length must be one of quick, normal, long"):
        TrainRequest("m.safetensors", DATA, length="endless")
