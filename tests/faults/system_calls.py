"""Runs a function in a forked process whose system calls that change files are watched, and makes one of them fail.

The child installs a seccomp filter that reports these calls to the parent (Linux 5.5 or newer, no privileges needed).
The kernel holds each call until the parent answers: let it run, return an error instead, or kill the process. Calls of
every library are seen, whatever way they are made. Only calls under one folder count.

Source: seccomp_unotify(2); Linux, include/uapi/linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

HANG = 90.0  # s, on a machine that is shared

# System call: number on x86-64, on arm64, argument with the file, its kind, argument with the number of bytes.
_FD, _PATH, _AT = "descriptor", "path", "path after descriptor"
_CALLS = {
    "write": (1, 64, 0, _FD, 2),
    "pwrite64": (18, 68, 0, _FD, 2),
    "writev": (20, 66, 0, _FD, None),
    "pwritev": (296, 70, 0, _FD, None),
    "sendfile": (40, 71, 0, _FD, 3),
    "copy_file_range": (326, 285, 2, _FD, 4),
    "fallocate": (285, 47, 0, _FD, None),
    "ftruncate": (77, 46, 0, _FD, None),
    "fsync": (74, 82, 0, _FD, None),
    "fdatasync": (75, 83, 0, _FD, None),
    "openat": (257, 56, 0, _AT, None),
    "mkdirat": (258, 34, 0, _AT, None),
    "unlinkat": (263, 35, 0, _AT, None),
    "symlinkat": (266, 36, 1, _AT, None),
    "linkat": (265, 37, 2, _AT, None),
    "renameat": (264, 38, 0, _AT, None),
    "renameat2": (316, 276, 0, _AT, None),
    "mkdir": (83, None, 0, _PATH, None),
    "rmdir": (84, None, 0, _PATH, None),
    "unlink": (87, None, 0, _PATH, None),
    "symlink": (88, None, 1, _PATH, None),
    "link": (86, None, 1, _PATH, None),
    "rename": (82, None, 0, _PATH, None),
}
_MACHINES = {"x86_64": (0, 0xC000003E, 317), "aarch64": (1, 0xC00000B7, 277)}  # column, AUDIT_ARCH, seccomp(2)
_WRITES = {"write", "pwrite64", "writev", "pwritev", "sendfile", "copy_file_range"}
_NEEDS_SPACE = {*_WRITES, "fallocate", "mkdir", "mkdirat"}
_WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT

_RECEIVE, _SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
_NOTICE = struct.Struct("QIIiIQ6Q")  # id, process, flags, number of the call, architecture, address, arguments
_ANSWER = struct.Struct("QqiI")  # id, value, error, flags
_CONTINUE = 1
_NO_NEW_PRIVILEGES = 38


@dataclass(frozen=True)
class Fault:
    """What happens to the system calls of a run.

    Args:
        kind: ``none``; ``kill`` instead of the call number ``at``; ``error`` at that call only, ``broken`` from that
            call on; ``full``: no space after ``at`` bytes were written; ``meanwhile``: before the call number ``at``,
            ``action`` is done by somebody else.
        at: Number of a call, from 0, or bytes.
        error: The error of ``error`` and ``broken``.
        action: What happens ``meanwhile``.
    """

    kind: str = "none"
    at: int = 0
    error: int = errno.EIO
    action: Callable[[], object] | None = None

    def __str__(self) -> str:
        what = f" {errno.errorcode[self.error]}" if self.kind in ("error", "broken") else ""
        return f"{self.kind}{what} at {self.at}"


@dataclass
class Run:
    """How a run ended.

    Args:
        calls: Names of the system calls under the folder, in order.
        written: Bytes written under the folder.
        hit: Whether the fault happened.
        code: Exit status; negative: the signal that killed it.
        hung: Whether it was still running after :data:`HANG` s.
        output: Standard output and error.
    """

    calls: list[str] = field(default_factory=list)
    written: int = 0
    hit: str = ""
    code: int = 0
    hung: bool = False
    output: str = ""


def run(function: Callable[[], int], folder: Path, fault: Fault, log: Path) -> Run:
    """Run a function in a fork of this process.

    Args:
        function: Returns the exit status.
        folder: Calls that change files in it count; working folder of the process.
        fault: What to inject.
        log: Receives standard output and error; not in the folder.
    """
    ours, theirs = socket.socketpair()
    process = os.fork()
    if process == 0:
        _child(function, folder, log, theirs)
    theirs.close()
    done = Run()
    started = time.monotonic()
    with ours:
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    try:
        for listener in descriptors:
            done.hung = not _supervise(listener, process, folder, fault, done, started + HANG)
    finally:
        if done.hung:
            os.kill(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
        for listener in descriptors:
            os.close(listener)
    done.code = os.waitstatus_to_exitcode(status)
    done.output = log.read_text(encoding="utf-8", errors="replace")
    return done


def unsupported() -> str:
    """Return why system calls cannot be watched here; empty if they can."""
    if sys.platform != "linux" or platform.machine() not in _MACHINES:
        return "needs Linux on x86-64 or arm64"
    process = os.fork()
    if process == 0:
        with suppress(BaseException):
            os.close(_install_filter())
            os._exit(0)
        os._exit(1)
    refused = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return "the system refuses seccomp filters with a listener" if refused else ""


def _child(function: Callable[[], int], folder: Path, log: Path, parent: socket.socket) -> None:
    """Run the function with the filter; never returns."""
    code = 1
    try:
        os.chdir(folder)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        listener = _install_filter()
        socket.send_fds(parent, [b"x"], [listener])
        os.close(listener)
        parent.close()
        code = function()
    except BaseException:  # as the interpreter does with what nobody catches
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        with suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _install_filter() -> int:
    """Report the calls of :data:`_CALLS` that this process makes from now on; return the listener.

    Raises:
        OSError: if the system refuses.
    """
    column, architecture, seccomp = _MACHINES[platform.machine()]
    numbers = [numbers[column] for name, numbers in _CALLS.items() if numbers[column] is not None and name != "openat"]
    load, equal, any_bit, result = 0x20, 0x15, 0x45, 0x06  # instructions of BPF
    allow, notify = 0x7FFF0000, 0x7FC00000
    code = [
        (load, 0, 0, 4),  # architecture
        (equal, 1, 0, architecture),
        (result, 0, 0, allow),
        (load, 0, 0, 0),  # number of the call
        (equal, 0, 3, _CALLS["openat"][column]),
        (load, 0, 0, 32),  # flags of openat: files that are only read do not count
        (any_bit, len(numbers) + 2, 0, _WRITING_FLAGS),
        (result, 0, 0, allow),
        *((equal, len(numbers) - index, 0, number) for index, number in enumerate(numbers)),
        (result, 0, 0, allow),
        (result, 0, 0, notify),
    ]
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")
    set_filter, new_listener = 1, 8
    listener = int(libc.syscall(seccomp, set_filter, new_listener, ctypes.create_string_buffer(header, len(header))))
    if listener < 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return listener


def _supervise(listener: int, process: int, folder: Path, fault: Fault, done: Run, deadline: float) -> bool:
    """Answer the calls of a process until it ends; return whether it did so in time."""
    column = _MACHINES[platform.machine()][0]
    names = {numbers[column]: name for name, numbers in _CALLS.items()}
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    prefix = f"{folder.resolve()}/"
    while True:
        events = waiting.poll(max(deadline - time.monotonic(), 0) * 1000)
        if not events:
            return False
        if events[0][1] & select.POLLHUP:
            return True
        notice = bytearray(_NOTICE.size)
        with suppress(OSError):  # the thread ended meanwhile
            fcntl.ioctl(listener, _RECEIVE, notice)
            identity, thread, _, number, _, _, *arguments = _NOTICE.unpack(notice)
            error = _decide(names[number], arguments, thread, prefix, fault, done)
            if error is None:
                os.kill(process, signal.SIGKILL)
                continue
            # Nothing here cuts the power: that a file is on the disk is claimed at once.
            done_here = error or names[number] in ("fsync", "fdatasync")
            fcntl.ioctl(listener, _SEND, bytearray(_ANSWER.pack(identity, 0, -error, 0 if done_here else _CONTINUE)))


def _decide(name: str, arguments: list[int], thread: int, prefix: str, fault: Fault, done: Run) -> int | None:
    """Return the error of a call, 0 to let it run, None to kill the process."""
    path = _file_of(name, arguments, thread)
    if path.startswith("/") and not path.startswith(prefix):
        return 0
    index, size = len(done.calls), _size_of(name, arguments, thread)
    done.calls.append(name)
    reached = index == fault.at or (fault.kind == "broken" and index >= fault.at)
    if fault.kind == "full":
        reached = name in _NEEDS_SPACE and (done.written + size > fault.at or bool(done.hit))
    if fault.kind == "none" or not reached:
        done.written += size
        return 0
    done.hit = done.hit or f"{name} {path.removeprefix(prefix)}"
    if fault.kind == "kill":
        return None
    if fault.action is not None:
        fault.action()
        return 0
    return errno.ENOSPC if fault.kind == "full" else fault.error


def _file_of(name: str, arguments: list[int], thread: int) -> str:
    """Return the file of a call: absolute, or relative to the working folder."""
    _, _, index, kind, _ = _CALLS[name]
    descriptor = ctypes.c_int(arguments[index]).value
    if kind == _FD:
        found = os.readlink(f"/proc/{thread}/fd/{descriptor}")
        return found if found.startswith("/") else f"/{found}"  # pipe:[1], anon_inode:[eventfd]: in no folder
    with open(f"/proc/{thread}/mem", "rb", 0) as memory:
        memory.seek(arguments[index + (kind == _AT)])
        path = os.fsdecode(_text(memory.read, 4096))
    if kind == _AT and descriptor >= 0 and not path.startswith("/"):
        return f"{os.readlink(f'/proc/{thread}/fd/{descriptor}')}/{path}"
    return path


def _text(read: Callable[[int], bytes], size: int) -> bytes:
    """Read a text that ends with a zero byte; it may stand at the end of the memory."""
    text = b""
    while b"\0" not in text and len(text) < size:
        text += read(64)
    return text.partition(b"\0")[0]


def _size_of(name: str, arguments: list[int], thread: int) -> int:
    """Return how many bytes a call writes."""
    index = _CALLS[name][4]
    if index is not None:
        return arguments[index]
    if name not in _WRITES:
        return 0
    with open(f"/proc/{thread}/mem", "rb", 0) as memory:  # writev: pairs of address and length
        memory.seek(arguments[1])
        return sum(struct.unpack(f"{2 * arguments[2]}Q", memory.read(16 * arguments[2]))[1::2])
