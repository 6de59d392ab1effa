"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from dubai_landcover_plugin.runner.checksums import file_sha256


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 7])
def test_a_file_is_read_whole(tmp_path: Path, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size])
    assert file_sha256(path) == hashlib.sha256(content[:size]).hexdigest()


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        file_sha256(tmp_path / "missing")
