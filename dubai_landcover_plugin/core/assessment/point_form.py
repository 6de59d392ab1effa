"""QGIS style (QML) of sample points: an attribute form with a list of classes, and colours by reference class."""

from __future__ import annotations

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.assessment import REFERENCE_FIELD
from dubai_landcover_plugin.protocol.translation import marked, tr

_NULL = "{2839923C-8B7D-419E-B84B-CA2FE9B80EC7}"  # value of NULL in a QGIS value map
_SHOWN = {"point_id": marked("Point"), REFERENCE_FIELD: marked("Class on the ground")}
"""Attributes in the form, and their labels."""


def point_style_qml(scheme: ClassScheme, fields: list[str]) -> str:
    """Return a QML document for points that are to be labelled.

    The form shows the number of the point and a list of classes. It hides the map class, so that the interpretation is
    blind. Points are drawn as rings until they have a class.

    Args:
        scheme: Classes to choose from; Unlabeled is for points that cannot be interpreted.
        fields: Attributes of the layer, in their order.
    """
    shown = {field: tr(label) for field, label in _SHOWN.items()}
    return render("point_form.qml.j2", scheme=scheme, fields=fields, reference=REFERENCE_FIELD, shown=shown, null=_NULL)
