"""Lines of a run's log that give the figures of a class."""

from __future__ import annotations

from dubai_landcover_plugin.protocol.translation import joined, tr


def class_line(name: str, *, pixels: int | None = None, area: float | None = None, share: float | None = None) -> str:
    """Return a line of the log with the figures of a class, in the language of QGIS.

    Args:
        name: The class, a pair of classes, or a code with its name.
        pixels: Number of its pixels.
        area: Its area on the ground, m².
        share: Its share of the whole, 0 to 1.
    """
    figures = [
        *([] if pixels is None else [tr("{pixels:,} px", pixels=pixels)]),
        *([] if area is None else [tr("{area:,.2f} ha", area=area / 1e4)]),
        *([] if share is None else [tr("{share:.2f} %", share=100 * share)]),
    ]
    return tr("{name}: {figures}", name=name, figures=joined(figures))
