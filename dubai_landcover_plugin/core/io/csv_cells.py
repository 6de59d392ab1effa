"""CSV tables whose cells no spreadsheet program evaluates as formulas.

Names of classes, zones and files come from other people's files. A text that begins with one of ``= + - @``, a tab or a
line break can be a formula, so that opening the table could run a command or send data. Such texts get an apostrophe in
front; numbers are unchanged. Source: OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from typing import IO, Any

_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]")  # the last four: full-width = + - @
_ESCAPED = re.compile(r"'+[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class CsvWriter:
    """Writes rows of a CSV table; see :func:`escape_cell`.

    Args:
        stream: Text stream; files are opened with ``newline=""``.
        newline: End of each row.
    """

    def __init__(self, stream: IO[str], newline: str = "\n") -> None:
        self._writer = csv.writer(stream, lineterminator=newline)

    def writerow(self, cells: Iterable[Any]) -> None:
        """Write one row."""
        self._writer.writerow([escape_cell(cell) for cell in cells])


def escape_cell(cell: Any) -> Any:
    """Return a cell that is not a formula: a text that could be one gets an apostrophe in front.

    An apostrophe is added also to texts that begin with apostrophes and then like a formula, so that
    :func:`unescape_cell` restores every text. Numbers, also as text, and other values are returned unchanged.

    Example:
        >>> [escape_cell(cell) for cell in ("=1+1", "-1.5", -1.5, "Road", None)]
        ["'=1+1", '-1.5', -1.5, 'Road', None]
    """
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def unescape_cell(text: str) -> str:
    """Return the text of a cell that :func:`escape_cell` returned."""
    return text[1:] if _ESCAPED.match(text) and not _NUMBER.fullmatch(text[1:]) else text
