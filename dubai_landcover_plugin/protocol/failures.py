"""The boundary of each program: any exception becomes an error with one sentence and a remedy.

Expected problems have errors of their kind where they occur. The rest ends here: lack of memory, errors of the file
system and packages that cannot be loaded are described; for anything else the traceback is written to a log file that
the message names.
"""

from __future__ import annotations

import errno
import os
import platform
import sys
import tempfile
import traceback

from dubai_landcover_plugin.protocol.errors import (
    EngineError,
    LandCoverError,
    OutOfMemoryError,
    OutputError,
    UnexpectedError,
)
from dubai_landcover_plugin.protocol.translation import tr

_MEMORY_SIGNS = ("bad_alloc", "allocate memory", "out of memory", "failed to map segment")
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_LONGEST = 500


def explained(error: BaseException, training: bool = False) -> LandCoverError:
    """Return the error to show for an exception: itself if it is one of the project, else one that describes it.

    Args:
        error: The exception.
        training: Whether a task of training raised it.
    """
    if isinstance(error, LandCoverError):
        return error
    text = one_line(error)
    if isinstance(error, MemoryError) or any(sign in text.lower() for sign in _MEMORY_SIGNS):
        return OutOfMemoryError(
            tr("There is not enough memory: {error}.", error=text) if text else tr("There is not enough memory."),
            memory_remedy(training),
        )
    if isinstance(error, OSError) and error.errno is not None:
        remedy = (
            tr("Free some space.")
            if error.errno in _FULL
            else tr("Check that the file and its folder can be accessed.")
        )
        place = f"{error.filename}: " if error.filename else ""
        return OutputError(f"{place}{error.strerror or text}.", remedy)
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return EngineError(
            tr("This needs PyTorch, which the engine does not have."),
            tr(
                "Choose Plugins > Dubai Land Cover > Set up the engine… and add PyTorch; without QGIS, pip "
                "install torch."
            ),
        )
    if isinstance(error, ImportError):
        return EngineError(
            tr("A package of the engine cannot be loaded: {text}.", text=text),
            tr("Check the engine, and set it up again."),
        )
    log = write_log(error)
    return UnexpectedError(
        tr("Unexpected error: {error}.", error=f"{type(error).__name__}: {text}" if text else type(error).__name__),
        tr("Please report it with the log {log}.", log=log)
        if log
        else tr("Please report it; its log could not be written."),
    )


def memory_remedy(training: bool = False) -> str:
    """Return what to do for lack of memory; a task of training does not have the options of a run."""
    if training:
        return tr("Close other programs, or use fewer or smaller rasters.")
    return tr("Lower the window size or the batch size, restrict the extent, or close other programs.")


def one_line(error: BaseException) -> str:
    """Return the text of an exception in one line without a full stop, shortened."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # an exception of a library whose text cannot be made
        text = ""
    return (text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…").rstrip(".")


def write_log(error: BaseException) -> str | None:
    """Write the traceback of an exception to a new file in the folder for temporary files.

    Returns:
        The path; None if it cannot be written.
    """
    try:
        details = traceback.format_exception(type(error), error, error.__traceback__)
        handle, path = tempfile.mkstemp(prefix="landcover_", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(f"{platform.platform()}, Python {platform.python_version()}\n{sys.argv}\n\n{''.join(details)}")
        return path
    except Exception:  # a full disk, no folder for temporary files, no memory
        return None
