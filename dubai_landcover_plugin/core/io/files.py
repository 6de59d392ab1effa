"""Atomic writing: a file is complete at its path or not there at all.

Every writer of the engine and of training writes into a temporary folder beside the target, which
:func:`partial_folder` makes, and moves the files into place with :func:`place_files`: ``fsync``, then a rename. A full
disk, a crash or a kill leaves an earlier file at the target as it was. Folders that killed processes leave are removed
by the next writer in the same folder.

An output that is a symbolic link stays one: the file that it leads to is written, see :func:`link_target`.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import (
    make_partial,
    remove_partial,
    sweep_partials,
)
from dubai_landcover_plugin.protocol.placement import place
from dubai_landcover_plugin.protocol.translation import tr

DISK_REMEDY = "Free some space or choose another folder; a file that existed at the output path is unchanged."
_LONGEST_NAME = 150  # bytes; file systems take 255, and temporary files have longer names

_SWEEP_SHARE = 0.01  # of the time; a folder of 100,000 files takes a second

_observer: ContextVar[Callable[[Mapping[Path, Path]], None] | None] = ContextVar("_observer", default=None)
_swept: dict[Path, tuple[float, float]] = {}  # folders: when they were last swept, and how long it took, s


def partial_folder(path: str | Path) -> Path:
    """Make a temporary folder beside ``path``; remove those of processes that ended.

    Args:
        path: The finished file; not a link, see :func:`link_target`.

    Returns:
        The folder; :func:`.remove_partial` removes it.

    Raises:
        OutputError: if the file name is too long or the file system refuses.
    """
    path = Path(path)
    check_name(path)
    sweep(path.parent)
    try:
        return make_partial(path)
    except OSError as error:
        raise OutputError(
            tr("{path} could not be written: {error}.", path=path, error=error.strerror), tr(DISK_REMEDY)
        ) from error


def check_name(path: Path) -> None:
    """Refuse names that leave no room for those of temporary and side files.

    Raises:
        OutputError: if the file name is too long.
    """
    if len(path.name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise OutputError(
            tr("The file name {name}… has more than {limit} bytes.", name=path.name[:40], limit=_LONGEST_NAME),
            tr("Choose a shorter one."),
        )


def link_target(path: str | Path) -> Path:
    """Return the file that a symbolic link leads to, which need not exist; other paths as they are.

    Raises:
        OutputError: if links lead to each other.
    """
    path = Path(path)
    if not os.path.islink(path):  # unlike Path.is_symlink(), it accepts names that are too long
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OutputError(
            tr("{path} is a symbolic link that leads back to itself.", path=path), tr("Choose another output path.")
        )
    return target


def place_files(
    folder: Path,
    path: Path,
    sides: Sequence[str] = (),
    stale: Sequence[Path] = (),
    overwrite: bool = True,
) -> None:
    """Move a file, and files that belong to it, from a temporary folder into the folder above; all or none.

    Args:
        folder: Result of :func:`partial_folder`; it has a file with the name of ``path``.
        path: The final path.
        sides: Names of the files that belong to it.
        stale: Files of an earlier data set at ``path`` that do not fit the new one; they are removed.
        overwrite: Whether existing files may be replaced.

    Raises:
        OutputError: if a file may not be replaced or the file system refuses; earlier files are as before once the
            temporary folder is removed.
    """
    try:
        if observer := _observer.get():
            observer({folder / name: path.with_name(name) for name in (path.name, *sides)})
        place(folder, [path.name, *sides], stale, overwrite)
    except FileExistsError as error:
        raise OutputError(
            tr("{path} exists.", path=error.filename2 or path), tr("Choose another output path, or allow overwriting.")
        ) from error
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            tr("{path} could not be put into place: {error}.", path=path, error=error.strerror), _remedy(error)
        ) from error


def _remedy(error: OSError) -> str:
    """Return what helps where files cannot be synced and moved."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DISK_REMEDY
    if error.errno in (errno.EACCES, errno.EPERM, errno.EBUSY):
        return tr("Close programs that hold the file open, and check the permissions of the folder.")
    return tr("Check the disk or network drive, or choose another folder.")


@contextmanager
def observe_placing(observer: Callable[[Mapping[Path, Path]], None]) -> Iterator[None]:
    """Call ``observer`` with temporary and final paths before this thread moves files into place."""
    token = _observer.set(observer)
    try:
        yield
    finally:
        _observer.reset(token)


@contextmanager
def atomic_path(path: str | Path, overwrite: bool = True) -> Iterator[Path]:
    """Yield a temporary path; move it to ``path`` when the block ends, remove it if the block raises.

    Args:
        path: The file.
        overwrite: Whether an existing one may be replaced.

    Example:
        >>> with atomic_path("curves.png") as partial:  # doctest: +SKIP
        ...     figure.savefig(partial)

    Raises:
        OutputError: if the file may not be replaced or the file system refuses.
    """
    path = link_target(path)
    with temporary_folder(path) as folder:
        yield folder / path.name
        place_files(folder, path, overwrite=overwrite)


@contextmanager
def temporary_folder(path: str | Path) -> Iterator[Path]:
    """Yield a folder beside ``path`` for intermediate files; it is removed when the block ends.

    Raises:
        OutputError: if the file system refuses.
    """
    folder = partial_folder(path)
    try:
        yield folder
    finally:
        remove_partial(folder)


def write_bytes(path: str | Path, content: bytes, make_folders: bool = False, overwrite: bool = True) -> None:
    """Write a small file atomically.

    Args:
        path: The file.
        content: What it holds.
        make_folders: Create missing folders.
        overwrite: Whether an existing file may be replaced.

    Raises:
        OutputError: if the file may not be replaced or the file system refuses.
    """
    if make_folders:
        make_folder(Path(path).parent)
    try:
        with atomic_path(path, overwrite) as partial:
            partial.write_bytes(content)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            tr("{path} could not be written: {error}.", path=path, error=error.strerror), tr(DISK_REMEDY)
        ) from error


def write_text(path: str | Path, text: str, make_folders: bool = False, overwrite: bool = True) -> None:
    """Write a small UTF-8 file as :func:`write_bytes` does; what UTF-8 cannot encode is escaped.

    Such are bytes of file names that are not UTF-8.

    Raises:
        OutputError: if the file may not be replaced or the file system refuses.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"), make_folders, overwrite)


def make_folder(folder: Path) -> None:
    """Create a folder and those above it; one that exists will do.

    Raises:
        OutputError: if the file system refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            tr("The folder {folder} cannot be made: {error}.", folder=folder, error=error.strerror),
            tr("Choose another folder."),
        ) from error


def sweep(folder: Path) -> None:
    """Remove what killed runs left in a folder.

    Nothing happens soon after the last time: a batch that writes 100,000 files into a folder must not search it as
    often.
    """
    when, duration = _swept.get(folder, (-float("inf"), 0.0))
    started = time.monotonic()
    if started - when >= duration / _SWEEP_SHARE:
        sweep_partials(folder)
        _swept[folder] = time.monotonic(), time.monotonic() - started
