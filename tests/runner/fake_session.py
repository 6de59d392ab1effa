"""A session worker that answers without an engine: ``fake_session.py``. Standard library only."""

from __future__ import annotations

import json
import sys


def say(**message: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer ``view`` with progress and a result, ``teach`` with an error, and die of ``save``."""
    assert json.loads(sys.stdin.readline())["task"] == "teach_session"
    say(type="hello", protocol=2, versions={"torch": "0"})
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("cancel"):
            say(type="log", level="info", text="cancelled")
        elif message["message"] == "view":
            say(type="progress", id=message["id"], done=1, total=2)
            say(type="result", id=message["id"], value=message["request"])
        elif message["message"] == "teach":
            say(type="error", id=message["id"], code="request", message="Far away.", remedy="Come nearer.")
        else:
            sys.exit("ValueError: no such thing")


if __name__ == "__main__":
    main()
