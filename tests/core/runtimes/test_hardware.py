"""Cores and memory within the limits of a container."""

import os
from types import SimpleNamespace

import pytest

from dubai_landcover_plugin.core.runtimes import hardware, openvino_runtime
from dubai_landcover_plugin.core.runtimes.versions import PACKAGES, versions


@pytest.fixture
def container(tmp_path, monkeypatch):
    """Write limits of a container: 8 cores and 1000 bytes free without them."""
    monkeypatch.setattr(hardware, "_CGROUP", tmp_path)
    monkeypatch.setattr(hardware, "core_numbers", lambda: list(range(8)))
    monkeypatch.setattr(hardware.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))

    def write(**limits):
        for name, text in limits.items():
            (tmp_path / name.replace("_", ".")).write_text(text, encoding="ascii")

    return write


@pytest.mark.parametrize(
    ("quota", "count"),
    [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1), ("10000 100000", 1), ("6400000 100000", 8), ("", 8)],
)
def test_cores_are_those_of_the_quota(container, quota, count):
    container(cpu_max=quota)
    assert hardware.cores() == count


def test_without_a_container_all_cores_count(container):
    assert hardware.cores() == 8


@pytest.mark.parametrize(
    ("limit", "used", "free"), [("max", "10", 1000), ("500", "100", 400), ("5000", "100", 1000), ("500", "700", 0)]
)
def test_memory_is_what_the_container_leaves(container, limit, used, free):
    container(memory_max=limit, memory_current=used)
    assert hardware.free_memory() == free


def test_this_process_may_run_on_its_cores():
    numbers = hardware.core_numbers()
    assert numbers == sorted(set(numbers))
    assert 1 <= hardware.cores() <= len(numbers) <= (os.cpu_count() or 1)


def test_an_intel_gpu_is_looked_for_by_its_device(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware.sys, "platform", "linux")
    monkeypatch.setattr(hardware, "_INTEL_GPU_DEVICES", (tmp_path / "dri",))
    assert not hardware.may_have_intel_gpu()
    assert not openvino_runtime.has_device("intel-gpu")
    (tmp_path / "dri").touch()
    assert hardware.may_have_intel_gpu()


def test_a_gpu_is_looked_for_by_its_device(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware.sys, "platform", "linux")
    monkeypatch.setattr(hardware, "_GPU_DEVICES", (tmp_path / "nvidiactl",))
    assert not hardware.may_have_gpu()
    (tmp_path / "nvidiactl").touch()
    assert hardware.may_have_gpu()


def test_the_key_of_timings_has_the_cores(container):
    container(cpu_max="300000 100000")
    assert hardware.processor().endswith(", 3 cores")


def test_versions_name_every_package_and_missing_ones(monkeypatch):
    found = versions()
    assert set(PACKAGES) < set(found)
    assert "missing" not in found.values()
    monkeypatch.setattr("dubai_landcover_plugin.core.runtimes.versions.PACKAGES", ("no-such-package",))
    assert versions()["no-such-package"] == "missing"
