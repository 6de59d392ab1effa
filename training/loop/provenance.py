"""Hardware and commit of a run, for model cards."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess  # nosec B404
from pathlib import Path

import torch

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 10


def describe_machine() -> str:
    """Return processor, number of cores, GPUs if there are any, and the version of PyTorch as text."""
    parts = [f"{_processor()}, {os.cpu_count()} cores"]
    if torch.cuda.is_available():
        parts.append(f"{torch.cuda.device_count()} × {torch.cuda.get_device_name(0)}")
    return ", ".join([*parts, f"torch {torch.__version__}"])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def current_commit(root: Path = _ROOT) -> str:
    """Return the abbreviated commit of the code, followed by ``+`` if files differ from it; empty if unknown."""
    inside = _git(root, "rev-parse", "--show-toplevel")
    if not inside or Path(inside).resolve() != root.resolve():
        return ""  # an installed package, possibly inside an unrelated repository
    head = _git(root, "rev-parse", "--short=12", "HEAD")
    return head + ("+" if head and _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str:
    program = shutil.which("git")
    if program is None:
        return ""
    try:
        done = subprocess.run(  # nosec B603
            [program, "-C", str(root), *arguments], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
