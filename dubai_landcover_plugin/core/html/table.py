"""Tables of a page, as data. The macro ``table`` in ``macros.html.j2`` renders them and escapes all text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Named:
    """Text after a square in a colour, as in a legend; ``colour`` may be empty."""

    kind: ClassVar[str] = "named"
    text: str
    colour: str


@dataclass(frozen=True)
class Bar:
    """A horizontal bar.

    Args:
        colour: CSS colour.
        share: Length as a share of the cell's width, 0..1.
        opacity: 0..1.
    """

    kind: ClassVar[str] = "bar"
    colour: str
    share: float
    opacity: float = 1.0


@dataclass(frozen=True)
class Part:
    """A part of a :class:`Stack`: colour, share of the full width (0..1) and tooltip."""

    colour: str
    share: float
    title: str


@dataclass(frozen=True)
class Stack:
    """A stacked bar over the full width of its cell."""

    kind: ClassVar[str] = "stack"
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class IntervalBar:
    """A bar with a whisker for a confidence interval and a tick for a value to compare with.

    All positions are shares of the longest bar, 0..1.

    Args:
        colour: CSS colour.
        share: End of the bar.
        interval: Ends of the whisker; None without.
        tick: Position of the tick; None without.
    """

    kind: ClassVar[str] = "interval"
    colour: str
    share: float
    interval: tuple[float, float] | None = None
    tick: float | None = None


@dataclass(frozen=True)
class Shaded:
    """Text on a background.

    Args:
        text: The text.
        background: CSS colour.
        ink: CSS colour of the text; empty for that of the page.
        title: Tooltip; none if empty.
        strong: Whether the text is semibold.
    """

    kind: ClassVar[str] = "shaded"
    text: str
    background: str
    ink: str = ""
    title: str = ""
    strong: bool = False


Cell = str | Named | Bar | Stack | IntervalBar | Shaded


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Args:
        head: Heading; line breaks are kept.
        number: Whether cells are aligned to the right, with digits of one width.
        width: CSS width; free if empty.
        classes: Further CSS classes of its cells.
        colour: Colour of a square above the heading; none if empty.
        title: Tooltip of the heading; none if empty.
    """

    head: str
    number: bool = False
    width: str = ""
    classes: str = ""
    colour: str = ""
    title: str = ""

    @property
    def css_classes(self) -> str:
        """All CSS classes of the cells."""
        return " ".join(filter(None, ("number" if self.number else "", self.classes)))


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        columns: At least one.
        rows: One cell for each column.
        totals: Last row, set off from the others; none if empty.
        caption: Text above the table; none if empty.
        classes: CSS classes.
        row_heads: Whether the first cell of a row is its heading.
    """

    columns: tuple[Column, ...]
    rows: tuple[Sequence[Cell], ...]
    totals: Sequence[Cell] = ()
    caption: str = ""
    classes: str = ""
    row_heads: bool = False

    def __post_init__(self) -> None:
        for row in (*self.rows, *((self.totals,) if self.totals else ())):
            if len(row) != len(self.columns):
                raise ValueError(f"A row has {len(row)} cells, the table {len(self.columns)} columns: {row}")

    @property
    def has_heads(self) -> bool:
        """Whether any column has a heading."""
        return any(column.head for column in self.columns)

    @property
    def has_widths(self) -> bool:
        """Whether any column has a width."""
        return any(column.width for column in self.columns)


def columns(heads: Sequence[str], text: int = 1) -> tuple[Column, ...]:
    """Return plain columns: the first ``text`` hold text, the others numbers."""
    return tuple(Column(head, number=index >= text) for index, head in enumerate(heads))
