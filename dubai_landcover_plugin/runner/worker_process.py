"""A child process that exchanges JSON lines: start, messages and end of an engine process."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess  # the engine is another interpreter  # nosec B404
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.errors import EngineMissingError

MAX_LINE_BYTES = 64 * 2**20
_TAIL_BYTES = 4096
_TAIL_LINES = 20

BOOTSTRAP = (
    "import sys; folder = sys.argv[1]; sys.path.insert(0, folder); import dubai_landcover_plugin; "
    "sys.path.remove(folder); from dubai_landcover_plugin.core import worker; sys.exit(worker.main())"
)
"""Imports only this package from the plugin folder: other plugins in it must not shadow packages such as numpy."""

END = None
"""Marks the end of the worker's output; see :meth:`WorkerProcess.read`."""


def worker_command(python: str) -> list[str]:
    """Return the command that starts a worker from this installation."""
    package = Path(__file__).resolve().parents[1]
    return [python, "-I", "-X", "utf8", "-c", BOOTSTRAP, str(package.parent)]


class WorkerProcess:
    """A running engine process; a context manager that kills the process and its children on exit.

    Args:
        command: Program and arguments.
        environment: Environment variables of the process.
        merge_errors: Read error output as lines too, instead of writing it to the log file.

    Raises:
        EngineMissingError: if the program cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], merge_errors: bool = False) -> None:
        handle, name = tempfile.mkstemp(prefix="landcover_engine_", suffix=".log")
        self.log_path = Path(name)
        try:
            with os.fdopen(handle, "wb") as log:
                self._process = subprocess.Popen(  # no shell, the user's own interpreter  # nosec B603
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT if merge_errors else log,
                    env=dict(environment),
                    cwd=tempfile.gettempdir(),
                    **_own_group(),
                )
        except OSError as error:
            self.log_path.unlink(missing_ok=True)
            raise EngineMissingError(
                tr(
                    "The engine's Python '{command}' cannot be started: {error}.",
                    command=command[0],
                    error=error.strerror or error,
                ),
                tr("Choose Plugins > Dubai Land Cover > Set up the engine… again."),
            ) from error
        self.pid = self._process.pid
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._reader = threading.Thread(target=self._pump, name="landcover-engine-reader", daemon=True)
        self._reader.start()

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._reader.join(timeout=1.0)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()
        self.log_path.unlink(missing_ok=True)

    def _pump(self) -> None:
        """Move lines from the pipe to a queue, which can be read with a timeout."""
        stream = self._process.stdout
        try:
            while stream is not None:
                line = stream.readline(MAX_LINE_BYTES)
                if not line:
                    break
                self._lines.put(line)
        except (OSError, ValueError):  # the pipe was closed
            pass
        finally:
            self._lines.put(END)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message. An exited worker is detected by :meth:`read`, not here."""
        stream = self._process.stdin
        if stream is None or stream.closed:
            return
        try:
            stream.write(json.dumps(message).encode("ascii") + b"\n")
            stream.flush()
        except OSError:
            self.close_input()

    def close_input(self) -> None:
        """Close stdin, which makes the worker exit."""
        stream = self._process.stdin
        if stream is not None and not stream.closed:
            try:
                stream.close()
            except OSError:
                return  # the process has exited

    def read(self, timeout: float) -> bytes | None:
        """Return the next line, or ``END`` at the end of the output.

        Raises:
            queue.Empty: if there is no line within ``timeout`` seconds.
        """
        try:
            return self._lines.get(timeout=timeout)
        except queue.Empty:
            if self._process.poll() is None:
                raise
        # The process has exited: read what is left, but do not wait for a grandchild that keeps the pipe open.
        try:
            return self._lines.get(timeout=0.5)
        except queue.Empty:
            return END

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, or None if the worker is still running after ``seconds``."""
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Kill the worker and its children."""
        self.close_input()
        if sys.platform == "win32":
            _kill_tree_windows(self._process)
        else:
            try:
                os.killpg(self.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):  # macOS raises PermissionError for a group of zombies
                self._process.kill()
        self.wait(5.0)

    def log_tail(self) -> str:
        """Return the last lines of the worker's error output."""
        try:
            with self.log_path.open("rb") as stream:
                stream.seek(max(0, self.log_path.stat().st_size - _TAIL_BYTES))
                text = stream.read().decode("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-_TAIL_LINES:]).strip()


def _own_group() -> dict[str, Any]:
    """Return the Popen arguments that make the process the leader of its own process group."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _kill_tree_windows(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children; python.exe of a virtual environment starts the base interpreter as a child."""
    if process.poll() is not None:
        return
    taskkill = os.path.join(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "taskkill.exe")
    try:
        subprocess.run(  # a program of the system, a number as argument  # nosec B603
            [taskkill, "/F", "/T", "/PID", str(process.pid)],
            check=False,
            capture_output=True,
            timeout=5,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except (OSError, subprocess.TimeoutExpired):
        process.kill()
