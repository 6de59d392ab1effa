"""The pinned uv: found on an index or in a folder, checked before it runs."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from dubai_landcover_plugin.runner import uv_program as module
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.uv_program import uv_program
from tests.runner.test_run import RecordingMonitor

NAME = "uv-1.2.3-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
INDEX = "https://index.test/simple"


def wheel() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("uv-1.2.3.data/scripts/uv", "#!/bin/sh\necho own uv\n")
    return content.getvalue()


@pytest.fixture(autouse=True)
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setattr(module.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(module, "installer_environment", lambda **_: {"UV_DEFAULT_INDEX": INDEX})


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    folder = tmp_path / "requirements"
    folder.mkdir()
    digest = hashlib.sha256(wheel()).hexdigest()
    (folder / "uv.txt").write_text(f"uv==1.2.3 --hash=sha256:{'0' * 64} --hash=sha256:{digest}\n")
    return folder


def index(page: str, content: bytes):
    pages = {f"{INDEX}/uv/": page.encode(), "https://files.test/a/" + NAME: content}
    return lambda url, monitor: pages[url]


AS_JSON = json.dumps({"files": [
    {"filename": "uv-1.2.3-py3-none-win_amd64.whl", "url": "https://files.test/win"},
    {"filename": "uv-1.2.30-py3-none-manylinux2014_x86_64.whl", "url": "https://files.test/later"},
    {"filename": NAME, "url": "https://files.test/a/" + NAME},
]})  # fmt: skip
AS_HTML = f'<html><a href="https://files.test/a/{NAME}#sha256=00" data-requires-python="&gt;=3.8">{NAME}</a></html>'


@pytest.mark.parametrize("page", [AS_JSON, AS_HTML], ids=["json", "html"])
def test_uv_comes_from_the_index_once(tmp_path: Path, lock: Path, page: str):
    path = uv_program(tmp_path / "tools", lock, index(page, wheel()), RecordingMonitor())
    assert Path(path).read_text().endswith("echo own uv\n")
    assert Path(path).stat().st_mode & 0o100
    assert uv_program(tmp_path / "tools", lock, lambda *_: pytest.fail("fetched again"), RecordingMonitor()) == path


def test_another_file_is_refused_before_it_is_written(tmp_path: Path, lock: Path):
    with pytest.raises(EngineSetupError, match="SHA-256"):
        uv_program(tmp_path / "tools", lock, index(AS_JSON, wheel() + b"x"), RecordingMonitor())
    assert not (tmp_path / "tools").exists()


def test_uv_comes_from_a_folder(tmp_path: Path, lock: Path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    with pytest.raises(EngineSetupError, match="has no wheel of uv"):
        uv_program(tmp_path / "tools", lock, index("", b""), RecordingMonitor(), folder)
    (folder / NAME).write_bytes(wheel())
    assert Path(uv_program(tmp_path / "tools", lock, index("", b""), RecordingMonitor(), folder)).is_file()


def test_a_computer_without_a_wheel_is_told(tmp_path: Path, lock: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module.platform, "machine", lambda: "riscv64")
    with pytest.raises(EngineSetupError, match="riscv64"):
        uv_program(tmp_path / "tools", lock, index(AS_JSON, wheel()), RecordingMonitor())
