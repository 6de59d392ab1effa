"""A session that is polled, against a worker without an engine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dubai_landcover_plugin.runner.errors import WorkerDiedError
from dubai_landcover_plugin.runner.session import EngineSession, Reply
from tests.runner.test_run import is_running

FAKE = Path(__file__).with_name("fake_session.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="looks at processes of Linux")


@pytest.fixture
def lines() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def session(lines: list[tuple[str, str]]) -> Iterator[EngineSession]:
    made = EngineSession("python", lambda *line: lines.append(line), [sys.executable, str(FAKE)])
    yield made
    made.close()
    assert not is_running(made.pid)


def replies(session: EngineSession, enough: Callable[[list[Reply]], bool]) -> list[Reply]:
    found: list[Reply] = []
    deadline = time.monotonic() + 20
    while not enough(found):
        assert time.monotonic() < deadline
        found += session.poll()
        time.sleep(0.01)
    return found


def test_messages_wait_for_the_greeting_and_are_answered_in_order(session, lines):
    first, second = session.send("view", {"output": "a ü.tif"}), session.send("teach", {})
    assert not session.is_ready
    found = replies(session, lambda found: sum(one.is_last for one in found) == 2)
    assert session.is_ready
    assert ("info", "Engine started: torch 0") in lines
    assert found[0] == Reply(first, done=1, total=2)
    assert found[1] == Reply(first, value={"output": "a ü.tif"})
    assert found[2].id == second
    assert str(found[2].error) == "Far away. Come nearer."
    session.cancel()
    deadline = time.monotonic() + 20
    while ("info", "cancelled") not in lines and time.monotonic() < deadline:
        session.poll()
    assert lines[-1] == ("info", "cancelled")


def test_a_death_is_explained(session):
    session.send("view", {})
    session.send("save", {})
    with pytest.raises(WorkerDiedError, match="no such thing"):
        replies(session, lambda found: False)


def test_closing_leaves_no_process_and_no_log(session):
    session.send("view", {})
    replies(session, lambda found: len(found) == 2)
    started = time.monotonic()
    session.close()
    assert time.monotonic() - started < 3
    assert not is_running(session.pid)
    assert not session._worker.log_path.exists()
