"""The tools as Python sees them."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import typing

import pytest

from dubai_landcover_plugin import core
from dubai_landcover_plugin.core import worker
from dubai_landcover_plugin.protocol import requests
from dubai_landcover_plugin.protocol.requests.request import Request, Result


def test_every_tool_is_a_task_and_nothing_else_is():
    assert set(core.__all__) | {"doctor"} == set(worker._TASKS)
    assert set(core.__all__) <= set(dir(core))
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        core.fly  # noqa: B018


@pytest.mark.parametrize("name", core.__all__)
def test_a_tool_takes_its_request_and_returns_a_result(name):
    tool = getattr(core, name)
    assert tool.__name__ == name
    module, _, request = worker._REQUESTS[name].partition(".")
    kinds = importlib.import_module(f"dubai_landcover_plugin.protocol.requests.{module}")
    first = next(iter(inspect.signature(tool).parameters.values()))
    hints = {first.name: first.annotation, "return": tool.__annotations__["return"]}
    assert hints[first.name] == request
    result = getattr(kinds, hints["return"])
    assert issubclass(getattr(kinds, request), Request)
    assert issubclass(result, Result)
    assert dataclasses.is_dataclass(result)
    assert typing.get_type_hints(result)


def test_every_request_and_result_can_be_imported_from_one_place():
    needed = {"Request", "Result", "SegmentOptions"}
    for name in core.__all__:
        needed |= {worker._REQUESTS[name].partition(".")[2], getattr(core, name).__annotations__["return"]}
    assert set(requests.__all__) == needed
    assert all(issubclass(getattr(requests, name), Request) for name in needed)
