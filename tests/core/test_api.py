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
from dubai_landcover_plugin.protocol.requests.tasks import TASKS
from training import tasks


def test_every_tool_is_a_task_and_nothing_else_is():
    training = {name for name, task in TASKS.items() if task.training}
    assert set(core.__all__) | training | {"doctor", "teach_session"} == set(worker._TASKS)
    assert training == set(tasks.__all__)
    assert set(core.__all__) <= set(dir(core))
    with pytest.raises(AttributeError, match="no attribute 'fly'"):
        core.fly  # noqa: B018


@pytest.mark.parametrize("name", TASKS)
def test_a_tool_takes_its_request_and_returns_a_result(name):
    tool = getattr(tasks if TASKS[name].training else core, name)
    assert tool.__name__ == name
    request = TASKS[name].request
    parameters = inspect.signature(tool).parameters
    assert list(parameters) == ["request", "monitor"]
    assert parameters["monitor"].default is None
    first = parameters["request"]
    assert first.annotation == request.__name__
    result = getattr(importlib.import_module(request.__module__), tool.__annotations__["return"])
    assert issubclass(request, Request)
    assert issubclass(result, Result)
    assert dataclasses.is_dataclass(result)
    assert typing.get_type_hints(result)


def test_every_request_and_result_can_be_imported_from_one_place():
    needed = {"LabelledData", "Request", "Result", "SegmentOptions"}
    for name, task in TASKS.items():
        tool = getattr(tasks if task.training else core, name)
        needed |= {task.request.__name__, tool.__annotations__["return"]}
    assert set(requests.__all__) == needed
    assert all(issubclass(getattr(requests, name), Request) for name in needed)
