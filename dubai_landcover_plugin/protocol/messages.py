"""What plugin and engine say to each other: JSON lines, ``type`` first.

Plugin to engine: one request ``{"protocol": ..., "task": ..., "request": {...}}``, later perhaps ``{"cancel": true}``.
Engine to plugin: ``hello`` (protocol, pid, versions), ``progress`` (done, total, text), ``log`` (level, text), then
``result`` (value) or ``error`` (code, message, remedy).
"""

from __future__ import annotations

PROTOCOL = 2
"""Version; plugin and engine must have the same."""

HELLO, PROGRESS, LOG, RESULT, ERROR = "hello", "progress", "log", "result", "error"
"""Types of the engine's messages."""
