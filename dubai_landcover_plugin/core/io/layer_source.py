"""Texts that name a layer of a vector file, as QGIS writes them: ``path|layername=NAME``."""

from __future__ import annotations

import os

_LAYER = "|layername="


def file_of(source: str) -> str:
    """Return the path in ``path|layername=NAME``; other texts are paths already.

    Where the text, or several parts of it, could be the path, the longest one that exists is.
    """
    return _parts(source)[0]


def layer_of(source: str) -> str:
    """Return the name of the layer in ``path|layername=NAME``; empty where none is named."""
    return _parts(source)[1]


def _parts(source: str) -> tuple[str, str]:
    path, _, layer = source.partition(_LAYER)
    pieces = source.split(_LAYER)
    for count in range(len(pieces), 1, -1):
        longer = _LAYER.join(pieces[:count])
        if os.path.exists(longer):
            return longer, _LAYER.join(pieces[count:])
    return path, layer


def layer_source(path: str, layer: str) -> str:
    """Return the text that names a layer of a file."""
    return f"{path}{_LAYER}{layer}"
