"""How all pages of the plugin look: style, tables, bars. Nothing outside the file is needed, no script either."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

STYLE = """
:root { --ink: #1c2530; --soft: #5d6875; --line: #dfe3e8; --pale: #f5f7f9; --accent: #14507a; }
* { box-sizing: border-box; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
body { color: var(--ink); max-width: 60rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; padding-bottom: .25rem; border-bottom: 2px solid var(--accent); }
p { margin: .5rem 0; } .small { color: var(--soft); font-size: .87em; }
table { border-collapse: collapse; width: 100%; font-size: .93em; }
th, td { padding: .38rem .55rem; border-bottom: 1px solid var(--line); }
th { text-align: left; vertical-align: bottom; font-weight: 600; }
thead th { border-bottom: 1.5px solid var(--soft); line-height: 1.25; }
tbody tr:nth-child(even) { background: var(--pale); }
tfoot td { font-weight: 600; border-top: 1.5px solid var(--soft); border-bottom: 0; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.key { display: inline-block; width: .9em; height: .9em; border-radius: 2px; }
.key { margin-right: .5em; vertical-align: -.1em; box-shadow: inset 0 0 0 1px rgba(0,0,0,.15); }
.bar { height: .9em; border-radius: 2px; }
.stack { display: flex; height: .95em; border-radius: 2px; overflow: hidden; background: #e9ecef; }
.stack i { display: block; height: 100%; }
.warning { background: #fff4d6; border-left: 4px solid #e0a100; padding: .45rem .8rem; border-radius: 3px; }
pre { background: var(--pale); padding: .8rem; overflow-x: auto; font-size: 12px; white-space: pre-wrap; }
"""

PRINT = """
@page { size: A4; margin: 15mm 14mm 16mm; @bottom-right { content: counter(page) " / " counter(pages);
  font: 8pt sans-serif; color: #5d6875; } }
@media print {
  body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0; }
  h1 { font-size: 19pt; } h2 { break-after: avoid; margin-top: 1.4rem; } figure, .cards, tr { break-inside: avoid; }
  th, td { padding: .27rem .5rem; }
  thead { display: table-header-group; } tfoot { display: table-row-group; } a { color: inherit; }
}
"""
"""For pages that are printed: A4, rows and figures kept whole, heads repeated."""


def page(title: str, body: str, style: str = "") -> str:
    """Return a whole page."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}{style}</style></head><body>\n'
        f"{body}\n</body></html>\n"
    )


def warning(text: str) -> str:
    """Return a note that must not be missed."""
    return f'<p class="warning">{escape(text)}</p>'


def key(colour: str) -> str:
    """Return a small square in a colour."""
    return f'<span class="key" style="background:{colour}"></span>'


def bar(colour: str, share: float) -> str:
    """Return a bar; ``share``, 0..1, of the cell's width."""
    return f'<div class="bar" style="background:{colour};width:{100 * share:.2f}%"></div>'


def stack(parts: Iterable[tuple[str, float, str]]) -> str:
    """Return bars in one row.

    Args:
        parts: Colour, share (0..1) of the whole width, and what a pointer reads there.
    """
    cells = "".join(
        f'<i style="width:{100 * share:.3f}%;background:{colour}" title="{escape(told)}"></i>'
        for colour, share, told in parts
        if share > 0
    )
    return f'<div class="stack">{cells}</div>'


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: int = 1,
    totals: Sequence[str] = (),
    widths: Sequence[str] = (),
) -> str:
    """Return a table of HTML cells.

    Args:
        heads: HTML of the heads.
        rows: HTML of the cells; what comes from a user must be escaped.
        left: How many columns are text; the others are numbers, to the right.
        totals: A last row; none if empty.
        widths: CSS widths of the first columns; empty leaves them free.
    """

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}>{value}</{tag}>" if index < left else f'<{tag} class="number">{value}</{tag}>'
            for index, value in enumerate(values)
        )

    columns = "".join(f'<col style="width:{width}">' if width else "<col>" for width in widths)
    body = "\n".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    foot = f"<tfoot><tr>{cells('td', totals)}</tr></tfoot>" if totals else ""
    return (
        f"<table>{f'<colgroup>{columns}</colgroup>' if columns else ''}<thead><tr>{cells('th', heads)}</tr></thead>\n"
        f"<tbody>{body}</tbody>{foot}</table>"
    )


_QUALITY = 85
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # a date would make each page another


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, keys: Sequence[str] = ()) -> str:
    """Return a table of texts.

    Args:
        heads: One for each column.
        rows: Cells of each row.
        left: Columns aligned to the left; the others are numbers. The first of them names the row.
        keys: Colours shown before the first cells; rows beyond them have none.
    """
    kinds = ["" if column < left else ' class="number"' for column in range(len(heads))]
    first = "".join(f'<th scope="col"{kind}>{escape(head)}</th>' for kind, head in zip(kinds, heads, strict=True))
    body = []
    for row, colour in zip(rows, [*keys, *[""] * (len(rows) - len(keys))], strict=True):
        cells = [f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds, row, strict=True)]
        if left:
            cells[0] = f'<th scope="row">{key(colour) if colour else ""}{escape(row[0])}</th>'
        body.append(f"<tr>{''.join(cells)}</tr>\n")
    return f"<table><tr>{first}</tr>\n{''.join(body)}</table>"


def chart(figure: Figure, title: str) -> str:
    """Return a chart as inline SVG; ``title`` is what a screen reader says."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    svg = stream.getvalue()
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)


def picture(image: Image.Image, alt: str) -> str:
    """Return a picture as an inline JPEG with a text in its place."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<img loading="lazy" src="data:image/jpeg;base64,{data}" alt="{escape(alt)}">'
