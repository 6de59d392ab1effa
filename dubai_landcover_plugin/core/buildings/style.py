"""How regular outlines look in QGIS."""

from __future__ import annotations

from dubai_landcover_plugin.core.vector_styles import category_style

BUILDINGS_STYLE = category_style(
    "regular", [(1, "Regular", (181, 83, 60)), (0, "Outline kept", (150, 150, 150))], alpha=110
)
"""Regular outlines in the colour of roofs, kept ones in grey; QML."""
