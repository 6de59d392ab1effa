"""The folder ``resources``: icons, styles and models."""

from __future__ import annotations

from pathlib import Path


def resource(name: str) -> str:
    """Return the path of a file below ``resources``: inside the installed plugin, beside the package in the sources."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "resources" / name
    return str(inside if inside.exists() else package.parent / "resources" / name)
