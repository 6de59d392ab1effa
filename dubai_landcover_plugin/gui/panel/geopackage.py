"""New GeoPackages, complete at their path or not there at all; and why one cannot be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial
from dubai_landcover_plugin.protocol.placement import place
from dubai_landcover_plugin.protocol.translation import tr

_LONGEST = 300  # characters of a message


@contextmanager
def new_geopackage(path: Path) -> Iterator[Path]:
    """Yield a path for a new GeoPackage; once it is written there, it is checked and moved to ``path``.

    Raises:
        OutputError: if ``path`` exists, or the file cannot be written completely; nothing is left then.
    """
    try:
        folder = make_partial(path)
    except OSError as error:
        raise _not_written(path, error.strerror or str(error)) from error
    try:
        made = folder / path.name
        yield made
        _check(made, path)
        place(folder, [path.name], [], overwrite=False)
    except OutputError:
        raise
    except OSError as error:
        raise _not_written(path, error.strerror or str(error)) from error
    finally:
        remove_partial(folder)


def cause_of(*texts: str) -> str:
    """Return why a GeoPackage could not be written, in a few words.

    Args:
        texts: Messages of QGIS and GDAL. GDAL quotes the statement that failed, which may have thousands of characters.
    """
    found = " ".join(texts)
    if "disk is full" in found:
        return str(tr("the disk is full"))
    if "disk I/O error" in found:
        return str(tr("the disk reports an error"))
    short = next((text for text in texts if text), "").strip()
    return short if len(short) <= _LONGEST else f"{short[: _LONGEST // 2]} … {short[-_LONGEST // 2 :]}"


def _check(made: Path, path: Path) -> None:
    """Refuse a file that is not complete: GDAL does not report a full disk when it closes a file.

    Raises:
        OutputError: naming the problem.
    """
    try:
        with closing(sqlite3.connect(f"{made.resolve().as_uri()}?mode=ro", uri=True)) as package:
            problems = [str(row[0]) for row in package.execute("PRAGMA quick_check")]
    except sqlite3.Error as error:
        problems = [str(error)]
    if problems != ["ok"]:
        raise _not_written(path, problems[0])


def _not_written(path: Path, problem: str) -> OutputError:
    return OutputError(
        tr("{path} cannot be written: {problem}.", path=path, problem=cause_of(problem).rstrip(".")),
        tr("Free some space, check the permissions of the folder, or choose another file."),
    )
