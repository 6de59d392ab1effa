"""Errors of safetensors have one type; ours pass unchanged."""

from pathlib import Path

import pytest
from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.protocol.errors import BundleError, ModelError

PATH = Path("m.safetensors")


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), RuntimeError("x"), AttributeError("float8"), KeyError()]
)
def test_errors_of_libraries_name_the_file(error):
    with pytest.raises(BundleError, match=r"weights in m\.safetensors cannot be read"), reading_weights(PATH):
        raise error


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"\xff" * 20)
    with pytest.raises(BundleError), reading_weights(path):
        safe_open(path, framework="numpy")


def test_errors_of_the_project_and_lack_of_memory_pass():
    for error in (ModelError("own"), MemoryError(), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, reading_weights(PATH):
            raise error
        assert caught.value is error
