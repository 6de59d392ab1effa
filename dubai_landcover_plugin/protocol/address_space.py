"""Limit of the address space, as ``ulimit -v`` sets it."""

from __future__ import annotations

import os
import sys

from dubai_landcover_plugin.protocol.errors import OutOfMemoryError
from dubai_landcover_plugin.protocol.translation import tr

_NEEDED_MB = 1024
_NEEDED_MB_PER_CORE = 64  # buffers and stacks of the threads of OpenBLAS and OpenMP


def check_address_space() -> None:
    """Check that the libraries of the engine fit into the address space.

    Where they do not, importing them fails in many ways: OpenBLAS waits for ever, others abort the process.

    Raises:
        OutOfMemoryError: if the limit is lower.
    """
    limit = address_space()
    needed = _NEEDED_MB + _NEEDED_MB_PER_CORE * (os.cpu_count() or 1)
    if limit is not None and limit < needed:
        raise OutOfMemoryError(
            tr(
                "The address space of this process is limited to {limit} MB; the engine needs {needed} MB.",
                limit=limit,
                needed=needed,
            ),
            tr("Raise the limit (ulimit -v)."),
        )


def address_space() -> int | None:
    """Return the limit of the address space, MB; None without one."""
    if sys.platform == "win32":
        return None
    import resource

    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    finite = [limit >> 20 for limit in limits if limit != resource.RLIM_INFINITY]
    return min(finite, default=None)
