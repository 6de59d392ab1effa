"""A worker that misbehaves on demand: ``fake_worker.py BEHAVIOUR``. Standard library only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dubai_landcover_plugin.protocol.partial_files import make_partial


def say(**message: object) -> None:
    """Write one protocol message."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def hello(protocol: int = 2) -> None:
    """Greet like a real worker."""
    say(type="hello", protocol=protocol, versions={"torch": "0"}, device="cpu")


def partial(output: str) -> Path:
    """Leave an unfinished file for ``output`` as the engine does."""
    folder = make_partial(Path(output))
    (folder / "a.tif").write_text("half")
    return folder


def good(request: dict) -> None:
    """Do everything right, and tell the variables that were seen."""
    hello()
    say(type="log", level="warning", text="dark image")
    for done in range(3):
        say(type="progress", done=done, total=2, text=f"{done} Mpx/s")
    say(type="result", value={"request": request, "environment": dict(os.environ), "path": sys.path})


def killed(request: dict) -> None:
    """Die as if memory had run out, half-way through a file."""
    hello()
    partial(request["output"])
    os.kill(os.getpid(), signal.SIGKILL)


def crashed(request: dict) -> None:
    """Leave with a traceback."""
    hello()
    for number in range(100):
        print(f"line {number}", file=sys.stderr)
    print("ValueError: no such thing", file=sys.stderr)
    sys.exit(3)


def missing_library(request: dict) -> None:
    """Fail to import."""
    import there_is_no_such_library  # noqa: F401


def silent(request: dict) -> None:
    """Exit without a result."""
    hello()


def some_garbage(request: dict) -> None:
    """Print a few lines that are not messages."""
    print("Welcome to Python")
    print('{"no": "type"}')
    good(request)


def much_garbage(request: dict) -> None:
    """Print nothing but garbage."""
    while True:
        print("\x00\xff noise")


def old_protocol(request: dict) -> None:
    """Speak another language."""
    hello(protocol=7)
    time.sleep(60)


def refusing(request: dict) -> None:
    """Refuse like the engine does."""
    hello()
    say(type="error", code="bands", message="Two bands.", remedy="Use three.")
    sys.exit(1)


def polite(request: dict) -> None:
    """Obey a cancellation."""
    hello()
    say(type="progress", done=1, total=10)
    if json.loads(sys.stdin.readline()).get("cancel"):
        say(type="error", code="cancelled", message="The run was cancelled; nothing was written.", remedy="")
    sys.exit(1)


def stubborn(request: dict) -> None:
    """Ignore cancellations, with a child and an unfinished file."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    partial(request["output"])
    hello()
    say(type="log", level="info", text=f"child {child.pid}")
    say(type="progress", done=1, total=10)
    while True:
        time.sleep(1)


def deaf(request: dict) -> None:
    """Close the line and go on."""
    hello()
    os.close(1)
    time.sleep(60)


def talkative(request: dict) -> None:
    """Fill the error output with more than a pipe holds."""
    sys.stderr.write("x" * 5_000_000)
    good(request)


def no_object(request: dict) -> None:
    """Answer with something that is not an object."""
    hello()
    say(type="result", value=[1, 2])


def waiting(request: dict) -> None:
    """Live as long as somebody listens."""
    hello()
    say(type="log", level="info", text=f"pid {os.getpid()}")
    sys.stdin.readline()


if __name__ == "__main__":
    globals()[sys.argv[1]](json.loads(sys.stdin.readline())["request"])
