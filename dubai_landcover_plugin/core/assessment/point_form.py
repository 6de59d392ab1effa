"""QGIS style (QML) of sample points: an attribute form with a list of classes, and colours by reference class."""

from __future__ import annotations

from html import escape

from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.assessment import REFERENCE_FIELD

_NULL = "{2839923C-8B7D-419E-B84B-CA2FE9B80EC7}"  # value of NULL in a QGIS value map
_SHOWN = {"point_id": "Point", REFERENCE_FIELD: "Class on the ground"}  # attributes in the form, and their labels


def point_style_qml(scheme: ClassScheme, fields: list[str]) -> str:
    """Return a QML document for points that are to be labelled.

    The form shows the number of the point and a list of classes. It hides the map class, so that the interpretation is
    blind. Points are drawn as rings until they have a class.

    Args:
        scheme: Classes to choose from; Unlabeled is for points that cannot be interpreted.
        fields: Attributes of the layer, in their order.
    """
    entries = [("", "not labelled yet"), *((entry.name, entry.name) for entry in scheme.entries)]
    categories = "".join(
        f'<category symbol="{index}" value="{escape(value)}" render="true" label="{escape(label)}"/>\n'
        for index, (value, label) in enumerate(entries)
    )
    symbols = _symbol(0, _circle("0,0,0,0", "255,255,255,255", 1.2, 4.5), _circle("0,0,0,0", "230,0,126,255", 0.6, 4.5))
    for index, entry in enumerate(scheme.entries, 1):
        fill = ",".join(map(str, (*entry.rgb, 255)))
        symbols += _symbol(index, _circle(fill, "255,255,255,255", 0.4, 3.0))
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22.0" styleCategories="Symbology|Fields|Forms">\n'
        f'<renderer-v2 type="categorizedSymbol" attr="{REFERENCE_FIELD}" symbollevels="0" enableorderby="0">\n'
        f"<categories>\n{categories}</categories>\n<symbols>\n{symbols}</symbols>\n</renderer-v2>\n"
        f"{_form(scheme, fields)}<layerGeometryType>0</layerGeometryType>\n</qgis>\n"
    )


def _symbol(name: int, *layers: str) -> str:
    return f'<symbol type="marker" name="{name}" alpha="1" clip_to_extent="1">\n{"".join(layers)}</symbol>\n'


def _circle(fill: str, outline: str, width: float, size: float) -> str:
    """Return a marker layer; colours are "red,green,blue,alpha", lengths in mm."""
    options = {"name": "circle", "color": fill, "outline_color": outline, "outline_width": width, "size": size}
    listed = "".join(f'<Option type="QString" name="{key}" value="{value}"/>' for key, value in options.items())
    old = "".join(f'<prop k="{key}" v="{value}"/>' for key, value in options.items())  # read by QGIS 3.22 to 3.26
    return (
        '<layer class="SimpleMarker" pass="0" locked="0" enabled="1">'
        f'<Option type="Map">{listed}</Option>{old}</layer>\n'
    )


def _form(scheme: ClassScheme, fields: list[str]) -> str:
    choices = [("(not labelled yet)", _NULL), *((entry.name, entry.name) for entry in scheme.classes)]
    choices.append((f"{scheme.unlabeled.name} (cannot tell)", scheme.unlabeled.name))
    listed = "".join(
        f'<Option type="Map"><Option type="QString" name="{escape(name)}" value="{escape(value)}"/></Option>\n'
        for name, value in choices
    )
    widgets = {
        REFERENCE_FIELD: ("ValueMap", f'<Option type="Map"><Option type="List" name="map">\n{listed}</Option></Option>')
    }
    configured = ""
    for field in fields:
        kind, config = widgets.get(field, ("Range" if field == "point_id" else "TextEdit", "<Option/>"))
        configured += (
            f'<field name="{field}"><editWidget type="{kind}"><config>{config}</config></editWidget></field>\n'
        )
    shown = "".join(
        f'<attributeEditorField name="{field}" index="{fields.index(field)}" showLabel="1"/>\n' for field in _SHOWN
    )
    aliases = "".join(
        f'<alias field="{field}" index="{fields.index(field)}" name="{alias}"/>\n' for field, alias in _SHOWN.items()
    )
    fixed = "".join(f'<field name="{field}" editable="{int(field == REFERENCE_FIELD)}"/>\n' for field in fields)
    return (
        f"<fieldConfiguration>\n{configured}</fieldConfiguration>\n<aliases>\n{aliases}</aliases>\n"
        "<editorlayout>tablayout</editorlayout>\n"
        f"<attributeEditorForm>\n{shown}</attributeEditorForm>\n<editable>\n{fixed}</editable>\n"
    )
