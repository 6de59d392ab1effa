"""Attributes of the layers that people draw: samples for teaching, and corrections of a classified raster.

Teaching, corrections and training read the same layers: a correction is a sample of the class that it sets.

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

CLASS = "class"
"""Class of a sample: name or id."""
FROM = "from"
"""Class that a correction replaces: name or id; empty for all classes."""
TO = "to"
"""Class that a correction sets: name or id."""
COLOUR = "colour"
"""Colour, ``#RRGGBB``, of a class that model or raster does not have: the class is made."""
BRUSH = "brush"
"""Width of a point or line, px of the raster; empty for the default."""
TIME = "time"
"""Date and time of an edit; later ones are applied after earlier ones."""
