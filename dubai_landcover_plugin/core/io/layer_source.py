"""Texts that name a layer of a vector file, as QGIS writes them: ``path|layername=NAME``."""

from __future__ import annotations

_LAYER = "|layername="


def file_of(source: str) -> str:
    """Return the path in ``path|layername=NAME``; other texts are paths already."""
    return source.partition(_LAYER)[0]


def layer_of(source: str) -> str:
    """Return the name of the layer in ``path|layername=NAME``; empty where none is named."""
    return source.partition(_LAYER)[2]


def layer_source(path: str, layer: str) -> str:
    """Return the text that names a layer of a file."""
    return f"{path}{_LAYER}{layer}"
