"""Extracts a road network in a process of its own, beside other work of the engine.

The process gets the request on standard input and answers on standard output: progress, messages and the network. It
writes no files, so it may be killed at any time, and it exits when standard input is closed, because the engine has
ended. A process that ends without a network, for lack of memory or because of an error, leaves the work to the engine.
"""

from __future__ import annotations

import gc
import json
import os
import pickle  # only between the engine and a process that it has started  # nosec B403
import queue
import subprocess  # the same interpreter  # nosec B404
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import IO, Any

from dubai_landcover_plugin.core.io.class_map import limited_cache
from dubai_landcover_plugin.core.roads.extract import Extraction, extract_network
from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.roads import RoadsRequest

_POLL_SECONDS = 0.1
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    f"from {__name__} import serve; serve()"
)  # fmt: skip
_REPORT, _LOG, _RESULT, _END = "report", "log", "result", "end"

Message = tuple[str, tuple[Any, ...]]


class NetworkProcess:
    """A process that extracts the road network of a request; a context manager, which ends the process.

    Args:
        request: Input and options.
    """

    def __init__(self, request: RoadsRequest) -> None:
        self._request = request
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def __enter__(self) -> NetworkProcess:
        """Start the process."""
        command = [sys.executable, "-c", _CODE, json.dumps(sys.path)]
        window = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows opens a console otherwise
        self._process = subprocess.Popen(  # no shell, the same interpreter  # nosec B603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, creationflags=window
        )
        with suppress(OSError):  # a process that has ended answers nothing
            self._stdin.write(pickle.dumps(self._request))
            self._stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        with suppress(OSError):
            self._stdin.close()
        self._process.stdout.close()  # type: ignore[union-attr]

    @property
    def _stdin(self) -> IO[bytes]:
        return self._process.stdin  # type: ignore[return-value]

    def _read(self) -> None:
        """Queue the messages of the process, until it ends."""
        with suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                message = pickle.load(self._process.stdout)  # type: ignore[arg-type]  # noqa: S301  # nosec B301
                self._messages.put(message)
        self._messages.put((_END, ()))

    def result(self, monitor: Monitor) -> Extraction | None:
        """Wait for the network; None if the process has ended without it.

        Args:
            monitor: Receives progress and messages, those since the start too; may cancel.

        Raises:
            RunCancelled: if the monitor cancels.
        """
        while True:
            raise_if_cancelled(monitor)
            try:
                kind, values = self._messages.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if kind == _REPORT:
                monitor.report(*values)
            elif kind == _LOG:
                monitor.log(*values)
            else:
                return values[0] if kind == _RESULT else None


class _PipeMonitor:
    """Sends progress and messages to the engine; never cancels: the process is killed.

    Args:
        stream: The pipe.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def send(self, kind: str, *values: Any) -> None:
        """Send one message."""
        pickle.dump((kind, values), self._stream, pickle.HIGHEST_PROTOCOL)
        self._stream.flush()

    def report(self, done: int, total: int, text: str = "") -> None:
        """See :class:`.Monitor`."""
        self.send(_REPORT, done, total, text)

    def log(self, level: str, text: str) -> None:
        """See :class:`.Monitor`."""
        self.send(_LOG, level, text)

    def cancelled(self) -> bool:
        """See :class:`.Monitor`."""
        return False


def serve() -> None:
    """Extract the network of the request on standard input; called in the process alone."""
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not come between the messages
    request = pickle.load(sys.stdin.buffer)  # noqa: S301  # nosec B301
    threading.Thread(target=_exit_with_engine, daemon=True).start()
    gc.disable()  # the process makes many objects, few cycles of references, and ends soon
    monitor = _PipeMonitor(stream)
    try:
        with limited_cache():
            monitor.send(_RESULT, extract_network(request, monitor))
    except Exception:  # the engine extracts the network itself, and meets the error where it can report it
        os._exit(1)
    os._exit(0)  # without waiting for the thread that reads


def _exit_with_engine() -> None:
    """Exit when standard input is closed."""
    with suppress(OSError, ValueError):
        sys.stdin.buffer.read()
    os._exit(1)
