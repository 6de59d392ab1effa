"""Names of images and groups in messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from dubai_landcover_plugin.protocol.translation import tr

from ..errors import ConfigError


def check_names(names: Iterable[str], known: set[str], where: str) -> None:
    """Check that names exist.

    Raises:
        ConfigError: with similar names, if one is unknown.
    """
    for name in names:
        if name not in known:
            close = difflib.get_close_matches(name, known, 3, 0.4) or sorted(known)[:5]
            raise ConfigError(f"{where} contains '{name}', which does not exist.", f"Did you mean {', '.join(close)}?")


def listing(names: Sequence[str], most: int = 12) -> str:
    """Return up to ``most`` names as text, and the number of the others."""
    shown = ", ".join(names[:most])
    if len(names) <= most:
        return shown
    return tr("{names} and {count} more", names=shown, count=len(names) - most)
