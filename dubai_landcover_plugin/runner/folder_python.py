"""The Python of a folder from which the engine is set up without a network."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
from pathlib import Path, PurePosixPath

from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.checksums import file_sha256
from dubai_landcover_plugin.runner.errors import EngineSetupError

SUMS = "SHA256SUMS"
"""Manifest of a folder: lines of a SHA-256 and a file name."""
_ARCHIVES = "cpython-*.tar.gz"  # builds of CPython that run from any folder
_WHEELS = re.compile(r"numpy-.*-cp(\d)(\d+)-")
_PROGRAM = "python.exe" if sys.platform == "win32" else "bin/python3"


def wheels_version(wheels: Path) -> tuple[int, ...] | None:
    """Return the version of Python that the wheels of a folder are for; None if it has none of NumPy."""
    found = [match for path in sorted(wheels.glob("numpy-*.whl")) if (match := _WHEELS.match(path.name))]
    return (int(found[0][1]), int(found[0][2])) if found else None


def folder_python(wheels: Path, target: Path, monitor: Monitor) -> str:
    """Unpack the Python of a folder and return its interpreter; empty if the folder has none.

    Args:
        wheels: The folder.
        target: Folder for Pythons; one that is unpacked already is taken.
        monitor: Receives messages; may cancel.

    Raises:
        EngineSetupError: if the archive is not the one of the folder's manifest, or cannot be unpacked.
        RunCancelled: if the monitor cancels.
    """
    archive = next(iter(sorted(wheels.glob(_ARCHIVES))), None)
    if archive is None:
        return ""
    folder = target / archive.name[: -len(".tar.gz")]
    program = folder / _PROGRAM
    if not program.is_file():
        _check(archive)
        monitor.log("info", tr("Unpacking {name}", name=archive.name))
        raise_if_cancelled(monitor)
        _unpack(archive, folder)
    if not program.is_file():
        raise EngineSetupError(
            tr("{archive} has no python/{program}.", archive=archive, program=_PROGRAM),
            tr("Take an archive of python-build-standalone, 'install_only'."),
        )
    return str(program)


def _check(archive: Path) -> None:
    """Compare an archive with the manifest beside it."""
    try:
        lines = (archive.parent / SUMS).read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    listed = {PurePosixPath(name.lstrip("*")).name: digest for digest, name in (line.split() for line in lines if line)}
    if listed.get(archive.name) != file_sha256(archive):
        raise EngineSetupError(
            tr("{name} is not the one that {sums} lists.", name=archive.name, sums=SUMS),
            tr("Copy the folder again, or make it anew."),
        )


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the folder ``python`` of an archive as another folder, at once."""
    new = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    try:
        with tarfile.open(archive) as content:
            content.extraction_filter = getattr(tarfile, "data_filter", None)  # Pythons since the summer of 2023
            inside = [member for member in content if _is_inside(member)]
            content.extractall(new, members=inside)  # noqa: S202  # nosec B202
        (new / "python").rename(folder)
    except (OSError, tarfile.TarError) as error:
        raise EngineSetupError(
            tr("{name} cannot be unpacked into {folder}: {error}.", name=archive.name, folder=folder, error=error),
            tr("Check the free space, then try again."),
        ) from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _is_inside(member: tarfile.TarInfo) -> bool:
    """Return whether a member is a file, folder or link that neither lies nor leads outside of its archive."""
    paths = [PurePosixPath(member.name)]
    if member.issym():
        paths.append(PurePosixPath(os.path.normpath(paths[0].parent / member.linkname)))
    is_plain = member.isfile() or member.isdir() or member.issym()
    return is_plain and not any(path.is_absolute() or ".." in path.parts for path in paths)
