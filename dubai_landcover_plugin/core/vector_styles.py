"""How QGIS draws class polygons: a style as QML."""

from __future__ import annotations

from html import escape

from dubai_landcover_plugin.core.classes import ClassScheme

_FILL_ALPHA = 140
_DARKER = 160  # per cent, of outlines


def class_style(scheme: ClassScheme, field: str = "class_id") -> str:
    """Return a QML document that draws polygons in the colours of their classes, half transparent.

    Args:
        scheme: The classes.
        field: Attribute with the class id.
    """
    categories, symbols = [], []
    for index, entry in enumerate(scheme.entries):
        red, green, blue = entry.rgb
        outline = ",".join(str(channel * 100 // _DARKER) for channel in entry.rgb)
        categories.append(
            f'   <category render="true" symbol="{index}" value="{entry.id}" type="long" '
            f'label="{escape(entry.name)}"/>\n'
        )
        symbols.append(
            f'   <symbol type="fill" name="{index}" alpha="1" clip_to_extent="1" force_rhr="0">\n'
            '    <layer class="SimpleFill" enabled="1" locked="0" pass="0">\n'
            f'     <prop k="color" v="{red},{green},{blue},{_FILL_ALPHA}"/>\n'
            f'     <prop k="outline_color" v="{outline},255"/>\n'
            '     <prop k="outline_width" v="0.2"/>\n     <prop k="outline_width_unit" v="MM"/>\n'
            '     <prop k="style" v="solid"/>\n'
            "    </layer>\n   </symbol>\n"
        )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22.0" styleCategories="Symbology">\n'
        f' <renderer-v2 type="categorizedSymbol" attr="{field}" enableorderby="0" forceraster="0" symbollevels="0">\n'
        f"  <categories>\n{''.join(categories)}  </categories>\n  <symbols>\n{''.join(symbols)}  </symbols>\n"
        " </renderer-v2>\n</qgis>\n"
    )
