"""A teaching session as a command, for trials: a view, samples, a taught view, a model file.

The messages are answered by the service that the worker runs. An error message ends the command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import shapely

from dubai_landcover_plugin.core.teaching.service import TeachService
from tests.faults.jobs import BUILDING, EAST, NORTH, ROAD, WATER

_SAMPLES = ((BUILDING, 10, 12), (WATER, 90, 74), (ROAD, 58, 20))


class _Messages:
    """Gives the service one message after the other, and ``close`` after an error."""

    def __init__(self, messages: Sequence[tuple[str, dict[str, Any]]]) -> None:
        self._left = deque(enumerate(messages))
        self.error = ""

    def receive(self, timeout: float) -> tuple[int, Any] | None:
        number, (name, request) = self._left.popleft() if self._left else (-1, ("close", {}))
        return number, {"id": number, "message": name, "request": request}

    def send(self, kind: str, **values: Any) -> None:
        if kind == "error":
            self.error = f"{values['message']} {values['remedy']}"
            self._left.clear()

    def is_cancelled(self, number: int) -> bool:
        return False


def main(words: Sequence[str]) -> int:
    """Run the session; return the exit status."""
    image, model, view, taught, confidence, own = words[:6]
    options = {"model": model, "device": "cpu", "runtime": "torch", "precision": "float32"}
    extent = [EAST, NORTH - 96, EAST + 128, NORTH]
    samples = [
        {"id": str(number), "class_id": kind, "geometry": shapely.Point(EAST + x, NORTH - y).wkt, "brush": 6.0}
        for number, (kind, x, y) in enumerate(_SAMPLES)
    ]
    messages = _Messages(
        [
            ("open", {"input": image, "options": options}),
            ("view", {"extent": extent, "output": view}),
            ("teach", {"samples": samples}),
            ("view", {"extent": extent, "output": taught, "confidence": confidence}),
            ("save", {"output": own, "title": "The town.", "overwrite": "--overwrite" in words}),
        ]
    )
    TeachService(messages).run()
    if messages.error:
        print(f"error: {messages.error}")
    return 1 if messages.error else 0
