"""Atomic writing: a file is complete at its path or not there at all.

Every writer of the engine and of training writes to a temporary file or folder beside the target, which
:func:`partial_path` names, and moves it into place with :func:`replace_file`: ``fsync``, then ``os.replace``. A full
disk, a crash or a kill leaves an earlier file at the target as it was. What a killed process leaves under a temporary
name is removed by the next writer of the same target.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import partial_name, partial_owner

DISK_REMEDY = "Free some space or choose another folder; a file that existed at the output path is unchanged."
_LONGEST_NAME = 150  # bytes; file systems take 255, and temporary files have longer names

_folders: set[Path] = set()  # in which this process has written temporary files


def partial_path(path: str | Path, suffix: str | None = None) -> Path:
    """Return the temporary path under which this process writes ``path``; remove those of processes that ended.

    Args:
        path: The finished file.
        suffix: Ending of the temporary file or folder; None takes that of ``path``.

    Raises:
        OutputError: if the file name is too long.
    """
    path = Path(path)
    if len(path.name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise OutputError(
            f"The file name {path.name[:40]}… has more than {_LONGEST_NAME} bytes.", "Choose a shorter one."
        )
    sweep_partials(path)
    _folders.add(path.parent)
    return path.with_name(partial_name(path.name, suffix))


def replace_file(partial: Path, path: Path) -> None:
    """Move a temporary file to its final path.

    Raises:
        OutputError: if the file system refuses.
    """
    try:
        with partial.open("rb+") as stream:  # content first: a power cut must not leave an empty file
            os.fsync(stream.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(
            f"{path} could not be put into place: {error.strerror}.", "Close programs that hold the file open."
        ) from error
    if os.name != "nt":
        with suppress(OSError):  # the file is in place; some network file systems cannot sync folders
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path; move it to ``path`` when the block ends, remove it if the block raises.

    Example:
        >>> with atomic_path("curves.png") as partial:  # doctest: +SKIP
        ...     figure.savefig(partial)

    Raises:
        OutputError: if the file system refuses to move it.
    """
    path = Path(path)
    partial = partial_path(path)
    try:
        yield partial
        replace_file(partial, path)
    except BaseException:
        remove_quietly(partial)
        raise


@contextmanager
def temporary_folder(path: str | Path) -> Iterator[Path]:
    """Yield a folder beside ``path`` for intermediate files; it is removed when the block ends.

    Raises:
        OutputError: if the file system refuses.
    """
    folder = partial_path(path, ".work")
    try:
        folder.mkdir()
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror}.", DISK_REMEDY) from error
    try:
        yield folder
    finally:
        remove_quietly(folder)


def write_bytes(path: str | Path, content: bytes, make_folders: bool = False) -> None:
    """Write a small file atomically.

    Args:
        path: The file; replaced if it exists.
        content: What it holds.
        make_folders: Create missing folders.

    Raises:
        OutputError: if the file system refuses.
    """
    if make_folders:
        make_folder(Path(path).parent)
    try:
        with atomic_path(path) as partial:
            partial.write_bytes(content)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} could not be written: {error.strerror}.", DISK_REMEDY) from error


def write_text(path: str | Path, text: str, make_folders: bool = False) -> None:
    """Write a small UTF-8 file as :func:`write_bytes` does; what UTF-8 cannot encode is escaped.

    Such are bytes of file names that are not UTF-8.

    Raises:
        OutputError: if the file system refuses.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), make_folders)


def make_folder(folder: Path) -> None:
    """Create a folder and those above it; one that exists will do.

    Raises:
        OutputError: if the file system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another folder.") from error


def discard_partials(path: Path) -> None:
    """Remove the temporary files of this process for ``path``, with what GDAL put beside them."""
    for name, process in _partials(path.parent, path.name):
        if process == os.getpid():
            remove_quietly(name)


def sweep_partials(path: Path) -> None:
    """Remove temporary files for ``path`` of processes of this computer that ended."""
    for name, process in _partials(path.parent, path.name):
        if process != os.getpid() and not _is_alive(process):
            remove_quietly(name)


def remove_partials() -> None:
    """Remove all temporary files of this process, before it exits at once."""
    for folder in list(_folders):
        for name, process in _partials(folder):
            if process == os.getpid():
                remove_quietly(name)


def _partials(folder: Path, target: str | None = None) -> list[tuple[Path, int]]:
    """Return temporary files in a folder with the ids of their processes; see :func:`partial_owner`."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            process = partial_owner(entry.name, target)
            if process is not None:
                found.append((folder / entry.name, process))
    return found


def remove_quietly(path: Path) -> None:
    """Remove a file or a folder if the file system allows it."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _is_alive(process: int) -> bool:
    if os.name == "nt":
        return True  # os.kill would end it
    try:
        os.kill(process, 0)  # signal 0 only asks whether it exists
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
