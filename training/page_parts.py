"""Pieces of self-contained HTML pages: tables, charts and pictures, with nothing to load and no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape

from matplotlib.figure import Figure
from PIL import Image

_QUALITY = 85
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # a date would make each page another


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1, keys: Sequence[str] = ()) -> str:
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


def key(colour: str) -> str:
    """Return a swatch of a colour such as ``#e2a929``."""
    return f'<span class="key" style="background:{colour}"></span>'


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
