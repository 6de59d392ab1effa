"""Files that QGIS's network manager fetches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from qgis.PyQt.QtCore import QUrl

from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.runner.downloads import fetch
from dubai_landcover_plugin.runner.errors import EngineSetupError

pytestmark = [pytest.mark.qgis, pytest.mark.usefixtures("qgis_app")]


class Messages:
    def __init__(self, cancel: bool = False) -> None:
        self.lines: list[str] = []
        self._cancel = cancel

    def report(self, *_: Any) -> None: ...

    def log(self, level: str, text: str) -> None:
        self.lines.append(text)

    def cancelled(self) -> bool:
        return self._cancel


def test_the_content_is_returned(tmp_path: Path):
    path = tmp_path / "uv.whl"
    path.write_bytes(b"\x00wheel")
    assert fetch(QUrl.fromLocalFile(str(path)).toString(), Messages()) == b"\x00wheel"


def test_a_server_that_is_down_is_one_sentence_and_a_line_in_the_log():
    messages = Messages()
    with pytest.raises(EngineSetupError, match=r"the package index cannot be reached\. Check the internet connection"):
        fetch("http://127.0.0.1:9/simple/uv/", messages)
    assert "127.0.0.1:9" in messages.lines[0]


def test_a_cancelled_download_returns_nothing(tmp_path: Path):
    with pytest.raises(RunCancelled):
        fetch(QUrl.fromLocalFile(str(tmp_path / "gone")).toString(), Messages(cancel=True))
