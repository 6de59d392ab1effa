"""A process whose address space is too small for the libraries ends at once with a sentence."""

import subprocess
import sys

import pytest

from dubai_landcover_plugin.protocol import address_space
from dubai_landcover_plugin.protocol.address_space import check_address_space
from dubai_landcover_plugin.protocol.errors import OutOfMemoryError
from tests.factories import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v of Linux")


def test_without_a_limit_or_above_it_nothing_happens(monkeypatch):
    for limit in (None, 10**6):
        monkeypatch.setattr(address_space, "address_space", lambda limit=limit: limit)
        check_address_space()


def test_a_low_limit_is_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr(address_space, "address_space", lambda: 300)
    monkeypatch.setattr(address_space.os, "cpu_count", lambda: 2)
    with pytest.raises(OutOfMemoryError, match="limited to 300 MB; the engine needs 1152 MB") as caught:
        check_address_space()
    assert "ulimit -v" in caught.value.remedy


@pytest.mark.parametrize("megabytes", [200, 300])
@pytest.mark.parametrize(
    "program",
    ["-m dubai_landcover_plugin roads a b.gpkg", "-m dubai_landcover_plugin.core.worker", "-m training card m"],
)
def test_every_program_ends_at_once(megabytes, program):
    """OpenBLAS would wait for ever at 200 MB."""
    command = ["sh", "-c", f'ulimit -v {megabytes * 1024}; exec "$0" {program}', sys.executable]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, input="{}\n", check=False)
    assert done.returncode == 1
    assert f"limited to {megabytes} MB" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
