"""QGIS styles (QML) of a layer of labels, with a form that lists the classes, and of the places to label."""

from __future__ import annotations

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.protocol.classes import ClassScheme

LABEL_FIELDS = {"class": "object", "note": "object"}
"""Attributes of labels: name of the class, and a remark of the person who labels."""
PLACE_FIELDS = {"place": "int32", "reason": "object", "confidence": "float64", "novelty": "float64"}
"""Attributes of places: number, why it was chosen, mean confidence of the model and novelty there, percent."""


def label_style_qml(scheme: ClassScheme) -> str:
    """Return a QML document for polygons of labels: colours by class, a list of classes in the form, map tips.

    Args:
        scheme: Classes to choose from.
    """
    return render("label_form.qml.j2", classes=scheme.classes, fields=list(LABEL_FIELDS))


def place_style_qml() -> str:
    """Return a QML document for places to label: dashed outlines with their numbers."""
    return render("label_places.qml.j2")
