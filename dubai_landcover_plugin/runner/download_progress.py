"""Progress of downloads, from the lines that uv and pip print."""

from __future__ import annotations

import re

from dubai_landcover_plugin.protocol.translation import tr

_BEGUN = re.compile(r"^\s*Downloading (\S+) \(([\d.]+) ?([KMG])i?B\)", re.IGNORECASE)
_ENDED = re.compile(r"^\s*Downloaded (\S+)")
_PREPARED = re.compile(r"^\s*(Prepared|Installed|Successfully installed)\b")
_UNITS = {"K": 1e-3, "M": 1.0, "G": 1e3}
_MOST = 0.9  # of the step; then the packages are unpacked


class Downloads:
    """Large packages that are downloaded: how many MB of those that were announced are there."""

    def __init__(self) -> None:
        self._sizes: dict[str, float] = {}
        self._done: set[str] = set()
        self.share = 0.0
        """Share of the step that is done, 0 to 1; it never falls."""

    def note(self, line: str) -> bool:
        """Take in a line; return whether it changed the progress."""
        begun, ended = _BEGUN.match(line), _ENDED.match(line)
        if begun is not None:
            self._sizes[begun[1]] = float(begun[2]) * _UNITS[begun[3].upper()]
        elif ended is not None:
            self._done.add(ended[1])
        elif not _PREPARED.match(line):
            return False
        else:
            self._done.update(self._sizes)
        total = sum(self._sizes.values())
        self.share = max(self.share, _MOST * self._megabytes / total if total else 0.0)
        return True

    @property
    def text(self) -> str:
        """How far the downloads are, in words; empty before the first one."""
        if not self._sizes:
            return ""
        total, count = sum(self._sizes.values()), len(self._sizes)
        return tr(
            "{done_mb:.0f} of {total_mb:.0f} MB, {done} of {count} large packages",
            done_mb=self._megabytes,
            total_mb=total,
            done=len(self._done),
            count=count,
        )

    @property
    def _megabytes(self) -> float:
        return sum(size for name, size in self._sizes.items() if name in self._done)
