"""Runs a task on a disk that becomes full."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dubai_landcover_plugin.protocol.errors import OutputError
from tests.faults.system_calls import Fault, run, unsupported


def on_a_full_disk(task: Callable[[], object], folder: Path, log: Path, space: int) -> Any:
    """Run a task while ``space`` bytes more can be written below a folder."""
    if reason := unsupported():
        pytest.skip(reason)

    def reported() -> int:
        try:
            task()
        except OutputError as error:
            os.write(1, f"message: {error}\n".encode())
            return 3
        return 0

    return run(reported, folder, Fault("full", space), log)
