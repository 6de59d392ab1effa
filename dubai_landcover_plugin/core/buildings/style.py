"""How regular outlines look in QGIS: a QML document that travels with the file."""

from __future__ import annotations

_FILL = {
    "color": "181,83,60,110",
    "joinstyle": "miter",
    "outline_color": "110,45,30,255",
    "outline_style": "solid",
    "outline_width": "0.3",
    "outline_width_unit": "MM",
    "style": "solid",
}
_KEPT = {**_FILL, "color": "150,150,150,110", "outline_color": "80,80,80,255"}


def _symbol(name: str, properties: dict[str, str]) -> str:
    options = "".join(f'<Option type="QString" name="{key}" value="{value}"/>' for key, value in properties.items())
    return (
        f'<symbol name="{name}" type="fill" alpha="1" clip_to_extent="1" force_rhr="0">'
        f'<layer class="SimpleFill" enabled="1" locked="0" pass="0"><Option type="Map">{options}</Option></layer>'
        "</symbol>"
    )


BUILDINGS_STYLE = (
    "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
    '<qgis version="3.22.0" styleCategories="Symbology">'
    '<renderer-v2 type="categorizedSymbol" attr="regular" symbollevels="0" enableorderby="0" forceraster="0">'
    '<categories><category render="true" symbol="0" value="1" label="Regular"/>'
    '<category render="true" symbol="1" value="0" label="Outline kept"/></categories>'
    f"<symbols>{_symbol('0', _FILL)}{_symbol('1', _KEPT)}</symbols>"
    "</renderer-v2></qgis>"
)
"""Regular outlines in the colour of roofs, kept ones in grey."""
