import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonFields, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationRequest,
    SegmentationResult,
    SegmentOptions,
)


@given(
    st.builds(
        SegmentOptions,
        bands=st.none() | st.lists(st.integers(1, 9), min_size=1, max_size=4).map(tuple),
        min_confidence=st.floats(0, 1),
        window=st.none() | st.integers(16, 8192),
        nodata=st.none() | st.floats(-1e6, 1e6),
        limits=st.none() | st.just(((0.0, 1.0), (2.0, 3.0))),
        device=st.sampled_from(["auto", "cpu", "cuda"]),
        tta=st.booleans(),
    )
)
def test_requests_survive_json(options):
    request = SegmentationRequest("in.tif", "out.tif", options, (0.0, 0.0, 1.0, 2.0), polygons="p.gpkg")
    assert SegmentationRequest.from_json(json.loads(dumps(request.to_json()))) == request
    batch = FolderRequest("folder", "out", options=options)
    assert FolderRequest.from_json(json.loads(dumps(batch.to_json()))) == batch


def test_results_and_polygon_requests_survive_json():
    result = SegmentationResult(
        "o.tif", "o.json", None, None, None, 1, 2, {"Water": 2}, None, 2, 1, 0.1, "cpu", "f", "h"
    )
    assert SegmentationResult.from_json(json.loads(dumps(result.to_json()))) == result
    polygons = ClassFilesRequest("c.tif", "out")
    assert ClassFilesRequest.from_json(json.loads(dumps(polygons.to_json()))) == polygons


def test_polygons_in_one_file_and_in_a_folder_share_their_options():
    shared = PolygonFields.described()
    file, folder = PolygonizeRequest.described(), ClassFilesRequest.described()
    assert [item.name for item in file[:3]] == ["input", "output", "classes"]
    assert [item.name for item in folder[:4]] == ["input", "output_folder", "classes", "suffix"]
    assert file[3:] == folder[4:] == shared


@pytest.mark.parametrize("kind", [PolygonizeRequest, ClassFilesRequest])
def test_shared_options_of_polygons_reach_both_requests(kind):
    options = {
        "min_area": 7.0, "simplify": 0.5, "corners": True, "confidence": "percent.tif", "scheme": "own.csv",
        "overwrite": True,
    }  # fmt: skip
    assert set(options) == {item.name for item in PolygonFields.described()}
    request = kind.from_options({"input": "c.tif", "output": "p.gpkg", "output_folder": "out", **options})
    assert {name: getattr(request, name) for name in options} == options


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"window": 8}, r"window must be in 16\.\.8192, got 8"),
        ({"min_confidence": 1.5}, r"min_confidence must be in 0\.\.1, got 1.5"),
        ({"min_confidence": float("nan")}, "min_confidence"),
        ({"overlap": -1}, r"overlap must be in 0\.\.4096, got -1"),
        ({"window": 64, "overlap": 33}, "at most half the window, 32 px, got 33 px"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"device": "tpu"}, "device must be one of auto"),
        ({"bands": (0,)}, "bands must be at least 1, got 0"),
        ({"bands": ()}, "bands is needed and must not be empty. Give one, for example 1 2 3"),
        ({"gsd": 0}, "gsd must be at least"),
        ({"model": ""}, "model is needed"),
        ({"tta": 1}, "tta must be true or false, got 1"),
    ],
)
def test_options_out_of_range_tell_value_and_limit(options, text):
    with pytest.raises(RequestError, match=text):
        SegmentOptions(**options)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"input": "", "output": "o.tif"}, "needed"),
        ({"input": "i.tif", "output": "o.png"}, "must end in .tif"),
        ({"input": "i.tif", "output": "o.tif", "polygons": "p.dxf"}, "must end in .gpkg"),
        ({"input": "i.tif", "output": "o.tif", "polygons": "p.SHP"}, "must end in .gpkg"),
        ({"input": "i.tif", "output": "o.tif", "report": "r.pdf"}, "must end in .html"),
        ({"input": "i.tif", "output": "o.tif", "confidence": "o.tif"}, "different paths"),
        ({"input": "i.tif", "output": "o.tif", "extent": (1, 0, 0, 1)}, "xmin < xmax"),
    ],
)
def test_requests_that_no_run_can_serve_are_refused(arguments, text):
    with pytest.raises(RequestError, match=text):
        SegmentationRequest(**arguments)


def test_unknown_keys_are_refused():
    with pytest.raises(RequestError, match="Unknown keys in SegmentationRequest: colour"):
        SegmentationRequest.from_json({"input": "a", "output": "b.tif", "colour": 1})
    with pytest.raises(RequestError, match="Unknown keys in SegmentOptions: speed"):
        SegmentationRequest.from_json({"input": "a", "output": "b.tif", "options": {"speed": 1}})


def test_missing_and_mistyped_keys_are_refused():
    with pytest.raises(RequestError, match="output"):
        SegmentationRequest.from_json({"input": "a"})
    with pytest.raises(RequestError):
        SegmentationRequest.from_json({"input": "a", "output": "b.tif", "options": {"window": "wide"}})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"window": 64.5}, "window must be a whole number or null, got 64.5"),
        ({"window": True}, "window must be a whole number or null, got True"),
        ({"window": "wide"}, "window must be a whole number or null, got 'wide'"),
        ({"window": 10**400}, "window must be a whole number"),
        ({"bands": (1.5, 2)}, r"bands must be a list of whole numbers or null, got \(1.5, 2\)"),
        ({"bands": 3}, "bands must be a list of whole numbers or null, got 3"),
        ({"min_confidence": None}, "min_confidence must be a finite number, got None"),
        ({"min_confidence": False}, "min_confidence must be a finite number, got False"),
        ({"nodata": math.nan}, "nodata must be a finite number or null, got nan"),
        ({"gsd": math.inf}, "gsd must be a finite number or null, got inf"),
        ({"simplify": "2"}, "simplify must be a finite number, got '2'"),
        ({"overwrite": 1}, "overwrite must be true or false, got 1"),
        ({"overwrite": "false"}, "overwrite must be true or false, got 'false'"),
        ({"device": None}, "device must be a text, got None"),
        ({"crs": 32640}, "crs must be a text or null, got 32640"),
        ({"limits": ((0, 1, 2),)}, "limits must be a list of pairs of finite numbers or null"),
        ({"limits": ((0, math.nan),)}, "limits must be a list of pairs of finite numbers or null"),
    ],
)
def test_options_of_a_wrong_type_tell_key_type_and_value(options, text):
    with pytest.raises(RequestError, match=text):
        SegmentOptions(**options)
    with pytest.raises(RequestError, match=text):
        SegmentationRequest.from_json({"input": "a", "output": "b.tif", "options": options})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"input": 1}, "input must be a text, got 1"),
        ({"output": None}, "output must be a text, got None"),
        ({"extent": [0, 0, 1]}, "extent must be a list of 4 finite numbers or null"),
        ({"extent": [0, 0, 1, math.inf]}, "extent must be a list of 4 finite numbers or null"),
        ({"extent": "0,0,1,1"}, "extent must be a list of 4 finite numbers or null, got '0,0,1,1'"),
        ({"options": None}, "options must be an object of options, got None"),
        ({"options": [1]}, "options must be an object of options"),
        ({"report": 3}, "report must be a text or null, got 3"),
    ],
)
def test_requests_of_a_wrong_type_tell_key_type_and_value(changes, text):
    with pytest.raises(RequestError, match=text):
        SegmentationRequest.from_json({"input": "a", "output": "b.tif", **changes})


@pytest.mark.parametrize("kind", [SegmentationRequest, FolderRequest, ClassFilesRequest, SegmentationResult])
@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_no_request(kind, value):
    with pytest.raises(RequestError, match=f"{kind.__name__} must be an object"):
        kind.from_json(value)


def test_folder_and_polygon_requests_check_types_too():
    with pytest.raises(RequestError, match="recursive must be true or false, got 'yes'"):
        FolderRequest("a", "b", recursive="yes")
    with pytest.raises(RequestError, match=r"classes must be a list of texts, got \(1,\)"):
        ClassFilesRequest("a", "b", classes=(1,))


def test_whole_numbers_are_numbers():
    options = SegmentOptions(gsd=1, nodata=-9999, limits=((0, 200),))
    assert SegmentationRequest("a", "b.tif", options, (0, 0, 1, 1)).options.gsd == 1


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="JSON"):
        dumps({"value": math.nan})
