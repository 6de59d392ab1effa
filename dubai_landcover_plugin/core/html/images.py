"""Charts and photographs inside a page."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

_QUALITY = 85  # of JPEG
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))  # with a date, equal figures give unequal pages


def chart(figure: Figure, title: str) -> Markup:
    """Return a figure as inline SVG, with ``title`` as its accessible name.

    Matplotlib escapes the texts of the figure.
    """
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=_NO_METADATA)
    svg = stream.getvalue()
    start = Markup('<svg role="img" aria-label="{}"').format(title)
    return start + Markup(svg[svg.index("<svg") + len("<svg") :])  # noqa: S704  # nosec B704  made by Matplotlib


def jpeg_uri(image: Image.Image) -> str:
    """Return an image as the data URI of a JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"


def literal(text: str) -> str:
    r"""Return text for a Matplotlib figure in which ``$`` is a character and does not start a formula."""
    return text.replace("$", r"\$")
