"""Hardware of this machine, queried without loading PyTorch."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")  # limits of a Linux container
_GPU_DEVICES = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))  # NVIDIA, GPUs in WSL, AMD
_INTEL_GPU_DEVICES = (Path("/dev/dri"), Path("/dev/dxg"))  # Linux, WSL
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h
_KEPT_BYTES = 1 << 30


def processor() -> str:
    """Return the name of the CPU with its features and the number of usable cores, as a key for cached timings."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "flags"):
                name = f"{name} {value.strip()}"
            if key.strip() == "flags":
                break
    return f"{name}, {cores()} cores"


def core_numbers() -> list[int]:
    """Return the system's numbers of the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores() -> int:
    """Return the number of cores that this process may use, within the limits of its container."""
    count = len(core_numbers())
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        count = min(count, max(round(int(quota) / int(period)), 1))  # "max", no limit, raises ValueError
    return count


def free_memory() -> int:
    """Return the available memory, bytes, within the limits of the container."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        limit = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((_CGROUP / "memory.current").read_text(encoding="ascii")))
    return max(free, 0)


def used_memory() -> int:
    """Return the memory that this process occupies, bytes."""
    return int(psutil.Process().memory_info().rss)


def has_torch() -> bool:
    """Return whether PyTorch is installed, without loading it."""
    return importlib.util.find_spec("torch") is not None


def may_have_gpu() -> bool:
    """Return whether there may be a GPU; only then PyTorch is loaded to query it."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    return any(path.exists() for path in _GPU_DEVICES)


def may_have_intel_gpu() -> bool:
    """Return whether there may be an Intel GPU; only then OpenVINO loads its library for them, which takes 28 MB."""
    return sys.platform == "win32" or any(path.exists() for path in _INTEL_GPU_DEVICES)


def keep_freed_memory() -> None:
    """Configure glibc's malloc to keep large freed blocks instead of returning them to the system.

    Dask starts its workers with the opposite setting, so that the kernel zeroes new pages for the arrays of every
    window; that took a tenth of the time.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
            library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
