"""What this machine has, found out without loading anything heavy."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from contextlib import suppress
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")  # where Linux tells the limits of a container
_NVIDIA = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))  # NVIDIA, Windows' GPUs in WSL, AMD
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of mallopt, in malloc.h
_KEPT_BYTES = 1 << 30


def processor() -> str:
    """Return the name of the CPU and how many cores this process may use: what speeds depend on."""
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
    """Return the cores that this process may run on, as the system numbers them."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores() -> int:
    """Return how many cores this process may keep busy."""
    count = len(core_numbers())
    with suppress(OSError, ValueError):
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="ascii").split()
        count = min(count, max(round(int(quota) / int(period)), 1))  # "max" is no number: no limit
    return count


def free_memory() -> int:
    """Return the memory that a run may still take, bytes."""
    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):
        most = int((_CGROUP / "memory.max").read_text(encoding="ascii"))
        free = min(free, most - int((_CGROUP / "memory.current").read_text(encoding="ascii")))
    return max(free, 0)


def may_have_gpu() -> bool:
    """Return whether it is worth loading PyTorch to ask for a GPU."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    return any(path.exists() for path in _NVIDIA)


def keep_freed_memory() -> None:
    """Tell the C library of Linux to keep large blocks that were freed, instead of giving them back to the system.

    Dask starts its workers with the contrary; there the system clears the pages of every window's arrays anew, which
    took a tenth of the time.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # another C library
            library = ctypes.CDLL(None)
            library.mallopt(_M_MMAP_THRESHOLD, _KEPT_BYTES)
            library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
