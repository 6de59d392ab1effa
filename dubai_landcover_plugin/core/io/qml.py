"""QGIS styles (QML) of polygons by class or change."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dubai_landcover_plugin.protocol.classes import ClassScheme

_FILL_ALPHA = 140
_DARKER = 160  # percent, of outlines compared with fills, as QColor.darker counts


def class_style(scheme: ClassScheme) -> str:
    """Return a QML document that draws polygons in the colours of their classes, half transparent."""
    return category_style("class_id", [(entry.id, entry.name, entry.rgb) for entry in scheme.entries])


def category_style(
    field: str, categories: Sequence[tuple[int, str, tuple[int, int, int]]], alpha: int = _FILL_ALPHA
) -> str:
    """Return a QML document that draws polygons in colours with darker outlines.

    Args:
        field: Attribute with the category.
        categories: Values of the attribute, with name and colour.
        alpha: Opacity of the fills, 0..255.
    """
    listed, symbols = [], []
    for index, (value, name, rgb) in enumerate(categories):
        fill = ",".join(map(str, rgb))
        outline = ",".join(str(channel * 100 // _DARKER) for channel in rgb)
        listed.append(
            f'   <category render="true" symbol="{index}" value="{value}" type="long" label="{escape(name)}"/>\n'
        )
        symbols.append(
            f'   <symbol type="fill" name="{index}" alpha="1" clip_to_extent="1" force_rhr="0">\n'
            '    <layer class="SimpleFill" enabled="1" locked="0" pass="0">\n'
            f'     <prop k="color" v="{fill},{alpha}"/>\n'
            f'     <prop k="outline_color" v="{outline},255"/>\n'
            '     <prop k="outline_width" v="0.2"/>\n     <prop k="outline_width_unit" v="MM"/>\n'
            '     <prop k="style" v="solid"/>\n'
            "    </layer>\n   </symbol>\n"
        )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22.0" styleCategories="Symbology">\n'
        f' <renderer-v2 type="categorizedSymbol" attr="{field}" enableorderby="0" forceraster="0" symbollevels="0">\n'
        f"  <categories>\n{''.join(listed)}  </categories>\n  <symbols>\n{''.join(symbols)}  </symbols>\n"
        " </renderer-v2>\n</qgis>\n"
    )


BUILDINGS_STYLE = category_style(
    "regular", [(1, "Regular", (181, 83, 60)), (0, "Outline kept", (150, 150, 150))], alpha=110
)
"""QML of regularized buildings: regular outlines red-brown, unchanged ones grey."""
