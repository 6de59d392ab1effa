"""Moves the files of a data set from a temporary folder into place, all or none.

One rename replaces one file. A data set of several files needs several, and a kill may come between any two. Earlier
files are therefore moved into the temporary folder rather than deleted, and a note there lists the moves. Whoever
finds the folder later, see :func:`recover`, puts the earlier files back or completes the moves.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

NOTE, REPLACED = ".moves", ".replaced"
"""Names in a temporary folder: the list of moves, and the folder of files that are replaced."""

_SMALL = 1 << 20  # bytes

_NO_LINKS = {
    errno.EACCES, errno.EINVAL, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EXDEV,
}  # fmt: skip


def place(folder: Path, parts: Sequence[str], stale: Sequence[Path], overwrite: bool) -> None:
    """Move files from a temporary folder into the folder above it.

    One file replaces another by one rename, also a main file that is complete without the others, such as a raster with
    its legend: the others leave before and come after. A shapefile leaves first and comes last, as every new main file
    does, so that what can be read is complete. Small files that are there with the same content stay.

    Args:
        folder: The temporary folder.
        parts: Names of the files to move; the first is the main file, without which the others are not read.
        stale: Files of an earlier data set that do not fit the new one; they are removed.
        overwrite: Whether existing files may be replaced.

    Raises:
        FileExistsError: if a file exists that may not be replaced; ``filename2`` is its path.
        OSError: if the file system refuses; :func:`recover` then undoes the moves.
    """
    above = folder.parent
    leaving = [path for path in dict.fromkeys((*(above / name for name in parts), *stale)) if os.path.lexists(path)]
    if leaving and not overwrite:
        raise _exists(leaving[0])
    main, *sides = parts
    kept = [name for name in sides if _is_same(folder / name, above / name)]
    parts = [main, *(name for name in sides if name not in kept)]
    leaving = [path for path in leaving if path not in [above / name for name in kept]]
    by_one_rename = above / main in leaving and (len(parts) == 1 or not main.lower().endswith(".shp"))
    if by_one_rename:
        leaving.remove(above / main)
    for name in parts:
        _sync(folder / name)  # content first: a power cut must not leave an empty file
    if len(parts) > 1 or leaving:
        _write_note(folder, parts)
        (folder / REPLACED).mkdir()
    for path in leaving:
        os.rename(path, folder / REPLACED / path.name)
    for name in parts if by_one_rename else [*parts[1:], main]:
        _move(folder / name, above / name, by_one_rename and name == main)
    _sync_folder(above)


def recover(folder: Path) -> None:
    """Complete the moves of :func:`place` that were interrupted if the main file is in place, else undo them.

    Args:
        folder: A temporary folder; nothing happens where no moves had begun.

    Raises:
        OSError: if the file system refuses; the folder is still needed then.
    """
    parts = _read_note(folder)
    if not parts:
        return
    if _is_moved(folder / parts[0][0], folder.parent / parts[0][0]):
        for name, *_ in parts[1:]:
            if not _is_moved(folder / name, folder.parent / name):
                _move(folder / name, folder.parent / name, False)
    else:
        _undo(folder, parts)
    os.unlink(folder / NOTE)  # before the files of the folder are removed


def _undo(folder: Path, parts: Sequence[Sequence[Any]]) -> None:
    """Move new files back into the temporary folder, then earlier ones to where they were, the main file last."""
    above, main = folder.parent, parts[0][0]
    for name, *known in parts[1:]:
        if _is_moved(folder / name, above / name) and _identity(above / name) == known:
            if os.path.lexists(folder / name):  # a rename between two names of one file does nothing
                os.unlink(above / name)
            else:
                os.rename(above / name, folder / name)
    replaced = folder / REPLACED
    names = os.listdir(replaced) if replaced.is_dir() and not replaced.is_symlink() else []
    for name in sorted(names, key=lambda name: name == main):
        with suppress(FileExistsError):  # a newer one of the user
            _move(replaced / name, above / name, False)


def _is_moved(source: Path, target: Path) -> bool:
    """Return whether a move was made; one that was stopped in the middle has left both names of the file."""
    try:
        return os.path.samestat(source.lstat(), target.lstat())
    except OSError:
        return not os.path.lexists(source)


def _write_note(folder: Path, parts: Sequence[str]) -> None:
    """Write the names of the files to move, with what identifies each."""
    note = folder / NOTE
    note.write_text(json.dumps([[name, *_identity(folder / name)] for name in parts]), encoding="utf-8")
    _sync(note)
    _sync_folder(folder)


def _read_note(folder: Path) -> list[list[Any]]:
    """Return the moves of a note; none without one, or if it is unfinished or damaged: no file was moved then."""
    try:
        parts = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        plain = all(name == os.path.basename(name) and name not in ("", ".", "..") for name, *_ in parts)
        return list(parts) if plain else []
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def _identity(path: Path) -> list[int]:
    """Return size and time of change, which a rename keeps; none for a missing file."""
    try:
        found = path.lstat()
    except OSError:
        return []
    return [found.st_size, found.st_mtime_ns]


def _is_same(one: Path, other: Path) -> bool:
    """Return whether two small files have the same content."""
    try:
        return one.stat().st_size == other.stat().st_size <= _SMALL and one.read_bytes() == other.read_bytes()
    except OSError:
        return False


def _move(source: Path, target: Path, overwrite: bool) -> None:
    """Rename a file; without ``overwrite`` an existing one is never replaced where the file system has hard links.

    Raises:
        FileExistsError: if the target exists and may not be replaced.
        OSError: if the file system refuses.
    """
    if overwrite:
        os.replace(source, target)
    elif os.name == "nt":
        os.rename(source, target)  # refuses to replace
    else:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if os.path.lexists(target):
                raise _exists(target) from error
            os.rename(source, target)
        else:
            os.unlink(source)


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path), None, str(path))


def _sync(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Write the names in a folder to disk; some network file systems cannot."""
    if os.name != "nt":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
