"""Standard streams that are closed or full."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.streams import write_text

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device /dev/full of Linux")

CLOSED = """
import os, sys
from dubai_landcover_plugin.protocol.streams import open_standard_streams
open_standard_streams()
assert os.open("first", os.O_CREAT | os.O_WRONLY) > 2
os.write(1, b"from a library"); os.write(2, b"from a library")
print("printed"); print("printed", file=sys.stderr); sys.stdin.read()
assert os.path.getsize("first") == 0
"""


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_files_do_not_take_the_place_of_closed_streams(closed, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{CLOSED}"
    command = ["sh", "-c", f'"$@" {closed}', "sh", sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_a_full_disk_silences_a_stream(name, tmp_path):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from dubai_landcover_plugin.protocol.streams import write_text\n"
        f"assert not write_text(sys.{name}, 'a')\n"
        f"assert write_text(sys.{name}, 'b')\n"
        f"print('c', file=sys.{name})"
    )
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", code], **{name: full}, check=False)
    assert done.returncode == 0


def test_text_is_written_at_once(tmp_path):
    with (tmp_path / "a").open("w") as stream:
        assert write_text(stream, "text")
        assert (tmp_path / "a").read_text() == "text"
    assert not write_text(stream, "closed")
