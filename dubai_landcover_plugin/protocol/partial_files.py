"""Names of unfinished files: the engine writes under them, engine and plugin clean them up.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path


def partial_name(name: str, suffix: str | None = None) -> str:
    """Return the name under which this process writes the file ``name`` until it is complete.

    Args:
        name: Name of the finished file.
        suffix: Ending of the unfinished one, by which libraries choose the format; None takes that of ``name``.

    Example:
        >>> partial_name("map.tif")  # doctest: +SKIP
        '.map.tif.HOST-1234.partial.tif'
    """
    return f".{name}.{socket.gethostname()}-{os.getpid()}.partial{Path(name).suffix if suffix is None else suffix}"


def partial_owner(name: str, target: str | None = None) -> int | None:
    """Return the id of the process that writes an unfinished file of this computer.

    Files that GDAL puts beside an unfinished file (``….partial.tif.aux.xml``) count as unfinished too.

    Args:
        name: Name of a file or folder.
        target: Name of the finished file; None accepts any.

    Returns:
        The process id; None for finished files, other targets and other computers.
    """
    finished = ".+" if target is None else re.escape(target)
    found = re.match(rf"\.{finished}\.{re.escape(socket.gethostname())}-(\d+)\.partial(\.|$)", name)
    return int(found.group(1)) if found else None
