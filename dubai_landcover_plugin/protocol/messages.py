"""Messages between plugin and engine: one JSON object per line.

From the plugin: one request ``{"protocol": ..., "task": ..., "request": {...}}``, then optionally ``{"cancel": true}``.
From the engine, by ``type``: ``hello`` (protocol, pid, versions), ``progress`` (done, total, text), ``log`` (level,
text), and last ``result`` (value) or ``error`` (code, message, remedy).
"""

from __future__ import annotations

PROTOCOL = 2
"""Version of the protocol; plugin and engine must have the same."""

HELLO, PROGRESS, LOG, RESULT, ERROR = "hello", "progress", "log", "result", "error"
"""Types of the engine's messages."""
