"""Files that are no models. Models are read in the tests of the bundle."""

import os
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from tests.factories import ROOT


@pytest.mark.parametrize("suffix", [".safetensors", ".onnx"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "loop", "gone", "pipe by a link"])
def test_only_regular_files_are_opened(tmp_path, kind, suffix):
    path = tmp_path / f"m{suffix}"
    if kind.startswith("pipe"):
        pipe = tmp_path / "pipe" if "link" in kind else path
        os.mkfifo(pipe)
    if kind == "folder":
        path.mkdir()
    if kind in ("device", "loop", "pipe by a link"):
        path.symlink_to({"device": Path("/dev/zero"), "loop": path}.get(kind, tmp_path / "pipe"))
    with pytest.raises(BundleError, match=r"not a regular file|cannot be read"):
        read_metadata(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    header = b'{"__metadata__": {}}'
    for content, text in (
        (b"", "not a safetensors file"),
        (b"\xff" * 100, "not a safetensors file"),
        (len(header).to_bytes(8, "little") + header, "no land-cover metadata"),
        (len(header).to_bytes(8, "little") + header[:-1] + b"]", "header .* is damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(BundleError, match=text):
            read_metadata(path)


def test_a_shipped_model_is_read_without_its_weights(tmp_path):
    whole = (ROOT / "resources/models/dubai.safetensors").read_bytes()
    length = 8 + int.from_bytes(whole[:8], "little")
    path = tmp_path / "dubai.safetensors"
    path.write_bytes(whole[:length])
    assert read_metadata(path) == read_metadata(ROOT / "resources/models/dubai.safetensors")
