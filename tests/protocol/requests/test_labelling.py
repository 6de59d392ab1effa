from __future__ import annotations

import pytest

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests import CheckLabelsRequest, LabelLayerRequest, LabelledData


def test_requests_survive_json():
    data = LabelledData(rasters=("a.tif", "b.tif"), labels="l.gpkg", new_classes=("Lawn=#7CFC00",))
    for request in (CheckLabelsRequest(data, report="r.html"), LabelLayerRequest("a.tif", "l.gpkg", places="p.gpkg")):
        assert type(request).from_json(request.to_json()) == request


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": "l.gpkg"}, "no rasters"),
        ({"rasters": ("a.tif",)}, "No labels"),
        ({"rasters": ("a.tif",), "labels": "l.gpkg", "masks": "m"}, "Two kinds"),
    ],
)
def test_incomplete_data_are_refused(values, message):
    with pytest.raises(RequestError, match=message):
        LabelledData(**values).check_complete()


def test_the_meaning_of_mask_values():
    data = LabelledData(mask_values=("255=Building", "0 = not Building", "7="))
    assert data.values() == {"255": "Building", "0": "not Building", "7": ""}
    with pytest.raises(RequestError, match="'255' is not VALUE=CLASS"):
        LabelledData(mask_values=("255",)).values()
