"""Files that are written whole or not at all: under a temporary name first, then moved into place."""

from __future__ import annotations

import glob
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import OutputError

DISK_REMEDY = "Free some space or choose another folder; nothing was left at the output path."
_LONGEST_NAME = 150  # bytes; file systems take 255, and unfinished files have longer names

_partials: set[Path] = set()  # every name that this process may have written under


def partial_path(path: str | Path) -> Path:
    """Return the name under which this process writes ``path`` until it is whole."""
    path = Path(path)
    if len(path.name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise OutputError(
            f"The file name {path.name[:40]}… has more than {_LONGEST_NAME} bytes.", "Choose a shorter one."
        )
    partial = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}.partial{path.suffix}")
    _partials.add(partial)
    return partial


def remove_partials() -> None:
    """Remove whatever this process has not finished; for a process that must leave at once."""
    for partial in list(_partials):
        for name in partial.parent.glob(f"{glob.escape(partial.with_suffix('').name)}*"):
            remove_quietly(name)


def check_writable(path: str | Path, overwrite: bool, inputs: tuple[str, ...] = ()) -> None:
    """Refuse an output before any work is done; sweep up what a killed run of this machine left.

    Raises:
        OutputError: if the folder is missing or not writable, the file exists and may not be replaced, or it is one
            of the inputs.
    """
    path = Path(path)
    for source in inputs:
        if path.resolve() == Path(source).resolve() or _is_same_file(path, source):
            raise OutputError(f"The output {path} is the input itself.", "Choose another output path.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder {path.parent} does not exist.", "Make it first, or choose another.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path} is no file.", "Choose another output path.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists.", "Choose another output path, or allow overwriting.")
    if path.exists():
        try:
            os.rename(path, path)  # Windows refuses where another program holds the file
        except OSError as error:
            raise OutputError(
                f"{path} cannot be replaced: {error.strerror}.",
                "Close it in other programs, QGIS too, or choose another.",
            ) from error
    sweep_partials(path)
    probe = partial_path(path).with_suffix(".probe")
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"The folder {path.parent} is not writable: {error.strerror}.", "Choose another folder."
        ) from error


def _is_same_file(path: Path, other: str) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def sweep_partials(path: Path) -> None:
    """Remove partial files of processes of this machine that are gone."""
    prefix = f".{path.name}.{socket.gethostname()}-"
    for name in glob.glob(f"{glob.escape(str(path.with_name(prefix)))}*.partial*"):
        number = Path(name).name[len(prefix) :].split(".")[0]
        if number.isdigit() and int(number) != os.getpid() and not _is_alive(int(number)):
            remove_quietly(Path(name))


def remove_quietly(path: Path) -> None:
    """Remove a file or a folder, if the file system lets us."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_alive(process: int) -> bool:
    if os.name == "nt":
        return True  # no harmless probe there: os.kill would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def replace_file(partial: Path, path: Path) -> None:
    """Move a finished file into place: on disk first, then under its name.

    Raises:
        OutputError: if the file system refuses.
    """
    try:
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(partial, path)
        _partials.discard(partial)
        if os.name != "nt":
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
    except OSError as error:
        raise OutputError(
            f"{path} could not be put into place: {error.strerror}.", "Close programs that hold the file open."
        ) from error


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a small file, whole or not at all; if that fails, an earlier one at ``path`` survives.

    Raises:
        OutputError: if the file system refuses.
    """
    path = Path(path)
    partial = partial_path(path)
    try:
        partial.write_bytes(content)
        replace_file(partial, path)
    except OSError as error:
        remove_quietly(partial)
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"{path} could not be written: {error.strerror}.", DISK_REMEDY) from error


def write_text(path: str | Path, text: str) -> None:
    """Write a small text file, UTF-8, as :func:`write_bytes` does.

    A file name in it that is no UTF-8 comes out escaped.

    Raises:
        OutputError: if the file system refuses.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file as :func:`write_bytes` does, and the folder that it lies in where there is none.

    Raises:
        OutputError: if the file system refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {path.parent} cannot be made: {error.strerror}.", "Choose another.") from error
    write_bytes(path, content.encode() if isinstance(content, str) else content)
